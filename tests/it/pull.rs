//! `stakeout models pull`, with the built binary against a hub on a real socket: what is whole becomes a model, and nothing
//! else does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use stakeout::catalogue::{self, Lock};
use stakeout::model::Manifest;
use tempfile::TempDir;

use crate::pull_hub::{COMMIT, Hub, Manner, sha256};
use crate::shared::{runtime, shared};

/// A folder of models that is empty at first.
struct Models(TempDir);

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Models {
    fn new() -> Models {
        Models(TempDir::new().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join("models").join(path)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
        let library = root().join(".setup/lib/libonnxruntime.so");
        let library = std::env::var_os("ORT_LIB").map_or(library, PathBuf::from);
        let storage = format!("[storage]\npath = \"{}\"\n", self.0.path().display());
        let runtime = format!("[runtime]\nonnxruntime = \"{}\"\nthreads = 1\n", library.display());
        fs::write(self.0.path().join("c.toml"), storage + &runtime).unwrap();
        command.args(args).current_dir(&self.0).env("STAKEOUT_CONFIG", "c.toml").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(self.0.path().to_str().unwrap(), "HOME");
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    fn pull(&self, hub: &Hub, name: &str) -> Ended {
        self.pull_with(hub, name, &[])
    }

    fn pull_with(&self, hub: &Hub, name: &str, more: &[&str]) -> Ended {
        let url = hub.url();
        let args: Vec<&str> =
            ["models", "pull", name, "--base-url", &url].into_iter().chain(more.iter().copied()).collect();
        let mut ended = self.run(&args);
        ended.stderr = ended.stderr.replace(&url, "HUB").replace(url.trim_start_matches("http://"), "HUB");
        ended
    }

    fn start(&self, hub: &Hub, name: &str) -> Running {
        Running(self.command(&["models", "pull", name, "--base-url", &hub.url()]).spawn().unwrap())
    }

    fn lock(&self) -> Lock {
        Lock::parse(&fs::read_to_string(self.path("models.lock")).unwrap()).unwrap()
    }

    /// What the list says of a model: its state, and the rest of the line.
    fn listed(&self, name: &str) -> String {
        let listed = self.run(&["models", "list", "--json"]);
        let lines: Vec<serde_json::Value> =
            listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter().find(|line| line["name"] == name).map_or("none", |line| line["state"].as_str().unwrap()).to_owned()
    }
}

struct Running(Child);

impl Running {
    /// SIGKILL.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An entry that this version couldn't use would be an empty promise.
#[test]
fn every_entry_of_the_catalogue_has_a_manifest_that_is_understood() {
    for entry in catalogue::entries() {
        for precision in entry.precisions.iter().copied().map(Some).chain([None]) {
            let text = entry.manifest(&entry.source, precision, &vec!["0".repeat(64); entry.files.len()]);
            let manifest = Manifest::parse(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", entry.name));
            assert_eq!(
                (manifest.family().as_str(), manifest.name.clone()),
                (entry.family.as_str(), entry.name.clone())
            );
            let keys: Vec<&str> = manifest.files().iter().map(|(key, _)| *key).collect();
            assert_eq!(keys, entry.files.iter().map(|file| file.key.as_str()).collect::<Vec<_>>(), "{}", entry.name);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Bytes that are not the same anywhere.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

const ONE: &str = "yolox_nano.onnx";

fn hub_with_one(length: usize) -> (Hub, Vec<u8>) {
    let hub = Hub::start();
    let content = bytes(length);
    hub.put(ONE, &content);
    (hub, content)
}

fn until(what: &str, answer: impl Fn() -> bool) {
    let began = Instant::now();
    while !answer() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: not in a minute");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_model_of_the_catalogue_becomes_a_folder() {
    let (hub, content) = hub_with_one(100_000);
    let models = Models::new();
    assert_eq!(models.listed("yolox-nano"), "catalogue");
    let ended = models.pull(&hub, "yolox-nano");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "model `yolox-nano` is here: HOME/models/yolox-nano\n"));
    assert_eq!(
        ended.stderr,
        "yolox_nano.onnx: 97.7 KiB\n\
         yolox_nano.onnx: 97.7 KiB, no SHA-256 was announced: this one is kept in models.lock\n\
         note: this project has not loaded this file itself (release 0.1.1rc0 of its authors, 416 pixels); \
         `stakeout models check yolox-nano` tries it\n"
    );
    assert_eq!(fs::read(models.path("yolox-nano/yolox_nano.onnx")).unwrap(), content);
    let manifest = fs::read_to_string(models.path("yolox-nano/manifest.toml")).unwrap();
    assert!(manifest.contains(&sha256(&content)), "{manifest}");
    Manifest::parse(&manifest).unwrap();
    assert_eq!(models.listed("yolox-nano"), "ok");
    let locked = &models.lock().files[0];
    assert_eq!((locked.path.as_str(), locked.size, &locked.sha256), (ONE, 100_000, &sha256(&content)));
    // Nothing is left but the model and the lock file.
    let mut left: Vec<_> = fs::read_dir(models.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["models.lock", "yolox-nano"]);

    let again = models.pull(&hub, "yolox-nano");
    assert_eq!(again.stdout, "model `yolox-nano` is here already: HOME/models/yolox-nano\n");
    assert_eq!(hub.asked().len(), 1);
    fs::write(models.path("yolox-nano/yolox_nano.onnx"), "x").unwrap();
    assert_eq!(models.listed("yolox-nano"), "hash_mismatch");
    fs::remove_file(models.path("yolox-nano/yolox_nano.onnx")).unwrap();
    assert_eq!(models.listed("yolox-nano"), "missing_file");
}

/// A project's page is no folder of files: what can only be had by hand says so.
#[test]
fn folders_without_their_files_say_how_to_get_them() {
    let hub = Hub::start();
    let models = Models::new();
    for name in
        ["nanodet-helmet-jacket", "nanodet-m-416", "squeezenet-fp16", "ultraface-rfb-320", "vww-96", "yolox-nano"]
    {
        // Without the files that a developer may have put beside it.
        fs::create_dir_all(models.path(name)).unwrap();
        fs::copy(root().join("models").join(name).join("manifest.toml"), models.path(name).join("manifest.toml"))
            .unwrap();
        let ended = models.pull(&hub, name);
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("files are missing beside `HOME/models/{name}/manifest.toml`: `"))
                && ended.stderr.contains(", by hand: models/README.md` is nothing to download from"),
            "{}",
            ended.stderr
        );
    }
    assert!(hub.asked().is_empty());
    let listed = models.run(&["models", "list", "--json"]).stdout;
    let line = listed.lines().find(|line| line.contains("\"vww-96\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["state"], &line["size"]), (&"missing_file".into(), &serde_json::Value::Null), "not 0 bytes");
}

/// A manifest whose files are elsewhere: on a hub that announces them.
fn folder_without_files(models: &Models, content: &[u8]) {
    let folder = models.path("mine");
    fs::create_dir_all(&folder).unwrap();
    let labels = sha256(b"a\nb\n");
    let manifest = format!(
        "name = \"mine\"\nfamily = \"classifier\"\nsource = \"hf:org/repo@main\"\n\
         [files]\nmodel = {{ path = \"onnx/m.onnx\", sha256 = \"{}\" }}\nlabels = {{ path = \"labels.txt\", sha256 = \"{labels}\" }}\n\
         [input]\nsize = [8, 8]\nresize = \"squash\"\ncolor = \"rgb\"\n[output]\nhead = \"softmax\"\n",
        sha256(content)
    );
    fs::write(folder.join("manifest.toml"), manifest).unwrap();
}

#[test]
fn the_files_that_a_folder_lacks_come_from_its_source() {
    let hub = Hub::start();
    let models = Models::new();
    let content = bytes(50_000);
    folder_without_files(&models, &content);
    hub.put("onnx/m.onnx", &content);
    assert_eq!(models.listed("mine"), "missing_file");
    // What is there is another file than the manifest means.
    hub.put("labels.txt", b"c\nd\n");
    let wrong = models.pull(&hub, "mine");
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("but the manifest says"), "{}", wrong.stderr);
    assert!(!models.path("mine/labels.txt").exists() && !models.path("mine/onnx/m.onnx").exists());
    hub.put("labels.txt", b"a\nb\n");
    let ended = models.pull(&hub, "mine");
    assert_eq!(ended.stdout, "model `mine` is complete: HOME/models/mine\n", "{}", ended.stderr);
    assert_eq!(models.listed("mine"), "ok");
    assert_eq!(models.lock().files[0].revision, COMMIT);
}

/// `models.lock` remembers what came once; a manifest that was brought up to date since then knows better.
#[test]
fn a_manifest_with_a_new_hash_counts_more_than_what_came_once() {
    let hub = Hub::start();
    let models = Models::new();
    hub.put("labels.txt", b"a\nb\n");
    for content in [bytes(5_000), bytes(6_000)] {
        hub.put("onnx/m.onnx", &content);
        let _ = fs::remove_dir_all(models.path("mine"));
        folder_without_files(&models, &content);
        let ended = models.pull(&hub, "mine");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let locked = models.lock();
        let model = locked.files.iter().find(|file| file.path == "onnx/m.onnx").unwrap();
        assert_eq!(model.sha256, sha256(&content));
    }
}

#[test]
fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let (hub, content) = hub_with_one(300_000);
    hub.behave(ONE, &[Manner::CutAt(100_000), Manner::CutAt(200_000)]);
    let models = Models::new();
    let ended = models.pull(&hub, "yolox-nano");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::read(models.path("yolox-nano/yolox_nano.onnx")).unwrap(), content);
    let asked = hub.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!((&asked[0].range, &asked[0].if_range), (&None, &None));
    for (request, from) in asked[1..].iter().zip([100_000, 200_000]) {
        assert_eq!(request.range, Some(format!("bytes={from}-")));
        assert!(request.if_range.as_deref().is_some_and(|tag| tag.starts_with("\"storage-")), "{request:?}");
    }
}

#[test]
fn a_kill_leaves_no_model_and_the_next_attempt_goes_on() {
    let (hub, content) = hub_with_one(300_000);
    hub.behave(ONE, &[Manner::StallAt(150_000)]);
    let models = Models::new();
    let running = models.start(&hub, "yolox-nano");
    let part = models.path(".yolox-nano.part/yolox_nano.onnx");
    until("half of it is here", || part.metadata().is_ok_and(|part| part.len() == 150_000));
    // Nobody else may write into the same place.
    let second = models.pull(&hub, "yolox-nano");
    assert_eq!(second.code, Some(1));
    assert_eq!(
        second.stderr,
        "error: another `models pull` is downloading `yolox-nano`\nhint: wait until it has ended\n"
    );
    running.kill();
    assert!(!models.path("yolox-nano").exists());
    assert_eq!(models.listed("yolox-nano"), "catalogue");
    let ended = models.pull(&hub, "yolox-nano");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("yolox_nano.onnx: 293.0 KiB, 146.5 KiB are here already\n"), "{}", ended.stderr);
    assert_eq!(hub.asked()[1].range.as_deref(), Some("bytes=150000-"));
    assert_eq!(fs::read(models.path("yolox-nano/yolox_nano.onnx")).unwrap(), content);
}

/// The part on the disk was changed while nobody looked: the announced hash tells.
#[test]
fn a_part_that_rotted_never_becomes_a_model() {
    let hub = Hub::start();
    let models = Models::new();
    let content = bytes(300_000);
    folder_without_files(&models, &content);
    hub.put("onnx/m.onnx", &content);
    hub.put("labels.txt", b"a\nb\n");
    hub.behave("onnx/m.onnx", &[Manner::StallAt(150_000)]);
    let running = models.start(&hub, "mine");
    let part = models.path(".mine.part/onnx/m.onnx");
    until("half of it is here", || part.metadata().is_ok_and(|part| part.len() == 150_000));
    running.kill();
    let mut rotten = fs::read(&part).unwrap();
    rotten[77] ^= 4;
    fs::write(&part, rotten).unwrap();
    let ended = models.pull(&hub, "mine");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&format!("but the manifest says {}", sha256(&content))), "{}", ended.stderr);
    assert!(!models.path("mine/onnx/m.onnx").exists());
    assert_eq!(models.pull(&hub, "mine").code, Some(0), "what was wrong was thrown away");
    assert_eq!(fs::read(models.path("mine/onnx/m.onnx")).unwrap(), content);
}

