//! What a manifest may say, and what is said about one that may not.

use super::*;
use crate::picture::{ColorOrder, Resize};

fn text() -> String {
    let hash = "0".repeat(64);
    format!(
        r#"name = "yolox-nano"
family = "detector"
licence = "Apache-2.0"
source = "hf:org/repo@revision"
[files]
model = {{ path = "yolox_nano.onnx", sha256 = "{hash}" }}
labels = {{ path = "coco80.txt", sha256 = "{hash}" }}
[input]
size = [416, 416]
resize = "letterbox"
pad = 114
color = "bgr"
scale = 1.0
mean = [0, 0, 0]
std = [1, 1, 1]
[output]
head = "yolox"
score_threshold = 0.3
nms_iou = 0.45
[calibration]
temperature = 1.5
bias = -0.5
"#
    )
}

fn head(manifest: &Manifest) -> Head {
    let Kind::Labelled(labelled) = &manifest.kind else { panic!("it reads") };
    labelled.head
}

fn refused(from: &str, to: &str) -> String {
    let text = text();
    assert!(text.contains(from), "{from}");
    Manifest::parse(&text.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn the_contracts_example_is_read() {
    let manifest = Manifest::parse(&text()).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.licence.as_str()), ("yolox-nano", "Apache-2.0"));
    assert_eq!(head(&manifest), Head::Yolox(Detect { score_threshold: 0.3, nms_iou: 0.45 }));
    assert_eq!((manifest.family(), head(&manifest).as_str()), (Family::Detector, "yolox"));
    assert_eq!(manifest.calibration, Calibration { temperature: 1.5, bias: -0.5 });
    let input = &manifest.input;
    assert_eq!((input.size, input.resize, input.color), ([416, 416], Resize::Letterbox, ColorOrder::Bgr));
    assert_eq!((input.pad, input.scale, input.mean, input.std), (114.0, 1.0, [0.0; 3], [1.0; 3]));
}

#[test]
fn what_is_left_out_has_a_default() {
    let mut short = text();
    for line in ["pad = 114\n", "scale = 1.0\n", "mean = [0, 0, 0]\n", "std = [1, 1, 1]\n", "nms_iou = 0.45\n"] {
        short = short.replace(line, "");
    }
    let short = &short[..short.find("[calibration]").unwrap()];
    let manifest = Manifest::parse(short).unwrap();
    assert_eq!((manifest.input.pad, manifest.input.scale, manifest.input.std), (0.0, 1.0, [1.0; 3]));
    assert_eq!(manifest.calibration, Calibration { temperature: 1.0, bias: 0.0 });
    assert_eq!(head(&manifest), Head::Yolox(Detect { score_threshold: 0.3, nms_iou: 0.45 }));
}

#[test]
fn every_head_has_the_defaults_of_its_source() {
    let read = |name: &str| {
        let text = text().replace("head = \"yolox\"", &format!("head = \"{name}\""));
        let text = text.replace("score_threshold = 0.3\nnms_iou = 0.45\n", "");
        head(&Manifest::parse(&text).unwrap())
    };
    let detect = |score_threshold, nms_iou| Detect { score_threshold, nms_iou };
    assert_eq!(read("yolox"), Head::Yolox(detect(0.3, 0.45)));
    assert_eq!(read("yolov8"), Head::Yolov8(detect(0.25, 0.45)));
    assert_eq!(read("nanodet"), Head::Nanodet(detect(0.4, 0.5)));
    assert_eq!(read("ultraface"), Head::Ultraface(detect(0.7, 0.3)));
    assert_eq!(read("boxes"), Head::Boxes(detect(0.3, 1.0), Coordinates::Pixels));
    assert_eq!(read("detr"), Head::Detr(detect(0.5, 1.0)));
}

