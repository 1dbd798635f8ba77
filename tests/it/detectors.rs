//! Every published detector against the boxes that its reference implementation gives, and what they are good for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use stakeout::frame::Frame;
use stakeout::judge::{Detection, Seen, calibrated};
use stakeout::picture::still;

use crate::published::{Eyes, Published, as_reference, listed};
use crate::shared::{shared, shared_if_there};

/// How far a box may be off: pixels of the picture, and its score.
const PIXELS: f32 = 2.0;
const SCORE: f32 = 0.02;

/// A detector: its folder in `models/`, its name among the golden values, above which score those were listed.
struct Detector {
    folder: &'static str,
    golden: &'static str,
    threshold: f32,
}

const YOLOX: Detector = Detector { folder: "yolox-nano", golden: "yolox_nano", threshold: 0.3 };
const NANODET: Detector = Detector { folder: "nanodet-m-416", golden: "nanodet_m_416", threshold: 0.4 };
const HELMET: Detector = Detector { folder: "nanodet-helmet-jacket", golden: "nanodet_helmet_jacket", threshold: 0.4 };
const FACES: Detector = Detector { folder: "ultraface-rfb-320", golden: "ultraface-RFB-320", threshold: 0.7 };

#[derive(Clone, Deserialize)]
struct GoldenBox {
    class: String,
    score: f32,
    #[serde(rename = "box")]
    bounds: [f32; 4],
}

/// The golden boxes of a detector, by picture; pictures that are not there are left out.
fn golden(detector: &Detector) -> Option<Vec<(String, Vec<GoldenBox>)>> {
    let text = fs::read_to_string(shared("tools/golden.json")?).unwrap();
    let all: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_str(&text).unwrap();
    let there = all.into_iter().filter(|(picture, _)| shared_if_there(picture).is_some());
    let boxes = |mut of: BTreeMap<String, Value>| serde_json::from_value(of.remove(detector.golden).unwrap()).unwrap();
    Some(there.map(|(picture, of)| (picture, boxes(of))).collect())
}

/// How what was seen compares with what is golden.
#[derive(Default)]
struct Comparison {
    alike: usize,
    worst_pixels: f32,
    worst_score: f32,
    /// On one side only, with a score so near to the threshold that a difference within the tolerance puts it on the other.
    at_threshold: Vec<String>,
    /// Everything else.
    wrong: Vec<String>,
}

impl Comparison {
    /// Each golden box takes the nearest box of its label that no better one has taken.
    fn look(&mut self, eyes: &mut Eyes, detector: &Detector, picture: &str, golden: &[GoldenBox]) {
        let frame = as_reference(&shared_if_there(picture).unwrap());
        let seen = things(eyes, &frame);
        let size = [frame.width as f32, frame.height as f32];
        let near_threshold = |score: f32| score < detector.threshold + SCORE;
        let mut left: Vec<&Detection> = seen.iter().collect();
        for wanted in golden {
            let said = format!("{picture}: {} of {:.3}", wanted.class, wanted.score);
            let alike = left.iter().enumerate().filter(|(_, seen)| seen.label == eyes.label(&wanted.class));
            let distances = alike.map(|(index, seen)| (index, pixels_off(seen, wanted, size)));
            match distances.min_by(|a, b| a.1.total_cmp(&b.1)) {
                Some((index, pixels)) if pixels <= PIXELS => {
                    let off = (left.remove(index).score - wanted.score).abs();
                    self.alike += 1;
                    self.worst_pixels = self.worst_pixels.max(pixels);
                    self.worst_score = self.worst_score.max(off);
                    if off > SCORE {
                        self.wrong.push(format!("{said} scores {off:.3} off"));
                    }
                }
                _ if near_threshold(wanted.score) => self.at_threshold.push(format!("{said} is missing")),
                nearest => self.wrong.push(format!("{said} is missing, the nearest is {nearest:.1?} px off")),
            }
        }
        for stranger in left {
            let said = format!("{picture}: label {} of {:.3} is new", stranger.label, stranger.score);
            if near_threshold(stranger.score) { self.at_threshold.push(said) } else { self.wrong.push(said) }
        }
    }
}