/// After a power cut the file's length may be there and its bytes not; where no hash is known, nothing would tell.
#[test]
fn a_part_from_before_a_reboot_is_worth_its_hash() {
    let (hub, content) = hub_with_one(300_000);
    hub.behave(ONE, &[Manner::StallAt(150_000)]);
    let models = Models::new();
    let running = models.start(&hub, "yolox-nano");
    let part = models.path(".yolox-nano.part/yolox_nano.onnx");
    until("half of it is here", || part.metadata().is_ok_and(|part| part.len() == 150_000));
    running.kill();
    let notes = models.path(".yolox-nano.part.json");
    let mut noted: serde_json::Value = serde_json::from_slice(&fs::read(&notes).unwrap()).unwrap();
    noted[ONE]["boot"] = "00000000-0000-0000-0000-000000000001".into();
    fs::write(&notes, noted.to_string()).unwrap();
    fs::write(&part, vec![0; 150_000]).unwrap();
    let ended = models.pull(&hub, "yolox-nano");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(hub.asked()[1].range, None);
    assert_eq!(fs::read(models.path("yolox-nano/yolox_nano.onnx")).unwrap(), content);
}

#[test]
fn a_file_that_changed_meanwhile_is_taken_as_a_whole() {
    let (hub, _) = hub_with_one(300_000);
    hub.behave(ONE, &[Manner::StallAt(150_000)]);
    let models = Models::new();
    let running = models.start(&hub, "yolox-nano");
    let part = models.path(".yolox-nano.part/yolox_nano.onnx");
    until("half of it is here", || part.metadata().is_ok_and(|part| part.len() == 150_000));
    running.kill();
    let mut newer = bytes(300_000);
    newer.reverse();
    hub.put(ONE, &newer);
    assert_eq!(models.pull(&hub, "yolox-nano").code, Some(0));
    assert_eq!(fs::read(models.path("yolox-nano/yolox_nano.onnx")).unwrap(), newer);
}

