//! Real models on real pictures, and every way in which a model's folder can be wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use stakeout::judge::{Detection, Seen};
use stakeout::model::{Findings, Folder, Loaded, Tensor, Work, load};
use stakeout::name::Name;
use stakeout::picture::{Scaler, still};

use crate::shared::{runtime, shared, shared_if_there};

const YOLOX_INPUT: &str = r#"
size = [416, 416]
resize = "letterbox-top-left"
pad = 114
color = "bgr"
"#;

/// A model's folder in a temporary place.
struct Yard {
    folder: tempfile::TempDir,
}

impl Yard {
    fn new(family: &str, model: &Path, labels: &str, input: &str, head: &str) -> Yard {
        let folder = tempfile::tempdir().unwrap();
        let file = model.file_name().unwrap().to_str().unwrap();
        fs::write(folder.path().join(file), fs::read(model).unwrap()).unwrap();
        fs::write(folder.path().join("labels.txt"), labels).unwrap();
        let manifest = format!(
            "name = \"m\"\nfamily = \"{family}\"\n[files]\nmodel = {{ path = \"{file}\", sha256 = \"{}\" }}\n\
             labels = {{ path = \"labels.txt\", sha256 = \"{}\" }}\n[input]\n{input}\n[output]\nhead = \"{head}\"\n",
            hash(&fs::read(model).unwrap()),
            hash(labels.as_bytes()),
        );
        fs::write(folder.path().join("manifest.toml"), manifest).unwrap();
        Yard { folder }
    }

