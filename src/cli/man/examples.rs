//! The examples of the man pages.
//!
//! Owns them; a test (tests/it/manual/) runs each, with names and places of its own for those that stand here.

/// What for, and what is typed.
type Example = (&'static str, &'static str);

/// By the name of the page.
const EXAMPLES: [(&str, &[Example]); 40] = [
    (
        "stakeout",
        &[
            ("See whether all is well, then what happens:", "stakeout status\nstakeout events --follow"),
            ("After a change of the configuration:", "stakeout check && systemctl restart stakeout"),
        ],
    ),
    (
        "stakeout-run",
        &[("In the foreground, with a configuration of one's own:", "stakeout run --config ./stakeout.toml")],
    ),
    (
        "stakeout-init",
        &[
            ("Ask for everything, on a terminal:", "stakeout init"),
            (
                "Ask for nothing:",
                "stakeout init --camera-url rtsp://10.0.0.21/stream1 --camera-username viewer --camera-password-file dock.pass --endpoint-url https://your-app.example/hooks/stakeout",
            ),
        ],
    ),
    (
        "stakeout-doctor",
        &[
            ("What is odd here, and how to mend it?", "stakeout doctor"),
            ("For a script, without the network:", "stakeout doctor --offline --json"),
        ],
    ),
    (
        "stakeout-check",
        &[
            ("Before the service is restarted:", "stakeout check"),
            ("Also look at the cameras, and send every endpoint a check:", "stakeout check --live"),
        ],
    ),
    (
        "stakeout-config",
        &[
            ("A file to start from:", "stakeout config > stakeout.toml"),
            ("For an editor elsewhere:", "stakeout config --schema > stakeout.toml.schema.json"),
        ],
    ),
    (
        "stakeout-status",
        &[
            ("Once, and for a script:", "stakeout status\nstakeout status --json"),
            ("Over and over, until Ctrl-C:", "stakeout status --watch"),
        ],
    ),
    (
        "stakeout-events",
        &[
            ("As they happen:", "stakeout events --follow"),
            (
                "The last ten of a monitor, a line of JSON each:",
                "stakeout events --monitor person-at-dock --limit 10 --json",
            ),
        ],
    ),
    (
        "stakeout-events-show",
        &[
            ("All that one says:", "stakeout events show 0192b1c4-4c1e-7e22-b7d5-8a1f0c2d3e44"),
            ("And what the camera sent:", "stakeout events show 0192b1c4-4c1e-7e22-b7d5-8a1f0c2d3e44 --clip alert.mp4"),
        ],
    ),
    ("stakeout-clips-list", &[("Of one camera:", "stakeout clips list --camera dock --state ready")]),
    ("stakeout-clips-show", &[("With its links:", "stakeout clips show 0192b1c4-7f4b-7d66-a011-3c9b5d2e8f91")]),
    (
        "stakeout-clips-export",
        &[("As a file:", "stakeout clips export 0192b1c4-7f4b-7d66-a011-3c9b5d2e8f91 -o alert.mp4")],
    ),
    ("stakeout-clips-delete", &[("For good:", "stakeout clips delete 0192b1c4-7f4b-7d66-a011-3c9b5d2e8f91")]),
    (
        "stakeout-deliveries",
        &[
            ("What is still owed, tried or not:", "stakeout deliveries --state owed"),
            ("What became of the last two hours:", "stakeout deliveries --endpoint ops --since 2h"),
        ],
    ),
    ("stakeout-jobs-list", &[("Those that run:", "stakeout jobs list --status running")]),
    ("stakeout-jobs-show", &[("One, by its id:", "stakeout jobs show 0192b1c4-5e2f-7a11-8c3d-9d4e5f6a7b80")]),
    ("stakeout-jobs-start", &[("Do again what it did:", "stakeout jobs start 0192b1c4-5e2f-7a11-8c3d-9d4e5f6a7b80")]),
    ("stakeout-jobs-stop", &[("End it:", "stakeout jobs stop 0192b1c4-5e2f-7a11-8c3d-9d4e5f6a7b80")]),
    (
        "stakeout-snapshot",
        &[
            ("As dock.jpg:", "stakeout snapshot dock"),
            ("On another machine:", "stakeout snapshot dock --output - > now.jpg"),
        ],
    ),
    ("stakeout-endpoint-list", &[("With how it went lately:", "stakeout endpoint list")]),
    ("stakeout-endpoint-check", &[("Does the receiver take and verify what is sent?", "stakeout endpoint check ops")]),
    (
        "stakeout-endpoint-enable",
        &[(
            "It is back, and gets what was skipped meanwhile:",
            "stakeout endpoint enable ops\nstakeout dlq retry --endpoint ops --state skipped_gone",
        )],
    ),
    ("stakeout-monitor-enable", &[("Watch again:", "stakeout monitor enable person-at-dock")]),
    ("stakeout-monitor-disable", &[("Leave it alone for now:", "stakeout monitor disable person-at-dock")]),
    (
        "stakeout-dlq-list",
        &[
            ("All:", "stakeout dlq list"),
            (
                "Those of the last day that the receiver refused:",
                "stakeout dlq list --since 1d --reason exhausted --json",
            ),
        ],
    ),
    ("stakeout-dlq-show", &[("With all its attempts:", "stakeout dlq show 0192b1c4-6d3a-7c55-9f0e-2b8a4c1d7e90")]),
    (
        "stakeout-dlq-retry",
        &[
            ("One:", "stakeout dlq retry 0192b1c4-6d3a-7c55-9f0e-2b8a4c1d7e90"),
            ("What failed while the receiver was broken:", "stakeout dlq retry --endpoint ops --since 12h --until 2h"),
        ],
    ),
    ("stakeout-dlq-drop", &[("What nobody needs any more:", "stakeout dlq drop --state expired --until 7d")]),
    (
        "stakeout-replay",
        &[
            ("What would it have said?", "stakeout replay recording.mp4"),
            (
                "Every verdict of one monitor, for a script:",
                "stakeout replay recording.mp4 --monitor person-at-dock --verdicts --json",
            ),
        ],
    ),
    (
        "stakeout-test",
        &[
            ("Do the monitors say what I expect?", "stakeout test cases.toml"),
            ("One case, for a script:", "stakeout test cases.toml --case \"one visit\" --json"),
        ],
    ),
    (
        "stakeout-ask",
        &[
            (
                "A vision language model, in words:",
                "stakeout ask --model yard --image yard.png \"Is there a person in the picture?\"",
            ),
            (
                "A detector, in the lower half of the picture:",
                "stakeout ask --model yolox-nano --image yard.png --labels person,car --zone \"0,0.5 1,0.5 1,1 0,1\"",
            ),
        ],
    ),
    ("stakeout-models-list", &[("Here, and to be had:", "stakeout models list")]),
    (
        "stakeout-models-pull",
        &[
            ("From the hub:", "stakeout models pull smolvlm-256m"),
            ("From a mirror:", "stakeout models pull smolvlm-256m --base-url http://mirror.lan/"),
        ],
    ),
    ("stakeout-models-check", &[("Does it load, and answer?", "stakeout models check yard")]),
    (
        "stakeout-models-bench",
        &[("On a picture of one's own:", "stakeout models bench yard --image yard.png --runs 5")],
    ),
    (
        "stakeout-models-calibrate",
        &[
            (
                "How far is it to be trusted on pictures of this site? Nothing is changed:",
                "stakeout models calibrate yard --folder frames",
            ),
            ("Keep the result:", "stakeout models calibrate yard --folder frames --write --force"),
        ],
    ),
    (
        "stakeout-verify",
        &[(
            "A request that was saved, with its headers:",
            "stakeout verify --secret-file ops.secret --signature \"$SIGNATURE\" --id \"$ID\" --timestamp \"$TIMESTAMP\" < body.json",
        )],
    ),
    (
        "stakeout-keygen",
        &[("For an endpoint's `secret_file`:", "stakeout keygen > ops.secret && chmod 600 ops.secret")],
    ),
    (
        "stakeout-completions",
        &[
            ("In this shell only:", "source <(stakeout completions bash)"),
            ("For good:", "stakeout completions bash > /usr/share/bash-completion/completions/stakeout"),
        ],
    ),
    (
        "stakeout-man",
        &[
            ("Where the package is not installed:", "stakeout man | man -l -"),
            ("All pages:", "stakeout man --out ./man"),
        ],
    ),
];

/// The examples of a page and, with `below`, of the pages below it.
pub(super) fn of(page: &str, below: bool) -> impl Iterator<Item = &'static Example> {
    let belongs = move |name: &str| name == page || below && name.starts_with(&format!("{page}-"));
    EXAMPLES.iter().filter(move |(name, _)| belongs(name)).flat_map(|(_, examples)| examples.iter())
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    fn leaves(command: &Command, at: &str, found: &mut Vec<String>) {
        let path = format!("{at}{}", command.get_name());
        match command.has_subcommands() {
            true => command.get_subcommands().for_each(|inner| leaves(inner, &format!("{path}-"), found)),
            false => found.push(path),
        }
    }

    #[test]
    fn every_command_has_examples_that_are_about_it() {
        let mut found = Vec::new();
        leaves(&crate::cli::command().disable_help_subcommand(true), "", &mut found);
        for page in &found {
            let lines: Vec<_> = of(page, false).map(|(_, line)| *line).collect();
            assert!(!lines.is_empty(), "`{page}` has no example in EXAMPLES");
            let command = page.replace('-', " ");
            assert!(lines.iter().all(|line| line.contains(&command)), "{page}: {lines:?}");
        }
    }
}