#[test]
fn what_was_downloaded_once_is_expected_again() {
    let (hub, content) = hub_with_one(40_000);
    let models = Models::new();
    assert_eq!(models.pull(&hub, "yolox-nano").code, Some(0));
    fs::remove_dir_all(models.path("yolox-nano")).unwrap();
    hub.behave(ONE, &[Manner::Tamper(39_999)]);
    let ended = models.pull(&hub, "yolox-nano");
    assert_eq!(ended.code, Some(1));
    let mut tampered = content.clone();
    tampered[39_999] ^= 1;
    assert_eq!(
        ended.stderr,
        format!(
            "yolox_nano.onnx: 39.1 KiB\n\
             error: `yolox_nano.onnx` has SHA-256 {}, but models.lock says {}; it was thrown away: \
             if the source has changed and you trust it, `--update` takes the new file in\n",
            sha256(&tampered),
            sha256(&content)
        )
        .replace("; it was", "\nhint: it was")
    );
    assert!(!models.path("yolox-nano").exists());
    // The control: the same bytes pass where nothing is known of them, which is what `--update` means.
    hub.behave(ONE, &[Manner::Tamper(39_999)]);
    let ended = models.pull_with(&hub, "yolox-nano", &["--update"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(models.lock().files[0].sha256, sha256(&tampered));
}

/// As it would be with a mirror that was broken into: the hub's word and the storage's bytes differ.
#[test]
fn bytes_that_are_not_those_that_were_announced_are_thrown_away() {
    let models = Models::new();
    let content = bytes(20_000);
    for (hub, becomes_a_model) in [(Hub::start(), false), (Hub::silent(), true)] {
        for path in ["onnx/model.onnx", "tokenizer.json"] {
            hub.put(path, &content);
        }
        SMOLVLM.iter().for_each(|path| hub.put(path, &content));
        hub.behave(SMOLVLM[0], &[Manner::Tamper(0)]);
        let ended = models.pull(&hub, "smolvlm-256m");
        assert_eq!(ended.code == Some(0), becomes_a_model, "{}", ended.stderr);
        assert_eq!(ended.stderr.contains("but the source says"), !becomes_a_model, "{}", ended.stderr);
        assert_eq!(models.path("smolvlm-256m").exists(), becomes_a_model);
    }
}

const SMOLVLM: [&str; 4] = [
    "onnx/vision_encoder_int8.onnx",
    "onnx/embed_tokens_int8.onnx",
    "onnx/decoder_model_merged_int8.onnx",
    "tokenizer.json",
];

#[test]
fn a_branch_is_pinned_to_the_commit_that_it_stood_for() {
    let hub = Hub::start();
    SMOLVLM.iter().for_each(|path| hub.put(path, path.as_bytes()));
    let models = Models::new();
    let ended = models.pull(&hub, "smolvlm-256m");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("vision_encoder_int8.onnx: 29 B, the SHA-256 is the one that was announced"),
        "{}",
        ended.stderr
    );
    let manifest = fs::read_to_string(models.path("smolvlm-256m/manifest.toml")).unwrap();
    assert!(manifest.contains(&format!("source = \"hf:HuggingFaceTB/SmolVLM-256M-Instruct@{COMMIT}\"")), "{manifest}");
    let urls: Vec<String> = models.lock().files.iter().map(|file| file.url.replace(&hub.url(), "")).collect();
    let at_commit = |url: &&String| url.contains(&format!("/resolve/{COMMIT}/"));
    assert_eq!(urls.iter().filter(at_commit).count(), 3, "{urls:?}");
    let unknown = models.pull_with(&hub, "clip-vit-b32", &["--precision", "q4f16"]);
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (Some(1), "error: `clip-vit-b32` is not published as q4f16\nhint: it has `fp32`, `fp16`, `quantized`\n")
    );
}

