//! Published classifiers on pictures whose contents are known.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use serde_json::Value;
use stakeout::frame::Frame;
use stakeout::judge::Seen;
use stakeout::model::{Folder, load};
use stakeout::name::Name;
use stakeout::picture::still;

use crate::published::{Eyes, Published, as_reference, listed};
use crate::shared::{runtime, shared, shared_if_there};

fn scores(seen: Seen) -> Vec<f32> {
    match seen {
        Seen::Scores(scores) => scores,
        other => panic!("not a classifier: {other:?}"),
    }
}

/// How many of the single objects SqueezeNet names rightly, with `edit` made to its manifest.
#[expect(clippy::print_stdout, reason = "says how many")]
fn named(edit: Option<(&str, &str)>) -> Option<(usize, usize)> {
    let (published, pictures) = (Published::new("squeezenet-fp16")?, listed("images/imagenet-mini/labels.csv")?);
    if let Some((from, to)) = edit {
        published.edit(from, to);
    }
    let mut eyes = published.load()?;
    let (mut right, mut all) = (0, 0);
    for (file, columns) in &pictures {
        let scores = scores(eyes.look(&still(&fs::read(file).unwrap()).unwrap()));
        let sum: f32 = scores.iter().sum();
        assert!((sum - 1.0).abs() < 0.01, "{}: scores add up to {sum}", columns[0]);
        let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        right += usize::from(columns[1].split('|').any(|id| id == best.to_string()));
        all += 1;
    }
    println!(
        "squeezenet-fp16{}: {right} of {all} right",
        edit.map_or(String::new(), |(_, to)| format!(" with `{to}`"))
    );
    Some((right, all))
}

#[test]
fn a_half_precision_classifier_names_single_objects() {
    let Some((right, all)) = named(None) else { return };
    assert!(all == 21 && right >= 19, "{right} of {all}");
    let Some((right, _)) = named(Some(("color = \"bgr\"", "color = \"rgb\""))) else { return };
    assert!(right < 19, "{right} are named rightly in wrong colours, too");
}

#[test]
#[expect(clippy::print_stdout, reason = "says how close, and how often")]
fn the_wake_word_classifier_agrees_with_golden() {
    let (Some(golden), Some(frames)) = (shared("tools/golden.json"), listed("images/frames/labels.csv")) else {
        return;
    };
    let Some(mut eyes) = Published::new("vww-96").and_then(|published| published.load()) else { return };
    let golden: BTreeMap<String, Value> = serde_json::from_str(&fs::read_to_string(golden).unwrap()).unwrap();
    let (mut compared, mut worst) = (0, 0.0_f64);
    for (picture, expected) in &golden {
        let Some(file) = shared_if_there(picture) else { continue };
        let person = f64::from(scores(eyes.look(&as_reference(&file)))[1]);
        worst = worst.max((person - expected["vww_person_prob"].as_f64().unwrap()).abs());
        compared += 1;
    }
    let (mut right, mut all) = (0, 0);
    for (file, columns) in frames.iter().filter(|(file, columns)| columns[3] != "-1" && file.exists()) {
        let person = scores(eyes.look(&still(&fs::read(file).unwrap()).unwrap()))[1] >= 0.5;
        right += usize::from(person == (columns[3] == "1"));
        all += 1;
    }
    println!(
        "vww-96: golden probabilities within {worst:.3} on {compared} pictures; right about {right} of {all} frames, {:.3}",
        right as f64 / all as f64
    );
    assert!(compared >= 22, "{compared} pictures are too few");
    assert!(worst < 0.1, "{worst}");
}

/// A picture of one colour.
fn flat(color: [u8; 3]) -> Frame {
    let mut png = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(32, 32, image::Rgb(color)).write_to(&mut png, image::ImageFormat::Png).unwrap();
    still(png.get_ref()).unwrap()
}

#[test]
fn pictures_that_go_together_get_what_each_gets_alone() {
    let Some(mut eyes) = Eyes::of_fixture("batch-free") else { return };
    assert!(eyes.loaded.model.is_batchable());
    let frames = [[200, 30, 30], [20, 220, 40], [10, 10, 250]].map(flat);
    let alone = frames.each_ref().map(|frame| eyes.look(frame));
    assert_ne!(alone[0], alone[1], "they differ");
    assert_eq!(eyes.look_together(&frames), alone);
}

#[test]
fn a_graph_with_a_fixed_batch_is_not_batchable() {
    let Some(eyes) = Published::new("squeezenet-fp16").and_then(|published| published.load()) else { return };
    assert!(!eyes.loaded.model.is_batchable());
}

/// It declares a free batch axis, and fails on two pictures.
#[test]
fn a_graph_that_only_says_so_is_not_batchable_either() {
    let Some(mut eyes) = Eyes::of_fixture("faulty/batch-stuck") else { return };
    assert!(!eyes.loaded.model.is_batchable());
    assert!(matches!(eyes.look(&flat([200, 30, 30])), Seen::Scores(_)));
}

#[test]
fn numbers_that_are_none_are_no_answer() {
    let Some(mut eyes) = Eyes::of_fixture("faulty/classifier-nan-when-bright") else { return };
    assert!(matches!(eyes.look(&flat([0, 0, 0])), Seen::Scores(_)));
    assert_eq!(eyes.look(&flat([255, 255, 255])), Seen::NotANumber);
}

#[test]
fn a_model_that_never_gives_numbers_is_refused_before_anybody_relies_on_it() {
    let Some(runtime) = runtime() else { return };
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models/faulty/classifier-nan");
    let folder = Folder::open(&Name::new("m").unwrap(), Some(&at), Path::new("/nowhere")).unwrap();
    let refused = load(runtime, &folder, 1).err().expect("it is of no use");
    assert!(!refused.may_heal());
    assert_eq!(
        refused.to_string(),
        "model `m`: `classifier-nan.onnx` gives numbers that aren't numbers for a trial picture; \
         use another precision of this model (fp32 or int8)"
    );
}
