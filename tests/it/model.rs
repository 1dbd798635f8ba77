//! Real models on real pictures, and every way in which a model's folder can be wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use stakeout::judge::{Detection, Seen};
use stakeout::model::{Folder, Loaded, Tensor, load};
use stakeout::name::Name;
use stakeout::picture::{Scaler, still};

use crate::shared::{runtime, shared};

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
    let outputs = loaded.engine.run(&input).unwrap();
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

#[test]
fn yolox_sees_the_golden_boxes() {
    let (Some(yard), Some(golden)) = (Yard::yolox(), golden()) else { return };
    let Some(loaded) = yard.load() else { return };
    let mut loaded = loaded.unwrap();
    let mut all = Vec::new();
    for (picture, expected) in &golden {
        let Seen::Detections(seen) = look(&mut loaded, &shared(picture).unwrap()) else { panic!("not a detector") };
        for wanted in &expected.yolox_nano {
            let label = loaded.model.label_index(&wanted.class).unwrap();
            let nearest = seen
                .iter()
                .filter(|seen| seen.label == label)
                .map(|seen| distance(seen, wanted, expected.size))
                .min_by(|a, b| a.0.total_cmp(&b.0));
            println!(
                "{picture} {} {} {:?} {:?} n {} of {}",
                wanted.class,
                wanted.score,
                nearest,
                expected.size,
                seen.len(),
                expected.yolox_nano.len()
            );
            all.push(nearest);
        }
    }
    println!("max {:?}", all.iter().flatten().fold((0f32, 0f32), |a, b| (a.0.max(b.0), a.1.max(b.1))));
}