/// A hub may send a question on within itself before it says anything of the file; what it leads to elsewhere only keeps it.
#[test]
fn a_hub_announces_for_itself_and_nobody_for_it() {
    let other = Hub::start();
    for (hub, told) in [
        (Hub::roundabout(), "the SHA-256 is the one that was announced"),
        (Hub::leading_to(&other), "no SHA-256 was announced"),
    ] {
        SMOLVLM.iter().for_each(|path| [&hub, &other].iter().for_each(|hub| hub.put(path, path.as_bytes())));
        let ended = Models::new().pull(&hub, "smolvlm-256m");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stderr.matches(told).count(), SMOLVLM.len(), "{}", ended.stderr);
    }
}

#[test]
fn what_a_server_may_answer() {
    let (hub, _) = hub_with_one(1000);
    let models = Models::new();
    let told = |manner: Manner| {
        hub.behave(ONE, std::slice::from_ref(&manner));
        let ended = models.pull(&hub, "yolox-nano");
        hub.behave(ONE, &[]);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(!models.path("yolox-nano").exists());
        let left = fs::read_dir(models.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.filter(|name| name.to_string_lossy().contains(".part")).count(), 0, "nothing came: {manner:?}");
        ended.stderr.lines().filter(|line| !line.starts_with("yolox_nano.onnx: ")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        told(Manner::Status(404)),
        "error: `yolox_nano.onnx`: `HUB/yolox_nano.onnx` answers 404\n\
         hint: check the name, the revision and the precision, or the mirror's folders"
    );
    assert_eq!(
        told(Manner::Status(401)),
        "error: `yolox_nano.onnx`: `HUB/yolox_nano.onnx` answers 401\n\
         hint: it wants an account or a licence to be accepted: fetch the file in a browser and make the folder by hand"
    );
    assert_eq!(
        told(Manner::Status(503)),
        "error: `yolox_nano.onnx`: `HUB/yolox_nano.onnx` answers 503\nhint: its trouble may pass: try again later"
    );
    assert_eq!(
        told(Manner::Circle),
        "error: `yolox_nano.onnx`: `HUB/yolox_nano.onnx` sends us on again and again\n\
         hint: name another server with `--base-url`"
    );
    assert_eq!(
        told(Manner::Packed),
        "error: `yolox_nano.onnx`: `HUB/yolox_nano.onnx` sends the file packed, though nobody asked for that\n\
         hint: name another server with `--base-url`"
    );
    assert_eq!(
        told(Manner::Endless),
        "error: `yolox_nano.onnx`: the server says neither how long the file is nor what its hash is, so a part couldn't be \
         told from the whole\nhint: use another"
    );
}

#[test]
fn nobody_answers() {
    let models = Models::new();
    let closed = {
        let (hub, _) = hub_with_one(1);
        hub.url()
    };
    let ended = models.run(&["models", "pull", "yolox-nano", "--base-url", &closed]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("error: `yolox_nano.onnx`: `127.0.0.1` can't be reached: "), "{}", ended.stderr);
    assert!(
        ended.stderr.ends_with("hint: check the network, or name a mirror with `--base-url`\n"),
        "{}",
        ended.stderr
    );
    let metadata = models.run(&["models", "pull", "yolox-nano", "--base-url", "http://169.254.169.254/"]);
    assert!(metadata.stderr.contains("`169.254.169.254` is a link-local address"), "{}", metadata.stderr);
    let unknown = models.run(&["models", "pull", "yolox-nan"]);
    assert_eq!(
        unknown.stderr,
        "error: the catalogue has no model `yolox-nan`, and `HOME/models` has no folder of that name\n\
         hint: did you mean `yolox-nano`?\n"
    );
}

/// A mirror's password would stand in the lock file, in the notes and in every message.
#[test]
fn a_mirror_with_a_password_is_refused_and_the_password_not_repeated() {
    let (hub, _) = hub_with_one(1000);
    let models = Models::new();
    let pull = |base: &str| models.run(&["models", "pull", "yolox-nano", "--base-url", base]);
    let ended = pull(&hub.url().replace("http://", "http://user:t0ken@"));
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            Some(2),
            "error: a URL to download from must not contain credentials\nhint: leave out what stands before the `@`\n"
        )
    );
    assert!(hub.asked().is_empty() && !models.path("").exists());
    let broken = pull("http://user:t0ken@mir ror/");
    assert_eq!(broken.code, Some(2));
    assert!(
        broken.stderr.contains("`--base-url` is not a URL") && !broken.stderr.contains("t0ken"),
        "{}",
        broken.stderr
    );
    // The control: without it the same mirror will do.
    assert_eq!(pull(&hub.url()).code, Some(0));
}

