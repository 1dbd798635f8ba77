//! Every command of README.md, of the READMEs of the examples and of the man pages is run.
//!
//! What starts with `stakeout` is run as it stands and has to end well, unless [`ROWS`] says otherwise. Whatever else is
//! typed must be in [`ROWS`]: a command that nobody knows fails the test, and so does a row that no text needs any more. What
//! can't be run here a row says honestly: who runs it instead, or why nobody does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::pages;
use super::world::{RESTARTED, World};
use super::written::{self, Written};

/// What becomes of a command.
enum Way {
    /// It ends with that code and has said these words.
    Ends(i32, &'static str),
    /// It goes on by itself, and says these words, at the latest when another command was run.
    GoesOn(&'static str, &'static str),
    /// It is the daemon.
    Daemon,
    /// It is run by this file, which has these words.
    Elsewhere(&'static str, &'static str),
    /// Nobody runs it, for this reason.
    Untried(&'static str),
}

use Way::{Daemon, Elsewhere, Ends, GoesOn, Untried};

/// A command as it is written, what becomes of it, and what stands for what in it (beside what does everywhere).
type Row = (&'static str, Way, &'static [(&'static str, &'static str)]);

/// The emulated machine types them as README.md has them.
const WAY_BACK: Way = Elsewhere("scripts/installed_recipes.py", "recipe(\"To go back\")");

/// Something to tell for channels.
const EVENT: &str = "stakeout monitor disable person-at-dock && stakeout monitor enable person-at-dock";

const AS_USER: &[(&str, &str)] =
    &[("-o stakeout -g stakeout ", ""), ("/var/lib/", "HERE/var/lib/"), ("/run/", "HERE/run/")];

const ROWS: &[Row] = &[
    // README.md: building, and what runs elsewhere.
    ("scripts/setup", Elsewhere("scripts/test", "\nscripts/setup --dev\n"), &[]),
    ("scripts/demo", Elsewhere("scripts/test", "\nrun scripts/demo --seconds"), &[]),
    ("scripts/test", Elsewhere("scripts/test", "\nrun cargo nextest run"), &[]),
    (
        "scripts/demo --clip FILE.mp4 --model yolox-nano",
        Ends(0, "usage: "),
        &[("scripts/demo", "/usr/bin/python3 scripts/demo.py"), ("yolox-nano", "yolox-nano --help")],
    ),
    (
        "scripts/demo --seconds 60 --json",
        Ends(0, "usage: "),
        &[("scripts/demo", "/usr/bin/python3 scripts/demo.py"), ("--json", "--json --help")],
    ),
    ("cargo build --release", Elsewhere("scripts/demo.py", "\"--release\""), &[]),
    // README.md: the package, by `scripts/test --all`; by hand, below a folder of our own.
    ("scripts/test --all", Elsewhere("scripts/test", "run scripts/installed"), &[]),
    ("packaging/build-deb", Elsewhere("scripts/installed.py", "packaging/build-deb"), &[]),
    (
        "apt install ./target/deb/stakeout_*.deb",
        Elsewhere("scripts/installed_package.py", "root.install(\"--no-install-recommends\", OLDER)"),
        &[],
    ),
    (
        "install -D -m 755 target/release/stakeout /usr/bin/stakeout",
        Ends(0, ""),
        &[("target/release/stakeout", "BINARY"), ("/usr/bin", "HERE/usr/bin")],
    ),
    (
        "install -D -m 644 .setup/lib/libonnxruntime.so /usr/lib/stakeout/libonnxruntime.so",
        Ends(0, ""),
        &[("/usr/lib", "HERE/usr/lib")],
    ),
    (
        "install -D -m 644 packaging/systemd/stakeout.service /etc/systemd/system/stakeout.service",
        Ends(0, ""),
        &[("/etc/systemd", "HERE/etc/systemd")],
    ),
    (
        "useradd --system --user-group --home-dir /var/lib/stakeout --shell /usr/sbin/nologin stakeout",
        Ends(0, ""),
        &[("useradd", "useradd --prefix HERE")],
    ),
    (
        "install -d -o root -g stakeout -m 750 /etc/stakeout",
        Ends(0, ""),
        &[("-o root -g stakeout ", ""), ("/etc/", "HERE/etc/")],
    ),
    ("install -d /usr/share/stakeout/models", Ends(0, ""), &[]),
    ("cp -r models/yolox-nano /usr/share/stakeout/models/", Ends(0, ""), &[]),
    ("stakeout init", Elsewhere("tests/it/init/typed.rs", "fn answers_are_tried_asked_anew_written_and_run()"), &[]),
    (
        "stakeout init --camera-url rtsp://10.0.0.21/stream1 --camera-username viewer --camera-password-file dock.pass --endpoint-url https://your-app.example/hooks/stakeout",
        Ends(0, "written"),
        &[
            (
                "stakeout init",
                "stakeout init --force --config HERE/new/stakeout.toml --state HERE/new/state --onnxruntime LIBRARY",
            ),
            ("rtsp://10.0.0.21/stream1", "CAMERA"),
            ("dock.pass", "HERE/dock.pass"),
        ],
    ),
    ("printf '%s' 'the password' > /etc/stakeout/dock.pass", Ends(0, ""), &[]),
    (
        "chown stakeout: /etc/stakeout/*.secret /etc/stakeout/*.pass && chmod 600 /etc/stakeout/*.secret /etc/stakeout/*.pass",
        Ends(0, ""),
        &[("chown stakeout:", "chown $UID")],
    ),
    // With what stands for systemd here; under a real one by `scripts/installed_unit.py`.
    ("systemctl daemon-reload", Ends(0, ""), &[]),
    ("systemctl enable stakeout && systemctl restart stakeout", Ends(0, RESTARTED), &[]),
    ("systemctl restart stakeout", Ends(0, RESTARTED), &[]),
    ("systemctl stop", Elsewhere("scripts/installed_unit.py", "systemctl stop stakeout"), &[]),
    ("sudo systemctl mask --now stakeout", WAY_BACK, &[]),
    ("sudo apt install --allow-downgrades ./stakeout_OLDER.deb", WAY_BACK, &[]),
    ("sudo mv /var/lib/stakeout /var/lib/stakeout.newer", WAY_BACK, &[]),
    ("sudo mv /var/lib/stakeout.before /var/lib/stakeout", WAY_BACK, &[]),
    ("sudo systemctl unmask stakeout", WAY_BACK, &[]),
    ("sudo systemctl start stakeout", WAY_BACK, &[]),
    ("sudo systemctl stop stakeout", Elsewhere("scripts/installed_unit.py", "systemctl stop stakeout"), &[]),
    ("systemctl edit stakeout", Untried("it opens an editor, and is systemd's own"), &[]),
    ("apt remove", Elsewhere("scripts/installed_package.py", "root.run(\"apt-get\", \"remove\""), &[]),
    ("apt purge", Elsewhere("scripts/installed_package.py", "root.run(\"apt-get\", \"purge\""), &[]),
    (
        "sudo cp -a /var/lib/stakeout /var/lib/stakeout.before",
        Ends(0, ""),
        &[("sudo ", ""), (" /var/lib/stakeout.before", " HERE/copied"), ("/var/lib/stakeout", "HERE/var/lib/stakeout")],
    ),
    ("install -d -o stakeout -g stakeout /var/lib/stakeout /run/stakeout", Ends(0, ""), AS_USER),
    (
        "runuser -u stakeout -- env GSETTINGS_BACKEND=memory GIO_USE_PROXY_RESOLVER=dummy stakeout run",
        Daemon,
        &[("runuser -u stakeout -- ", "")],
    ),
    ("scripts/rtsp-server --clip recording.mp4", GoesOn("", "\"rtsp://127.0.0.1:"), &[("--clip", "--port 0 --clip")]),
    (
        "scripts/receiver --secret-file /etc/stakeout/ops.secret",
        GoesOn("", "\"http://127.0.0.1:"),
        &[("--secret-file", "--port 0 --secret-file")],
    ),
    ("journalctl CAMERA=dock-east", Elsewhere("tests/it/logs.rs", "CAMERA"), &[]),
    // README.md: looking at it.
    ("stakeout events -f", GoesOn("", "job.status"), &[]),
    (
        "stakeout models pull smolvlm-256m",
        Ends(0, ""),
        &[("smolvlm-256m", "smolvlm-256m --base-url HUB --precision fp32")],
    ),
    (
        "curl --unix-socket /run/stakeout/stakeout.sock -H 'content-type: application/json' http://x/v1/monitors -d '{\"name\": \"person\", \"camera\": \"dock-east\", \"model\": \"yolox-nano\", \"labels\": [\"person\"], \"cooldown\": \"5m\"}'",
        Ends(0, "\"person\""),
        &[("dock-east", "dock"), ("curl ", "curl --fail-with-body ")],
    ),
    (
        "curl --unix-socket /run/stakeout/stakeout.sock -X POST http://x/live-monitor -H 'content-type: application/json' -d '{\"stream_url\": \"rtsp://viewer:PASSWORD@10.0.0.21/stream1\", \"condition\": \"Is there fire?\", \"webhook_url\": \"https://your-app.example/hook\"}'",
        Ends(0, "\"job_id\""),
        &[("curl ", "curl --fail-with-body ")],
    ),
    (
        "curl --unix-socket /run/stakeout/stakeout.sock http://x/api/webhooks -H 'content-type: application/json' -d '{\"name\": \"Clips\", \"url\": \"https://your-app.example/clips\", \"encoding_finished\": true, \"encoding_failed\": true}'",
        Ends(0, "\"success\""),
        &[("curl ", "curl --fail-with-body ")],
    ),
    (
        "curl --unix-socket /run/stakeout/stakeout.sock http://x/v1/alerts -H 'content-type: application/json' -d '{\"event_id\": \"person\", \"callback_url\": \"https://your-app.example/alerts\"}'",
        Ends(0, "\"alert-"),
        &[("curl ", "curl --fail-with-body ")],
    ),
    (
        "post /streams '{\"url\": \"rtsp://viewer:PASSWORD@10.0.0.21/stream1\", \"label\": \"Loading dock\"}'",
        Ends(0, "\"loading-dock\""),
        &[("rtsp://viewer:PASSWORD@10.0.0.21/stream1", "ANOTHER")],
    ),
    (
        "post /streams/loading-dock/subscriptions '{\"question\": \"Is a person in the yellow zone?\", \"webhook_url\": \"https://your-app.example/events\", \"confidence_threshold\": 0.85, \"cooldown_seconds\": 60, \"metadata\": {\"severity\": \"high\"}}'",
        Ends(0, "\"subscription-"),
        &[],
    ),
    (
        "curl -N --unix-socket /run/stakeout/stakeout.sock http://x/v1/events/stream",
        GoesOn(EVENT, "event: job.status"),
        &[],
    ),
    (
        "curl -N --unix-socket /run/stakeout/stakeout.sock -H 'Last-Event-ID: 1234' http://x/v1/events/stream",
        GoesOn("", "event: job.status"),
        &[("1234", "0")],
    ),
    (
        "curl --unix-socket /run/stakeout/stakeout.sock http://x/v1/status",
        Ends(0, "\"person-at-dock\""),
        &[("curl ", "curl --fail-with-body ")],
    ),
    (
        "curl --unix-socket /run/stakeout/stakeout.sock http://x/metrics",
        Ends(0, "stakeout_journal_events"),
        &[("curl ", "curl --fail-with-body ")],
    ),
    // The READMEs of the examples: receivers are installed and run by tests of their own.
    (
        "python3 -m venv venv && venv/bin/pip install -r requirements.txt",
        Elsewhere(
            "tests/it/receivers/running.rs",
            "[\"-m\", \"pip\", \"install\", \"--quiet\", \"-r\", \"requirements.txt\"]",
        ),
        &[],
    ),
    (
        "STAKEOUT_SECRET_FILE=ops.secret venv/bin/uvicorn receiver:app --host 0.0.0.0 --port 8080",
        Elsewhere("tests/it/receivers/running.rs", "[\"-m\", \"uvicorn\", \"--host\""),
        &[],
    ),
    (
        "STAKEOUT_SECRET_FILE=ops.secret venv/bin/uvicorn clips:app --host 0.0.0.0 --port 8080",
        Elsewhere("tests/it/receivers/running.rs", "[\"-m\", \"uvicorn\", \"--host\""),
        &[],
    ),
    ("npm ci", Elsewhere("tests/it/receivers/running.rs", "Command::new(\"npm\").args([\"ci\""), &[]),
    (
        "STAKEOUT_SECRET_FILE=ops.secret PORT=8080 node receiver.js",
        Elsewhere("tests/it/receivers/running.rs", "Command::new(\"node\")"),
        &[],
    ),
    // Man pages.
    ("stakeout check && systemctl restart stakeout", Ends(0, RESTARTED), &[]),
    ("source <(stakeout completions bash)", Ends(0, ""), &[]),
    ("stakeout run --config ./stakeout.toml", Daemon, &[("./stakeout.toml", "HERE/stakeout.toml")]),
    ("stakeout events --follow", GoesOn("", "job.status"), &[]),
    ("stakeout status --watch", GoesOn("", "person-at-dock"), &[]),
    (
        "stakeout events show 0192b1c4-4c1e-7e22-b7d5-8a1f0c2d3e44 --clip alert.mp4",
        Elsewhere("tests/it/played.rs", "[\"events\", \"show\", event, \"--clip\""),
        &[],
    ),
    (
        "stakeout clips show 0192b1c4-7f4b-7d66-a011-3c9b5d2e8f91",
        Elsewhere("tests/it/played.rs", "[\"clips\", \"show\", id"),
        &[],
    ),
    (
        "stakeout clips export 0192b1c4-7f4b-7d66-a011-3c9b5d2e8f91 -o alert.mp4",
        Elsewhere("tests/it/played.rs", "[\"clips\", \"export\", id"),
        &[],
    ),
    (
        "stakeout clips delete 0192b1c4-7f4b-7d66-a011-3c9b5d2e8f91",
        Elsewhere("tests/it/played.rs", "[\"clips\", \"delete\", id"),
        &[],
    ),
    (
        "stakeout models pull smolvlm-256m --base-url http://mirror.lan/",
        Ends(0, ""),
        &[("smolvlm-256m", "smolvlm-256m --precision fp32 --to HERE/elsewhere")],
    ),
    (
        "stakeout verify --secret-file ops.secret --signature \"$SIGNATURE\" --id \"$ID\" --timestamp \"$TIMESTAMP\" < body.json",
        Ends(0, ""),
        &[("ops.secret", "HERE/ops.secret")],
    ),
];

/// Figures take hours and a quiet machine; here it is seen that the command has these options.
const BENCH: &str = "scripts/bench ";

fn row(command: &str) -> Option<&'static Row> {
    ROWS.iter().find(|(known, ..)| *known == command)
}

/// Runs each, once; what went wrong.
fn run(world: &mut World, commands: &[Written]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for it @ Written { command, place, .. } in commands.iter().filter(|it| seen.insert(it.command.clone())) {
        if let Err(why) = follow(world, it) {
            wrong.push(format!("{place}: `{command}`: {why}"));
        }
    }
    wrong
}

fn follow(world: &mut World, Written { command, functions, .. }: &Written) -> Result<(), String> {
    let Some((_, way, places)) = row(command) else {
        return match command {
            _ if command.starts_with(BENCH) => ends(world, &format!("{command} --help"), 0, "usage: bench"),
            _ if command.starts_with("stakeout ") => ends(world, &world.meant(command, &[]), 0, ""),
            _ => Err("not in ROWS: say there how it is run".to_owned()),
        };
    };
    let mut meant = world.meant(command, places);
    if !functions.is_empty() {
        meant = format!("{}\n{meant}", world.meant(functions, &[]));
    }
    match way {
        Ends(code, words) => ends(world, &meant, *code, words),
        GoesOn(meanwhile, words) => world.goes_on(&meant, meanwhile, words),
        Daemon => world.is_the_daemon(&meant),
        Untried(why) => {
            if why.is_empty() {
                Err("nobody says why it isn't run".to_owned())
            } else {
                Ok(())
            }
        }
        Elsewhere(file, words) => {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            if text.contains(words) { Ok(()) } else { Err(format!("`{file}` no longer has `{words}`")) }
        }
    }
}

fn ends(world: &World, command: &str, code: i32, words: &str) -> Result<(), String> {
    let ended = world.run(command);
    let well = ended.code == Some(code) && ended.said.contains(words);
    if well { Ok(()) } else { Err(format!("`{command}` ended with {:?}:\n{}", ended.code, ended.said)) }
}

const README: &str = "README.md";
const EXAMPLES: [&str; 4] = [
    "packaging/examples/README.md",
    "packaging/examples/client/README.md",
    "packaging/examples/receivers/python/README.md",
    "packaging/examples/receivers/node/README.md",
];

/// Of all man pages.
fn of_pages() -> Vec<Written> {
    let (_folder, files) = pages::written();
    files
        .iter()
        .filter(|page| page.extension().is_some_and(|it| it == "1"))
        .flat_map(|it| written::examples(it))
        .collect()
}

/// Of the READMEs: the blocks, and what the text names and can be typed as it stands.
fn of_readmes() -> Vec<Written> {
    let files = || [README].into_iter().chain(EXAMPLES);
    let typed = |it: &Written| !it.command.starts_with("stakeout ");
    files().flat_map(written::blocks).chain(files().flat_map(written::mentions).filter(typed)).collect()
}

#[test]
fn every_command_of_the_readmes_does_what_it_says() {
    let Some(mut world) = World::new() else { return };
    let commands = of_readmes();
    assert!(commands.len() > 40, "{commands:?}");
    let wrong = run(&mut world, &commands);
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n\n"), world.appliance.log());
    let forged = Written::alone("systemctl stop everything", "");
    assert_eq!(run(&mut world, &[forged]).len(), 1, "what nobody knows is wrong");
    let broken = Written::alone("stakeout snapshot no-such-camera", "");
    assert_eq!(run(&mut world, &[broken]).len(), 1, "what doesn't work is wrong");
    let idle = world.run("systemctl daemon-reload && systemctl enable --now stakeout");
    assert!(idle.code == Some(0) && !idle.said.contains(RESTARTED), "it does nothing to an active unit");
    let stuck = world.goes_on("sleep 600", "stakeout snapshot no-such-camera", "never").unwrap_err();
    assert!(stuck.contains("ended with Some(1)"), "{stuck}");
}

#[test]
fn every_example_of_the_man_pages_does_what_it_says() {
    let Some(mut world) = World::new() else { return };
    let commands = of_pages();
    assert!(commands.len() > 40, "{commands:?}");
    let wrong = run(&mut world, &commands);
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n\n"), world.appliance.log());
}

/// What running text names (`stakeout dlq list|show`) has an example that is run.
#[test]
fn what_the_text_names_is_a_command_with_an_example() {
    let run: Vec<Written> = of_pages();
    for mention in [README].into_iter().chain(EXAMPLES).flat_map(written::mentions) {
        let words: Vec<&str> = mention.command.split(' ').collect();
        if words[0] != "stakeout" {
            continue;
        }
        let is_name = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '|');
        let path: Vec<&str> = words.iter().take_while(is_name).copied().collect();
        let (last, before) = path.split_last().unwrap();
        for last in last.split('|') {
            let named = [before, &[last]].concat().join(" ");
            let known = run.iter().any(|it| it.command.starts_with(&named));
            assert!(known, "{}: `{named}` has no example that is run", mention.place);
        }
    }
}

#[test]
fn no_row_is_left_over() {
    let commands: Vec<Written> = of_readmes().into_iter().chain(of_pages()).collect();
    for (known, ..) in ROWS {
        assert!(commands.iter().any(|it| it.command == *known), "nothing says `{known}` any more");
    }
}

/// The codes that every page lists.
#[test]
fn exit_codes_are_those_that_the_pages_list() {
    let Some(mut world) = World::new() else { return };
    for (command, code) in [
        ("stakeout status", 0),
        ("stakeout snapshot nobody", 1),
        ("stakeout status --no-such-option", 2),
        ("STAKEOUT_CONFIG=body.json stakeout status", 78),
        ("STAKEOUT_CONFIG=body.json stakeout check", 78),
    ] {
        assert_eq!(world.run(command).code, Some(code), "{command}");
    }
    world.appliance.stop();
    assert_eq!(world.run("stakeout status").code, Some(3), "nobody answers");
}