/// The largest distance between edges.
fn pixels_off(seen: &Detection, golden: &GoldenBox, size: [f32; 2]) -> f32 {
    let edge = |edge: usize| {
        let side = size[edge % 2];
        (seen.bounds[edge] * side - golden.bounds[edge].clamp(0.0, side)).abs()
    };
    (0..4).map(edge).fold(0.0, f32::max)
}

fn things(eyes: &mut Eyes, frame: &Frame) -> Vec<Detection> {
    match eyes.look(frame) {
        Seen::Detections(things) => things,
        other => panic!("not a detector: {other:?}"),
    }
}

/// What `detector` sees beside what is golden; None where something is absent.
#[expect(clippy::print_stdout, reason = "says how close")]
fn compared(detector: &Detector) -> Option<Comparison> {
    let (mut eyes, golden) = (Published::new(detector.folder)?.load()?, golden(detector)?);
    let mut comparison = Comparison::default();
    for (picture, wanted) in &golden {
        comparison.look(&mut eyes, detector, picture, wanted);
    }
    let Comparison { alike, worst_pixels, worst_score, at_threshold, wrong } = &comparison;
    println!(
        "{}: {alike} boxes on {} pictures, worst {worst_pixels:.2} px and {worst_score:.4}; at the threshold: {}; wrong: {}",
        detector.folder,
        golden.len(),
        at_threshold.len(),
        wrong.len(),
    );
    at_threshold.iter().chain(wrong).for_each(|line| println!("  {line}"));
    Some(comparison)
}

/// The first thing that is wrong when `from` is `to` in the manifest of `detector`.
fn first_wrong(detector: &Detector, from: &str, to: &str) -> Option<Option<String>> {
    let (published, golden) = (Published::new(detector.folder)?, golden(detector)?);
    published.edit(from, to);
    let mut eyes = published.load()?;
    let mut comparison = Comparison::default();
    Some(golden.iter().find_map(|(picture, wanted)| {
        comparison.look(&mut eyes, detector, picture, wanted);
        comparison.wrong.first().cloned()
    }))
}

/// All golden boxes of the 22 pictures that there are, and no others.
fn agrees(detector: &Detector, boxes: usize, at_threshold: usize) {
    let Some(comparison) = compared(detector) else { return };
    assert_eq!(comparison.wrong, Vec::<String>::new());
    assert!(comparison.at_threshold.len() <= at_threshold, "{:?}", comparison.at_threshold);
    assert!(comparison.alike + comparison.at_threshold.len() >= boxes, "only {} boxes", comparison.alike);
}

#[test]
fn yolox_sees_the_golden_boxes() {
    agrees(&YOLOX, 103, 0);
}

#[test]
fn nanodet_sees_the_golden_boxes() {
    agrees(&NANODET, 93, 0);
}

#[test]
fn the_joined_nanodet_sees_the_golden_boxes() {
    agrees(&HELMET, 6, 1);
}

#[test]
fn ultraface_sees_the_golden_boxes() {
    agrees(&FACES, 18, 0);
}

/// What makes the comparison worth something: each of these is a plausible manifest, and each is told from the right one.
#[test]
fn a_manifest_that_is_wrong_in_one_way_does_not_agree() {
    for (detector, from, to) in [
        (&YOLOX, "filter = \"bilinear\"", "filter = \"lanczos\""),
        (&YOLOX, "color = \"bgr\"", "color = \"rgb\""),
        (&YOLOX, "resize = \"letterbox-top-left\"", "resize = \"letterbox\""),
        (&NANODET, "filter = \"bilinear\"", "filter = \"bicubic\""),
        (&NANODET, "color = \"bgr\"", "color = \"rgb\""),
        (&HELMET, "resize = \"squash\"", "resize = \"letterbox\""),
        (&FACES, "mean = [127, 127, 127]", "mean = [0, 0, 0]"),
    ] {
        let Some(wrong) = first_wrong(detector, from, to) else { return };
        assert!(wrong.is_some(), "{} agrees with `{to}`", detector.folder);
    }
}