#[test]
fn what_cannot_be_is_refused_before_it_comes() {
    let hub = Hub::start();
    let models = Models::new();
    SMOLVLM.iter().for_each(|path| hub.put(path, path.as_bytes()));
    hub.behave(SMOLVLM[0], &[Manner::Announce(1 << 60)]);
    let ended = models.pull(&hub, "smolvlm-256m");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("needs 1152921504606846976 bytes more"), "{}", ended.stderr);
    assert!(ended.stderr.contains("make room, or choose another folder with `--to`"), "{}", ended.stderr);
    // Shorter than the bytes that come.
    hub.behave(SMOLVLM[0], &[Manner::Announce(3)]);
    let ended = models.pull(&hub, "smolvlm-256m");
    assert!(ended.stderr.contains("is longer than the 3 bytes that were announced"), "{}", ended.stderr);
    assert!(!models.path("smolvlm-256m").exists());
    fs::create_dir_all(models.path("yolox-nano")).unwrap();
    let ended = models.pull(&hub, "yolox-nano");
    assert_eq!(ended.stderr, "error: `HOME/models/yolox-nano` is in the way\nhint: move it away, then pull again\n");
}

/// The published interface of SmolVLM-256M, name by name and rank by rank, by the way that a box would get it.
#[test]
fn a_published_vision_language_model_is_pulled_and_asked() {
    if runtime().is_none() {
        return;
    }
    let layout = root().join("tests/data/models/smolvlm-256m-layout");
    let hub = Hub::start();
    for path in
        ["onnx/vision_encoder.onnx", "onnx/embed_tokens.onnx", "onnx/decoder_model_merged.onnx", "tokenizer.json"]
    {
        hub.put(path, &fs::read(layout.join(path)).unwrap());
    }
    let models = Models::new();
    let pulled = models.pull_with(&hub, "smolvlm-256m", &["--precision", "fp32"]);
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    let checked = models.run(&["models", "check", "smolvlm-256m"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let image = layout.join("images/bright.png").display().to_string();
    let asked = models.run(&["ask", "--model", "smolvlm-256m", "--image", &image, "--json", "Is there a person?"]);
    let answer: serde_json::Value = serde_json::from_str(&asked.stdout).expect(&asked.stderr);
    assert!(answer["z"].is_number() && answer["answer_mass"].as_f64().unwrap() > 0.5, "{answer}");
}

#[test]
fn a_model_that_the_project_has_loaded_is_known_by_its_hash() {
    let (Some(file), Some(picture)) =
        (shared("models/ultraface-RFB-320.onnx"), shared("images/frames/counter_007.20.jpg"))
    else {
        return;
    };
    let hub = Hub::silent();
    let models = Models::new();
    hub.put("version-RFB-320.onnx", &fs::read(file).unwrap());
    hub.behave("version-RFB-320.onnx", &[Manner::Tamper(1_000_000)]);
    let tampered = models.pull(&hub, "ultraface-rfb-320");
    assert_eq!(tampered.code, Some(1));
    assert!(tampered.stderr.contains("but the catalogue says 34cd7e60aeff28744c657de7a3dc64e8"), "{}", tampered.stderr);
    let pulled = models.pull(&hub, "ultraface-rfb-320");
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert!(
        pulled.stderr.ends_with("version-RFB-320.onnx: 1.2 MiB, the SHA-256 is the one that is known\n"),
        "{}",
        pulled.stderr
    );
    if runtime().is_some() {
        let image = picture.display().to_string();
        let asked = models.run(&["ask", "--model", "ultraface-rfb-320", "--image", &image, "--json", "face"]);
        assert!(asked.stdout.contains("\"answer\":"), "{}", asked.stderr);
    }
}

/// Every moment counts: wherever the process is killed, there is no folder or a whole one.
#[test]
fn kills_at_any_moment_leave_no_model_or_a_whole_one() {
    let hub = Hub::start();
    let models = Models::new();
    let contents: Vec<Vec<u8>> = (0..4).map(|i| bytes(2_000_000 + i)).collect();
    SMOLVLM.iter().zip(&contents).for_each(|(path, content)| hub.put(path, content));
    let is_whole = |folder: &Path| {
        SMOLVLM.iter().zip(&contents).all(|(path, it)| fs::read(folder.join(path)).is_ok_and(|there| there == *it))
    };
    let folder = models.path("smolvlm-256m");
    let mut kills = 0;
    for wait in (0..).map(|n| Duration::from_millis(5 * n)) {
        let mut running = models.start(&hub, "smolvlm-256m");
        thread::sleep(wait);
        let ended = running.0.try_wait().unwrap().is_some();
        running.kill();
        assert!(!folder.exists() || is_whole(&folder), "after {wait:?}");
        if ended {
            break;
        }
        kills += 1;
        if folder.exists() {
            break;
        }
    }
    assert!(kills > 2, "it was never killed while it worked");
    assert_eq!(models.pull(&hub, "smolvlm-256m").code, Some(0));
    assert!(is_whole(&folder));
    assert_eq!(models.listed("smolvlm-256m"), "ok");
}
