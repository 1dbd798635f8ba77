//! The models that are here, and what each is best asked first.
//!
//! Owns which of them can be used and which is likely meant; refuses to load any.

use std::path::{Path, PathBuf};

use crate::config;
use crate::model::{self, Family, Folder};
use crate::name::Name;

/// What most look for first.
const LIKELY: &str = "person";

/// A model whose files are all here and right.
pub(super) struct Watchable {
    pub(super) name: Name,
    pub(super) family: Family,
    labels: Vec<String>,
    /// Where it is, if the service wouldn't find it: it runs in another folder.
    pub(super) path_for_service: Option<PathBuf>,
}

/// All of them, where models are looked for.
pub(super) fn all(storage: &Path) -> Vec<Watchable> {
    let usable = |name: Name| {
        let folder = Folder::open(&name, None, storage).ok()?;
        let path_for_service = folder.path.is_relative().then(|| std::path::absolute(&folder.path).ok()).flatten();
        Some(Watchable { name, family: folder.manifest.family(), labels: folder.labels, path_for_service })
    };
    model::available(storage).into_iter().filter_map(usable).collect()
}

/// Where the likely one stands: a detector of people, then whatever knows people, then whoever reads.
pub(super) fn likely(all: &[Watchable]) -> usize {
    let fitness = |model: &Watchable| {
        let knows = model.labels.iter().any(|label| label == LIKELY);
        match model.family {
            Family::Detector if knows => 4,
            Family::Classifier if knows => 3,
            Family::Vlm => 2,
            Family::ZeroShot => 1,
            _ => 0,
        }
    };
    let best = all.iter().map(fitness).max();
    all.iter().position(|model| Some(fitness(model)) == best).unwrap_or(0)
}

impl Watchable {
    /// For choosing.
    pub(super) fn line(&self) -> String {
        let asked = if self.family.reads() { "asked in words".to_owned() } else { self.few_labels() };
        format!("{} ({}: {asked})", self.name, self.family.as_str())
    }

    pub(super) fn few_labels(&self) -> String {
        let few = config::quoted(self.labels.iter().take(6).map(String::as_str));
        if self.labels.len() > 6 { format!("{few}, …") } else { few }
    }

    pub(super) fn likely_label(&self) -> &str {
        let likely = self.labels.iter().find(|label| *label == LIKELY).or(self.labels.first());
        likely.map_or("", String::as_str)
    }

    /// Labels between commas, all of which it has.
    pub(super) fn labels(&self, text: &str) -> Result<Vec<String>, String> {
        let labels: Vec<String> = text.split(',').map(|label| label.trim().to_owned()).collect();
        match labels.iter().find(|label| !self.labels.contains(label)) {
            None => Ok(labels),
            Some(strange) => {
                let nearest = config::nearest(strange, self.labels.iter().map(String::as_str), 3);
                Err(format!("it has no label `{strange}`; the nearest it has: {}", config::quoted(nearest)))
            }
        }
    }

    /// Something that most places can be asked.
    pub(super) fn question(&self) -> &'static str {
        match self.family {
            Family::ZeroShot => "a photo of a person",
            _ => "Is there a person in the picture?",
        }
    }

    pub(super) fn wants_negatives(&self) -> bool {
        self.family == Family::ZeroShot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, family: Family, labels: &[&str]) -> Watchable {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Watchable { name: Name::new(name).unwrap(), family, labels, path_for_service: None }
    }

    #[test]
    fn who_finds_people_is_likely_meant() {
        let all = [
            model("helmets", Family::Detector, &["helmet"]),
            model("reader", Family::Vlm, &[]),
            model("people", Family::Detector, &["car", "person"]),
        ];
        assert_eq!(likely(&all), 2);
        assert_eq!(likely(&all[..2]), 1);
        assert_eq!((all[2].likely_label(), all[0].likely_label()), ("person", "helmet"));
    }

    #[test]
    fn labels_are_those_that_the_model_has() {
        let people = model("people", Family::Detector, &["car", "person"]);
        assert_eq!(people.labels("person, car"), Ok(vec!["person".to_owned(), "car".to_owned()]));
        assert!(people.labels("persn").unwrap_err().contains("`person`"));
        assert_eq!(people.line(), "people (detector: `car`, `person`)");
    }
}