#[test]
fn what_it_must_not_say() {
    assert_eq!(
        refused("pad = 114", "padding = 114"),
        "`manifest.toml`, line 11: unknown field `padding`, expected one of `size`, `resize`, `filter`, `short_side`, `pad`, `color`, `scale`, \
         `mean`, `std`"
    );
    assert_eq!(refused("resize = \"letterbox\"\n", ""), "`manifest.toml`, line 8: missing field `resize`");
    assert_eq!(
        refused("\"detector\"", "\"oracle\""),
        "`manifest.toml`: unknown family `oracle`; this version knows `classifier`, `detector`, `zero-shot` \
         and `vlm`"
    );
    assert_eq!(
        refused("head = \"yolox\"", "head = \"centernet\""),
        "`manifest.toml`: unknown head `centernet`; this version knows `softmax`, `sigmoid`, `probabilities`, `yolox`, \
         `yolov8`, `nanodet`, `ultraface`, `boxes` and `detr`"
    );
    assert_eq!(
        refused("nms_iou = 0.45", "nms_iou = 1.45"),
        "`manifest.toml`: `[output] nms_iou` must be a number from 0 to 1"
    );
    assert_eq!(
        refused("head = \"yolox\"", "head = \"detr\""),
        "`manifest.toml`: `[output] nms_iou` must be left out by head `detr`, whose boxes are no duplicates"
    );
    assert_eq!(
        refused("nms_iou = 0.45", "coordinates = \"pixels\""),
        "`manifest.toml`: `[output] coordinates` must be left out by all heads but `boxes`"
    );
    assert_eq!(
        refused("\"detector\"", "\"classifier\""),
        "`manifest.toml`: head `yolox` is for a detector, but the family is `classifier`; correct one of them"
    );
    assert_eq!(
        refused("std = [1, 1, 1]", "std = [1, 0, 1]"),
        "`manifest.toml`: `[input] std` must be three numbers other than 0"
    );
    assert_eq!(
        refused("temperature = 1.5", "temperature = 0"),
        "`manifest.toml`: `[calibration] temperature` must be a number above 0"
    );
    assert_eq!(
        refused("yolox_nano.onnx", "../secret"),
        "`manifest.toml`: `[files] model.path` must be a path within the model's folder, plainly written and without \\, ?, # and %"
    );
    assert_eq!(
        refused("head = \"yolox\"", "head = \"yolox"),
        "`manifest.toml`, line 17: invalid basic string, expected `\"`"
    );
}

const READING: &str = r#"
licence = "Apache-2.0"
[input]
size = [512, 512]
resize = "squash"
color = "rgb"
"#;

fn files(names: &[&str]) -> String {
    let entry = |name: &&str| format!("{name} = {{ path = \"{name}.onnx\", sha256 = \"{}\" }}\n", "0".repeat(64));
    format!("[files]\n{}", names.iter().map(entry).collect::<String>())
}

#[test]
fn families_that_read_have_files_and_keys_of_their_own() {
    let parts = ["vision_encoder", "embed_tokens", "decoder", "tokenizer"];
    let vlm = |prompt: &str| {
        let text = format!("name = \"v\"\nfamily = \"vlm\"{READING}{}[prompt]\n{prompt}\n", files(&parts));
        Manifest::parse(&text).map_err(|error| error.to_string())
    };
    let manifest = vlm("style = \"smolvlm\"\nimage_tokens = 64").unwrap();
    assert_eq!(manifest.family(), Family::Vlm);
    assert_eq!(manifest.files().iter().map(|(key, _)| *key).collect::<Vec<_>>(), parts);
    assert_eq!(
        vlm("style = \"smolvlm\"\nimage_tokens = 0").unwrap_err(),
        "`manifest.toml`: `[prompt] image_tokens` must be 1 to 4096"
    );
    assert!(vlm("style = \"smolvlm\"").unwrap_err().ends_with("missing field `image_tokens`"));

    let parts = ["text_model", "vision_model", "tokenizer"];
    let clip = |output: &str| {
        let prompt = "[prompt]\nstyle = \"clip\"\n";
        let text = format!("name = \"c\"\nfamily = \"zero-shot\"{READING}{}{prompt}{output}", files(&parts));
        Manifest::parse(&text).map_err(|error| error.to_string())
    };
    let manifest = clip("[output]\nlogit_scale = 100\n").unwrap();
    let Kind::ZeroShot(of) = &manifest.kind else { panic!("{manifest:?}") };
    assert_eq!((of.style.as_str(), of.logit_scale, of.logit_bias), ("clip", 100.0, 0.0));
    assert!(clip("").unwrap_err().ends_with("missing field `output`"));
    assert_eq!(
        clip("[output]\nlogit_scale = 0\n").unwrap_err(),
        "`manifest.toml`: `[output] logit_scale` must be a number above 0"
    );
}
