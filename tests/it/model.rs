//! Every way in which a model's folder can be wrong.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use stakeout::model::{Folder, Loaded, load};
use stakeout::name::Name;

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
