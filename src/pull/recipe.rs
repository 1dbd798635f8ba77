//! What a download consists of: an entry of the catalogue, or what is missing in a folder that has a manifest.
//!
//! Owns that choice; refuses to fetch.

use std::path::Path;

use super::place::{FileState, state_of};
use super::{Order, PullError};
use crate::catalogue::{self, Described, DescribedFile, Entry, Precision, Source};
use crate::config;
use crate::model::Manifest;

/// What is downloaded, and what becomes of it.
pub(super) enum Recipe {
    /// A published model: a new folder.
    Catalogue {
        /// Which.
        entry: &'static Entry,
        /// Which weights.
        precision: Option<Precision>,
        /// At the revision that counts.
        source: Source,
    },
    /// A folder with a manifest: the files that it lacks.
    Folder {
        /// The manifest's text.
        text: String,
        /// Where they are.
        source: Source,
        /// Which.
        missing: Vec<DescribedFile>,
    },
}

/// A file of a recipe.
pub(super) struct Wanted {
    /// At the source and in the folder.
    pub path: String,
    /// If it is known beforehand.
    pub sha256: Option<String>,
    /// What it holds.
    pub content: Content,
}

/// Where a file's bytes come from.
pub(super) enum Content {
    /// From the source.
    At,
    /// From this program.
    Text(&'static str),
}

impl Recipe {
    /// The recipe for `order`, whose model is or will be in `folder`; None when it is there already. `revision` is the one
    /// of an earlier download.
    pub(super) fn find(order: &Order, folder: &Path, revision: Option<&str>) -> Result<Option<Recipe>, PullError> {
        let in_the_way = || PullError::InTheWay { folder: folder.to_owned() };
        match std::fs::read_to_string(folder.join("manifest.toml")) {
            Ok(_) if order.update || order.precision.is_some() => Err(in_the_way()),
            Ok(text) => Recipe::of_folder(folder, text),
            Err(_) if folder.exists() => Err(in_the_way()),
            Err(_) => Recipe::of_catalogue(order, revision).map(Some),
        }
    }

    fn of_catalogue(order: &Order, revision: Option<&str>) -> Result<Recipe, PullError> {
        let name = &order.name;
        let entry = catalogue::find(name.as_str()).ok_or_else(|| {
            let known = || catalogue::entries().iter().map(|entry| entry.name.as_str());
            let hint = match config::closest(name.as_str(), known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it has {}", config::quoted(known())),
            };
            PullError::Unknown { name: name.clone(), models: order.models.clone(), hint }
        })?;
        let precision = match order.precision {
            Some(precision) if !entry.precisions.contains(&precision) => {
                let known = match entry.precisions.as_slice() {
                    [] => "only the one that comes without `--precision`".to_owned(),
                    some => config::quoted(some.iter().map(|known| known.as_str())),
                };
                return Err(PullError::Precision { name: name.clone(), precision: precision.as_str(), known });
            }
            asked => asked.or(entry.recommended()),
        };
        let source = entry.source.at(revision.unwrap_or(entry.source.revision()));
        let recipe = Recipe::Catalogue { entry, precision, source };
        // Before hundreds of megabytes come: whether this version could use them.
        let text = recipe.manifest(recipe.source(), &vec!["0".repeat(64); entry.files.len()]);
        Manifest::parse(&text).map_err(|error| PullError::Manifest { name: name.clone(), error })?;
        Ok(recipe)
    }

    fn of_folder(folder: &Path, text: String) -> Result<Option<Recipe>, PullError> {
        let file = || folder.join("manifest.toml");
        let described = Described::parse(&text).ok_or_else(|| PullError::Unreadable { file: file() })?;
        let is_right = |file: &DescribedFile| matches!(state_of(folder, file), Ok(FileState::Right));
        let missing: Vec<DescribedFile> = described.files.into_iter().filter(|file| !is_right(file)).collect();
        if missing.is_empty() {
            return Ok(None);
        }
        if let Some(without) = missing.iter().find(|file| !catalogue::is_sha256(&file.sha256)) {
            return Err(PullError::NoHash { file: file(), key: without.key.clone() });
        }
        let source = Source::parse(&described.source).map_err(|error| PullError::Source { file: file(), error })?;
        Ok(Some(Recipe::Folder { text, source, missing }))
    }

    /// Where the files are.
    pub(super) fn source(&self) -> &Source {
        match self {
            Recipe::Catalogue { source, .. } | Recipe::Folder { source, .. } => source,
        }
    }

    /// Who knows hashes before a download.
    pub(super) fn known_from(&self) -> &'static str {
        match self {
            Recipe::Catalogue { .. } => "the catalogue",
            Recipe::Folder { .. } => "the manifest",
        }
    }

    /// The files, in order.
    pub(super) fn files(&self) -> Vec<Wanted> {
        match self {
            Recipe::Catalogue { entry, precision, .. } => entry
                .files
                .iter()
                .map(|file| Wanted {
                    path: file.path(*precision),
                    sha256: file.sha256.clone(),
                    content: file.built_in.map_or(Content::At, |built_in| Content::Text(built_in.text())),
                })
                .collect(),
            Recipe::Folder { missing, .. } => missing
                .iter()
                .map(|file| Wanted { path: file.path.clone(), sha256: Some(file.sha256.clone()), content: Content::At })
                .collect(),
        }
    }

    /// The manifest that the folder gets, or has.
    pub(super) fn manifest(&self, source: &Source, hashes: &[String]) -> String {
        match self {
            Recipe::Catalogue { entry, precision, .. } => entry.manifest(source, *precision, hashes),
            Recipe::Folder { text, .. } => text.clone(),
        }
    }
}