#[derive(Deserialize)]
struct Reference {
    tolerance_pixels: f32,
    tolerance_score: f32,
    pictures: Vec<ReferencePicture>,
}

#[derive(Deserialize)]
struct ReferencePicture {
    image: String,
    detections: Vec<ReferenceBox>,
}

#[derive(Deserialize)]
struct ReferenceBox {
    label: String,
    score: f32,
    #[serde(rename = "box")]
    bounds: [f32; 4],
}

/// Heads of which there is no small published file, on graphs of our own (scripts/fixtures/detectors.py).
#[test]
fn heads_of_other_exports_agree_with_their_reference() {
    for name in ["yolov8", "yolov5", "boxes-pair", "boxes-rows", "boxes-normalised", "detr"] {
        let Some(mut eyes) = Eyes::of_fixture(&format!("detectors/{name}")) else { return };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models/detectors").join(name);
        let reference = fs::read_to_string(folder.join("goldens.json")).unwrap();
        let reference: Reference = serde_json::from_str(&reference).unwrap();
        for ReferencePicture { image, detections } in &reference.pictures {
            let frame = still(&fs::read(folder.join(image)).unwrap()).unwrap();
            let size = [frame.width as f32, frame.height as f32];
            let seen = things(&mut eyes, &frame);
            assert_eq!(seen.len(), detections.len(), "{name}, {image}: {seen:?}");
            for (seen, wanted) in seen.iter().zip(detections) {
                let golden = GoldenBox { class: wanted.label.clone(), score: wanted.score, bounds: wanted.bounds };
                let (pixels, score) = (pixels_off(seen, &golden, size), (seen.score - wanted.score).abs());
                assert_eq!(seen.label, eyes.label(&wanted.label), "{name}, {image}");
                assert!(pixels <= reference.tolerance_pixels, "{name}, {image}: {pixels} px off");
                assert!(score <= reference.tolerance_score, "{name}, {image}: {score} off");
            }
        }
    }
}

/// How often a monitor of `detector` with the confidence threshold 0.4 is right about whether anybody is on a frame of the
/// clips. Says also how often the model's own scores would be, without the manifest's calibration.
#[expect(clippy::print_stdout, reason = "says how often")]
fn person_present(detector: &Detector) -> Option<f64> {
    let (mut eyes, frames) = (Published::new(detector.folder)?.load()?, listed("images/frames/labels.csv")?);
    let (person, calibration) = (eyes.label("person"), eyes.loaded.model.calibration());
    let (mut right, mut right_as_scored, mut all) = (0, 0, 0);
    for (file, columns) in frames.iter().filter(|(file, columns)| columns[3] != "-1" && file.exists()) {
        let seen = things(&mut eyes, &still(&fs::read(file).unwrap()).unwrap());
        let persons = seen.iter().filter(|thing| thing.label == person);
        let best = persons.map(|thing| thing.score).fold(0.0, f32::max);
        let truth = columns[3] == "1";
        right += usize::from((best > 0.0 && calibrated(best, calibration) >= 0.4) == truth);
        right_as_scored += usize::from((best >= 0.4) == truth);
        all += 1;
    }
    let share = |right: usize| right as f64 / all as f64;
    println!(
        "{}: right about {right} of {all} frames, {:.3}; as scored {right_as_scored}, {:.3}",
        detector.folder,
        share(right),
        share(right_as_scored),
    );
    assert!(all >= 120, "{all} frames are too few");
    Some(share(right))
}

#[test]
fn yolox_knows_whether_anybody_is_there() {
    let Some(share) = person_present(&YOLOX) else { return };
    assert!(share >= 0.95, "{share}");
}

#[test]
fn nanodet_knows_whether_anybody_is_there() {
    let Some(share) = person_present(&NANODET) else { return };
    assert!(share >= 0.97, "{share}");
}
