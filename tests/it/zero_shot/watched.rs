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

/// The lower half of the yard and its sky differ; a zone is looked at alone.
#[test]
fn a_recording_is_judged_in_its_zone() {
    if runtime().is_none() {
        return;
    }
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/yard.mp4");
    let verdicts = |zone: &str| -> Vec<Value> {
        let output = appliance("tiny-clip", &format!("{BRIGHT}{zone}")).run(&["replay", clip, "--json", "--verdicts"]);
        assert!(output.status.success(), "{}", told(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let whole = verdicts("");
    let zone = verdicts("zone = [[0.0, 0.0], [0.3, 0.0], [0.3, 0.2], [0.0, 0.2]]\n");
    println!("{whole:#?}");
    assert_eq!(whole.len(), zone.len());
    assert_ne!(whole, zone);
}