    fn yolox() -> Option<Yard> {
        let model = shared("models/yolox_nano.onnx")?;
        let labels = fs::read_to_string(shared("models/coco80_labels.txt")?).unwrap();
        Some(Yard::new("detector", &model, &labels, YOLOX_INPUT, "yolox"))
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.folder.path().join("manifest.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{from}` is not in the manifest");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn open(&self) -> Result<Folder, String> {
        Folder::open(&Name::new("m").unwrap(), Some(self.folder.path()), Path::new("/nowhere"))
            .map_err(|error| error.to_string())
    }

    fn load(&self) -> Option<Result<Loaded, String>> {
        let runtime = runtime()?;
        Some(self.open().and_then(|folder| load(runtime, &folder, 1).map_err(|error| error.to_string())))
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn look(loaded: &mut Loaded, picture: &Path) -> Seen {
    let frame = still(&fs::read(picture).unwrap()).unwrap();
    let mut scaler = Scaler::default();
    let (input, placement) = loaded.model.prepare(&mut scaler, &frame, Tensor::default()).unwrap();
    let work = Work { pictures: vec![input], asked: Vec::new() };
    let Findings::Numbers(outputs) = loaded.engine.examine(&work).unwrap() else { panic!("it reads") };
    loaded.model.interpret(&outputs, &placement).unwrap()
}

#[derive(Deserialize)]
struct Golden {
    size: [f32; 2],
    yolox_nano: Vec<GoldenBox>,
    vww_person_prob: f32,
}

#[derive(Deserialize)]
struct GoldenBox {
    class: String,
    score: f32,
    #[serde(rename = "box")]
    bounds: [f32; 4],
}

fn golden() -> Option<BTreeMap<String, Golden>> {
    let text = fs::read_to_string(shared("tools/golden.json")?).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// How far a detection lies from a golden box: the largest distance of an edge in pixels, and of the score.
fn distance(seen: &Detection, golden: &GoldenBox, size: [f32; 2]) -> (f32, f32) {
    let edges = (0..4).map(|edge| {
        let side = size[edge % 2];
        (seen.bounds[edge] * side - golden.bounds[edge].clamp(0.0, side)).abs()
    });
    (edges.fold(0.0, f32::max), (seen.score - golden.score).abs())
}

/// Intersection over union of a detection and a golden box, in pixels.
fn overlap(seen: &Detection, golden: &GoldenBox, size: [f32; 2]) -> f32 {
    let a: [f32; 4] = std::array::from_fn(|edge| seen.bounds[edge] * size[edge % 2]);
    let b: [f32; 4] = std::array::from_fn(|edge| golden.bounds[edge].clamp(0.0, size[edge % 2]));
    let area = |of: [f32; 4]| (of[2] - of[0]).max(0.0) * (of[3] - of[1]).max(0.0);
    let common = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    common / (area(a) + area(b) - common)
}

#[test]
#[expect(clippy::print_stdout, reason = "says how close")]
fn yolox_sees_the_golden_boxes() {
    let (Some(yard), Some(golden)) = (Yard::yolox(), golden()) else { return };
    let Some(loaded) = yard.load() else { return };
    let mut loaded = loaded.unwrap();
    let (mut checked, mut close, mut worst, mut strangers) = (0, 0, (0.0_f32, 0.0_f32), 0);
    for (picture, expected) in &golden {
        let Some(file) = shared_if_there(picture) else { continue };
        let Seen::Detections(seen) = look(&mut loaded, &file) else { panic!("not a detector") };
        // A box on the threshold may fall to either side of it: the decoders of JPEG differ by a level here and there.
        for wanted in expected.yolox_nano.iter().filter(|wanted| wanted.score > 0.32) {
            let label = loaded.model.label_index(&wanted.class).unwrap();
            let same = seen.iter().filter(|seen| seen.label == label);
            let best =
                same.max_by(|a, b| overlap(a, wanted, expected.size).total_cmp(&overlap(b, wanted, expected.size)));
            let best = best.unwrap_or_else(|| panic!("{picture}: no {} of {}", wanted.class, wanted.score));
            let (pixels, score) = distance(best, wanted, expected.size);
            assert!(overlap(best, wanted, expected.size) > 0.85, "{picture}: {} is {pixels} px off", wanted.class);
            assert!(score < 0.05, "{picture}: {} of {} scores {}", wanted.class, wanted.score, best.score);
            checked += 1;
            close += usize::from(pixels <= 2.0 && score <= 0.02);
            worst = (worst.0.max(pixels), worst.1.max(score));
        }
        let sure = |score: f32| score > 0.36;
        let expected_sure = expected.yolox_nano.iter().filter(|wanted| sure(wanted.score)).count();
        strangers += seen.iter().filter(|seen| sure(seen.score)).count().abs_diff(expected_sure);
    }
    println!(
        "{close} of {checked} within 2 px and 0.02; worst {:.1} px, {:.3}; {strangers} more or less",
        worst.0, worst.1
    );
    // Of the 7 that aren't, 2 are ties between neighbouring cells that the reference itself breaks either way, 2 are on the
    // one picture that is scaled down more than five times (as an area, see `Filter`), 3 come from another JPEG decoder.
    assert!(checked > 80 && close * 100 >= checked * 90, "{close} of {checked}");
    assert!(strangers <= 3, "{strangers} sure boxes more or less than golden");
}

#[test]
#[expect(clippy::print_stdout, reason = "says how close")]
fn the_wake_word_classifier_agrees_with_golden() {
    let (Some(model), Some(golden)) = (shared("models/vww_mobilenetv1_025_96.onnx"), golden()) else { return };
    let input = "size = [96, 96]\nresize = \"squash\"\ncolor = \"rgb\"\nstd = [255, 255, 255]";
    let Some(loaded) = Yard::new("classifier", &model, "nobody\nperson\n", input, "probabilities").load() else {
        return;
    };
    let mut loaded = loaded.unwrap();
    let (mut compared, mut worst) = (0, 0.0_f32);
    for (picture, expected) in &golden {
        let Some(file) = shared_if_there(picture) else { continue };
        let Seen::Scores(scores) = look(&mut loaded, &file) else { panic!("not a classifier") };
        worst = worst.max((scores[1] - expected.vww_person_prob).abs());
        compared += 1;
    }
    println!("worst {worst:.3}");
    assert!(compared >= 20, "{compared} pictures are too few");
    assert!(worst < 0.1, "{worst}");
}

#[test]
#[expect(clippy::print_stdout, reason = "says how many")]
fn a_half_precision_classifier_names_single_objects() {
    let (Some(model), Some(names)) = (shared("models/SqueezeNet_fp16.onnx"), shared("models/imagenet_labels.txt"))
    else {
        return;
    };
    let Some(list) = shared("images/imagenet-mini/labels.csv") else { return };
    let input = "size = [224, 224]\nresize = \"crop\"\ncolor = \"bgr\"\nmean = [104, 117, 123]";
    let yard = Yard::new("classifier", &model, &fs::read_to_string(names).unwrap(), input, "probabilities");
    let Some(loaded) = yard.load() else { return };
    let mut loaded = loaded.unwrap();
    let (mut right, mut all) = (0, 0);
    for line in fs::read_to_string(&list).unwrap().lines().skip(1) {
        let mut columns = line.split(',');
        let (name, acceptable) = (columns.next().unwrap(), columns.next().unwrap());
        let Seen::Scores(scores) = look(&mut loaded, &list.with_file_name(name)) else { panic!("not a classifier") };
        let sum: f32 = scores.iter().sum();
        assert!((sum - 1.0).abs() < 0.01, "{name}: scores add up to {sum}");
        let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        right += usize::from(acceptable.split('|').any(|id| id == best.to_string()));
        all += 1;
    }
    println!("{right} of {all} right");
    assert!(all >= 20 && right * 4 >= all * 3, "{right} of {all}");
}

const TINY: &str = "size = [96, 96]\nresize = \"squash\"\ncolor = \"rgb\"";

/// A folder whose file is not a model at all; enough for everything that is refused before a session is created.
fn paper() -> Yard {
    let source = tempfile::NamedTempFile::with_suffix(".onnx").unwrap();
    fs::write(source.path(), b"this is no protobuf").unwrap();
    let file = source.path().with_file_name("f.onnx");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(file.file_name().unwrap());
    fs::copy(source.path(), &file).unwrap();
    Yard::new("classifier", &file, "no\nyes\n", TINY, "softmax")
}

#[test]
fn a_wrong_hash_is_told_before_a_session_exists() {
    let yard = paper();
    assert!(yard.open().is_ok());
    fs::write(yard.folder.path().join("f.onnx"), b"something else").unwrap();
    assert_eq!(
        yard.open().unwrap_err(),
        format!(
            "model `m`: `f.onnx` has SHA-256 {}, the manifest says {}; copy the model's folder again, \
             or correct the SHA-256 in manifest.toml",
            hash(b"something else"),
            hash(b"this is no protobuf"),
        )
    );
}

#[test]
fn a_corrupt_file_is_told() {
    let Some(loaded) = paper().load() else { return };
    assert_eq!(
        loaded.err().unwrap(),
        "model `m`: `f.onnx` isn't a model that ONNX Runtime can load: Protobuf parsing failed; \
         copy the model's folder again, or export it anew"
    );
}

#[test]
fn a_truncated_model_is_told() {
    let Some(model) = shared("models/yolox_nano.onnx") else { return };
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("f.onnx");
    let whole = fs::read(model).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let Some(loaded) = Yard::new("detector", &cut, "person\n", YOLOX_INPUT, "yolox").load() else { return };
    assert_eq!(
        loaded.err().unwrap(),
        "model `m`: `f.onnx` isn't a model that ONNX Runtime can load: Protobuf parsing failed; \
         copy the model's folder again, or export it anew"
    );
}

#[test]
fn a_missing_folder_and_a_missing_file_are_told() {
    let name = Name::new("x").unwrap();
    assert_eq!(
        Folder::open(&name, None, Path::new("/nowhere")).unwrap_err().to_string(),
        "model `x`: there is no `x/manifest.toml` in `/nowhere/models`, `/usr/share/stakeout/models`, `./models`; \
         copy its folder into one of them, or give its `path`"
    );
    let yard = paper();
    fs::remove_file(yard.folder.path().join("labels.txt")).unwrap();
    assert_eq!(
        yard.open().unwrap_err(),
        format!(
            "model `m`: `{}` can't be read: No such file or directory (os error 2); \
             check the path and its permissions, or copy the model's folder again",
            yard.folder.path().join("labels.txt").display(),
        )
    );
}

#[test]
fn a_model_is_found_in_the_state_directory() {
    let yard = paper();
    let storage = tempfile::tempdir().unwrap();
    fs::create_dir(storage.path().join("models")).unwrap();
    fs::rename(yard.folder.path(), storage.path().join("models/gate")).unwrap();
    let folder = Folder::open(&Name::new("gate").unwrap(), None, storage.path()).unwrap();
    assert_eq!(folder.identity.name.as_str(), "gate");
    assert_eq!(folder.identity.sha256, hash(b"this is no protobuf"));
    assert_eq!(folder.labels, ["no", "yes"]);
}

#[test]
fn labels_that_the_graph_does_not_have_are_told() {
    let (Some(model), Some(runtime)) = (shared("models/yolox_nano.onnx"), runtime()) else { return };
    let short = Yard::new("detector", &model, "person\ncar\n", YOLOX_INPUT, "yolox");
    assert_eq!(
        short.load().unwrap().err().unwrap(),
        "model `m`: `yolox_nano.onnx` tells 80 labels apart, but `labels.txt` has 2; correct the labels"
    );
    let yard = Yard::yolox().unwrap();
    let loaded = load(runtime, &yard.open().unwrap(), 1).unwrap();
    assert_eq!(
        loaded.model.label_index("persn").unwrap_err().to_string(),
        "model `m` has no label `persn`; the nearest it has: `person`"
    );
}

#[test]
fn a_graph_that_is_not_what_the_manifest_says_is_told() {
    let (Some(yard), Some(_)) = (Yard::yolox(), runtime()) else { return };
    yard.edit("size = [416, 416]", "size = [640, 384]");
    assert_eq!(
        yard.load().unwrap().err().unwrap(),
        "model `m`: `yolox_nano.onnx` takes f32 [1, 3, 416, 416], but `[input] size` says f32 [1, 3, 384, 640]; \
         correct the manifest"
    );
    yard.edit("size = [640, 384]", "size = [416, 416]");
    yard.edit("family = \"detector\"", "family = \"classifier\"");
    yard.edit("head = \"yolox\"", "head = \"softmax\"");
    assert_eq!(
        yard.load().unwrap().err().unwrap(),
        "model `m`: `yolox_nano.onnx` gives f32 [1, 3549, 85], but head `softmax` reads \
         f32 [1, 80] or f32 [1, 80, 1, 1]; correct `[output] head`"
    );
}
