//! Vectors of descriptions are worked out once: the text model is not even there when they are needed again.

use std::fs;
use std::path::{Path, PathBuf};

use stakeout::model::{Findings, Folder, Kind, Loaded, Work, load};
use stakeout::picture::Scaler;

use super::{Goldens, asked, fixture, folder, folders};
use crate::shared::runtime;

/// A model in a place of its own, with a state directory.
struct Place {
    model: tempfile::TempDir,
    storage: tempfile::TempDir,
    folder: Folder,
}

impl Place {
    fn new() -> Place {
        let (model, storage) = (folders::edited("tiny-siglip2", &[]), tempfile::tempdir().unwrap());
        let folder = folder(model.path(), storage.path());
        Place { model, storage, folder }
    }

    fn load(&self) -> Option<Result<Loaded, String>> {
        Some(load(runtime()?, &self.folder, 1).map_err(|error| error.to_string()))
    }

    fn lose_the_text_model(&self) {
        fs::remove_file(self.model.path().join("onnx/text_model.onnx")).unwrap();
    }

    fn vectors(&self) -> Vec<PathBuf> {
        let root = self.storage.path().join("cache/text-vectors");
        let Ok(models) = root.read_dir() else { return Vec::new() };
        models.flat_map(|model| model.unwrap().path().read_dir().unwrap()).map(|file| file.unwrap().path()).collect()
    }
}

fn ask(loaded: &mut Loaded) -> Result<f32, String> {
    let goldens = Goldens::of("tiny-siglip2");
    let asked = vec![asked(&["a bright picture"], &["a dark picture"], &[])];
    let mut work = Work { pictures: Vec::new(), asked };
    let frame = goldens.frame("tiny-siglip2", &goldens.images[0]);
    loaded.model.show(&mut Scaler::default(), &frame, &mut work).unwrap();
    match loaded.engine.examine(&work) {
        Ok(Findings::Scored(scored)) => Ok(scored[0].z),
        Ok(Findings::Numbers(_)) => panic!("it compares"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_description_that_was_read_once_needs_no_text_model() {
    let place = Place::new();
    let Some(first) = place.load() else { return };
    let mut first = first.unwrap();
    assert!(place.vectors().is_empty(), "`check` loads, and writes nothing");
    assert_eq!(first.rungs.len(), 2);
    let z = ask(&mut first).unwrap();
    assert_eq!(place.vectors().len(), 3, "two descriptions, and the one it was tried with");

    place.lose_the_text_model();
    assert_eq!(ask(&mut first), Ok(z), "in memory");
    let mut second = place.load().unwrap().unwrap();
    assert_eq!(second.rungs.len(), 1, "only the vision model was loaded");
    assert_eq!(ask(&mut second), Ok(z), "on disk");
}

/// The control: without the vectors the text model is missed.
#[test]
fn a_damaged_vector_is_not_believed() {
    for damage in [
        |file: &Path| fs::write(file, "").unwrap(),
        |file: &Path| fs::remove_file(file).unwrap(),
        |file: &Path| {
            let mut bytes = fs::read(file).unwrap();
            bytes[5] ^= 0x40;
            fs::write(file, bytes).unwrap();
        },
    ] {
        let place = Place::new();
        let Some(first) = place.load() else { return };
        let z = ask(&mut first.unwrap()).unwrap();
        place.vectors().iter().for_each(|file| damage(file));
        assert_eq!(place.load().unwrap().map_err(drop).and_then(|mut again| ask(&mut again).map_err(drop)), Ok(z));
        assert_eq!(place.vectors().len(), 3, "made again");

        place.vectors().iter().for_each(|file| damage(file));
        place.lose_the_text_model();
        let refused = place.load().unwrap().err().expect("without vectors and model there is nothing");
        assert!(refused.starts_with("model `m`: `text_model.onnx` "), "{refused}");
    }
}

#[test]
fn a_text_model_that_is_lost_while_running_is_a_failed_check_and_no_answer() {
    let place = Place::new();
    let Some(first) = place.load() else { return };
    drop(ask(&mut first.unwrap()));
    let mut second = place.load().unwrap().unwrap();
    place.lose_the_text_model();
    for vector in place.vectors() {
        fs::remove_file(vector).unwrap();
    }
    let refused = ask(&mut second).unwrap_err();
    assert!(refused.starts_with("the model failed on a frame: `text_model.onnx` "), "{refused}");
}

#[test]
fn another_text_model_has_vectors_of_its_own() {
    let place = Place::new();
    let Some(first) = place.load() else { return };
    drop(ask(&mut first.unwrap()));
    let storage = place.storage.path();
    let other = folder(&fixture("tiny-clip"), storage);
    let Kind::ZeroShot(_) = &other.manifest.kind else { panic!("a zero-shot model") };
    let mut loaded = load(runtime().unwrap(), &other, 1).unwrap();
    assert_eq!(loaded.rungs.len(), 2, "tried anew");
    drop(ask(&mut loaded));
    assert_eq!(place.vectors().len(), 6);
}

#[test]
fn a_model_that_is_loaded_again_remembers_in_the_same_place() {
    let place = Place::new();
    let Some(first) = place.load() else { return };
    let mut again = (first.unwrap().again)().unwrap();
    drop(ask(&mut again));
    assert_eq!(place.vectors().len(), 3);
    assert!(!place.model.path().join("cache").exists(), "a model's folder is read, never written");
}
