//! Zero-shot monitors with the built binary: `check`, and a recording.

use std::process::Output;

use serde_json::Value;

use super::fixture;
use crate::appliance::Appliance;
use crate::shared::runtime;

fn appliance(model: &str, monitor: &str) -> Appliance {
    let (root, path) = (env!("CARGO_MANIFEST_DIR"), fixture(model));
    Appliance::new(&format!(
        "[[model]]\nname = \"z\"\npath = \"{}\"\n[[camera]]\nname = \"yard\"\nurl = \"file://{root}/tests/data/yard.mp4\"\n\
         [[monitor]]\nname = \"day\"\ncamera = \"yard\"\nmodel = \"z\"\n{monitor}\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"http://127.0.0.1:9/\"\nallow_http = true\nsecret_file = \"HERE/ops.secret\"\n",
        path.display()
    ))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const BRIGHT: &str = "condition = \"a bright picture\"\nprompts = [\"a photo of a bright scene\"]\n\
                      negatives = [\"a dark picture\", \"a photo of a dark scene\"]\n";

#[test]
fn check_tells_what_a_monitor_lacks() {
    if runtime().is_none() {
        return;
    }
    let checked = appliance("tiny-clip", BRIGHT).run(&["check"]);
    assert!(checked.status.success(), "{}", told(&checked));

    let alone = appliance("tiny-clip", "condition = \"a bright picture\"\n").run(&["check"]);
    assert!(!alone.status.success());
    let said = told(&alone);
    assert!(said.contains("monitor `day`: it has no `negatives`"), "{said}");
    assert!(said.contains("describe in `negatives` what is there otherwise"), "{said}");
    let alone = appliance("tiny-siglip", "condition = \"a bright picture\"\n").run(&["check"]);
    assert!(alone.status.success(), "SigLIP's likeness means something: {}", told(&alone));

    let long = format!("condition = \"{}\"\nnegatives = [\"smoke\"]\n", "bright dark smoke ".repeat(20));
    let said = told(&appliance("tiny-clip", &long).run(&["check"]));
    assert!(said.contains("and this model reads at most 32"), "{said}");

    let labels = appliance("tiny-clip", BRIGHT);
    labels.edit("model = \"z\"\n", "model = \"yard-classifier\"\nlabels = [\"person\"]\n");
    let said = told(&labels.run(&["check"]));
    assert!(
        said.contains("`prompts` and `negatives` need a zero-shot model, which `yard-classifier` is not"),
        "{said}"
    );
}

/// The yard lies in daylight; a part of it is likened by itself.
#[test]
fn a_recording_is_judged_in_its_zone() {
    if runtime().is_none() {
        return;
    }
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/yard.mp4");
    let verdicts = |monitor: &str| -> Vec<(String, String)> {
        let output = appliance("tiny-clip", monitor).run(&["replay", clip, "--json", "--verdicts"]);
        assert!(output.status.success(), "{}", told(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
        lines
            .filter(|line| line["type"] == "verdict")
            .map(|line| (text(&line, "answer"), text(&line, "explanation")))
            .collect()
    };
    let bright = verdicts(BRIGHT);
    assert!(bright.len() > 30 && bright.iter().all(|(answer, _)| answer == "yes"), "{bright:?}");
    let dark = verdicts("condition = \"a dark picture\"\nnegatives = [\"a bright picture\"]\n");
    assert!(dark.len() > 30 && dark.iter().all(|(answer, _)| answer == "no"), "{dark:?}");
    let zone = verdicts(&format!("{BRIGHT}zone = [[0.0, 0.0], [0.3, 0.0], [0.3, 0.2], [0.0, 0.2]]\n"));
    assert_eq!(bright.len(), zone.len());
    assert!(bright.iter().zip(&zone).all(|(whole, part)| whole.1 != part.1), "{zone:?}");
    assert!(zone[0].1.starts_with("likeness "), "{zone:?}");
}
