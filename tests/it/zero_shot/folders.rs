//! Folders of zero-shot models that are wrong in one way each, and what is said about them, to the letter.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use stakeout::model::load;

use super::{fixture, folder};
use crate::shared::runtime;

/// A copy of a fixture with changes in its manifest.
pub(super) fn edited(model: &str, edits: &[(&str, &str)]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("onnx")).unwrap();
    for file in ["manifest.toml", "tokenizer.json", "onnx/text_model.onnx", "onnx/vision_model.onnx"] {
        fs::copy(fixture(model).join(file), copy.path().join(file)).unwrap();
    }
    let manifest = copy.path().join("manifest.toml");
    let mut text = fs::read_to_string(&manifest).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "`{from}` is not in the manifest");
        text = text.replace(from, to);
    }
    fs::write(manifest, text).unwrap();
    copy
}

/// Puts a file of `from` into `into`, with its hash in the manifest.
fn exchange(into: &Path, file: &str, from: &str, named: &str) {
    let hash = |path: &Path| hex::encode(Sha256::digest(fs::read(path).unwrap()));
    let (old, manifest) = (hash(&into.join(file)), into.join("manifest.toml"));
    fs::copy(fixture(from).join(named), into.join(file)).unwrap();
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace(&old, &hash(&into.join(file)))).unwrap();
}

/// What is said when the folder is loaded.
fn refused(path: &Path) -> Option<String> {
    let (runtime, storage) = (runtime()?, tempfile::tempdir().unwrap());
    let name = stakeout::name::Name::new("m").unwrap();
    let opened = stakeout::model::Folder::open(&name, Some(path), storage.path());
    let loaded = opened.and_then(|folder| load(runtime, &folder, 1));
    Some(loaded.err().expect("it can't be used").to_string())
}

#[test]
fn the_fixtures_themselves_load() {
    let Some(runtime) = runtime() else { return };
    for model in super::MODELS {
        let storage = tempfile::tempdir().unwrap();
        load(runtime, &folder(&fixture(model), storage.path()), 1).unwrap();
    }
}

#[test]
fn what_the_manifest_must_say() {
    for (from, to, told) in [
        ("logit_scale = 100.0\n", "", "model `m`: `manifest.toml`, line 25: missing field `logit_scale`"),
        (
            "style = \"clip\"",
            "style = \"blip\"",
            "model `m`: `[prompt] style` is `blip`, and this version knows `clip`, `siglip`, `siglip2`; correct the manifest",
        ),
        (
            "style = \"clip\"",
            "style = \"siglip\"",
            "model `m`: `tokenizer.json` has no token `</s>`, which style `siglip` needs; \
             copy the tokenizer of this model, or correct `[prompt] style`",
        ),
        (
            "length = 32",
            "length = 33",
            "model `m`: `text_model.onnx` can't take a text of 33 tokens (Non-zero status code returned while running ",
        ),
        (
            "size = [48, 48]",
            "size = [64, 48]",
            "model `m`: `vision_model.onnx` takes f32 [?, 3, 48, 48], but f32 [batch, 3, 48, 64] (`[input] size`) is needed; \
             correct `[files]` and `[input]`, or export the model with its published names",
        ),
        (
            "onnx/text_model.onnx\", sha256 = \"f46f66f83e7640bd025f2a1aa1c07834f9dc0906d2ef20af4fb546d0a02a60aa",
            "onnx/vision_model.onnx\", sha256 = \"602ebd5d52ca6d1a101763eae43507d1096755e4a3042e9b69f93e40885554d5",
            "model `m`: `vision_model.onnx` takes f32 [?, 3, 48, 48], but i64 `input_ids` [batch, length], \
             and at most `attention_mask` beside it, is needed; correct `[files]` and `[input]`, or export the model with its \
             published names",
        ),
    ] {
        let Some(said) = refused(edited("tiny-clip", &[(from, to)]).path()) else { return };
        assert!(said.starts_with(told), "{said}\n{told}");
    }
}

#[test]
fn halves_of_different_models_are_told() {
    let Some(said) = refused(&fixture("faulty/widths-differ")) else { return };
    assert_eq!(
        said,
        "model `m`: `text_model.onnx` gives 16 numbers a description, `vision_model.onnx` 24 a picture, \
         so they can't be compared; use two files of one export"
    );
}

#[test]
fn the_tokenizer_of_another_model_is_told() {
    // SigLIP 2's vocabulary has more tokens than tiny SigLIP's text model has rows; here it passes for SigLIP's.
    let large = edited("tiny-siglip", &[("style = \"siglip\"", "style = \"siglip2\"")]);
    exchange(large.path(), "tokenizer.json", "tiny-siglip2", "tokenizer.json");
    let Some(said) = refused(large.path()) else { return };
    assert!(said.starts_with("model `m`: `text_model.onnx` has no row for token "), "{said}");
    assert!(said.ends_with("; copy the tokenizer of this model"), "{said}");

    // CLIP's tokenizer without the marks that it puts around a text.
    let bare = edited("tiny-clip", &[]);
    let file = bare.path().join("tokenizer.json");
    let mut tokenizer: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    tokenizer["post_processor"] = serde_json::Value::Null;
    let old = hex::encode(Sha256::digest(fs::read(&file).unwrap()));
    fs::write(&file, tokenizer.to_string()).unwrap();
    let manifest = bare.path().join("manifest.toml");
    let new = hex::encode(Sha256::digest(fs::read(&file).unwrap()));
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap().replace(&old, &new)).unwrap();
    let Some(said) = refused(bare.path()) else { return };
    assert!(said.starts_with("model `m`: `tokenizer.json` turns \"a photo of a cat\" into ["), "{said}");
    assert!(said.contains("but style `clip` needs [692, "), "{said}");

    fs::write(&file, "{}").unwrap();
    let nothing = hex::encode(Sha256::digest("{}"));
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap().replace(&new, &nothing)).unwrap();
    let Some(said) = refused(bare.path()) else { return };
    assert!(said.starts_with("model `m`: `tokenizer.json` can't be used: "), "{said}");
    assert!(said.ends_with("; copy the model's folder again"), "{said}");
}

/// It declares a free batch axis, and fails on two pictures: zones would fail on every frame.
#[test]
fn a_vision_model_that_only_says_so_gets_one_picture_at_a_time() {
    let Some((mut engine, model, _storage)) = super::open(&fixture("faulty/pictures-stuck")) else { return };
    let [rows, columns] = model.input().size.map(|side| side as usize);
    let picture = |level: f32| stakeout::model::Tensor {
        shape: vec![1, 3, rows, columns],
        data: vec![level; 3 * rows * columns],
    };
    let views = engine.pictures(&[picture(0.2), picture(-0.7)]).unwrap();
    assert_eq!(views.len(), 2);
    assert_ne!(views[0], views[1]);
}
