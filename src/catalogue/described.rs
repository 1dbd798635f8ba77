//! What any `manifest.toml` says of its files, whether or not this version can use the model.
//!
//! Owns this loose reading, for lists and downloads; refuses to judge (`model::Manifest` does, strictly).

use serde::Deserialize;

use crate::name::Name;

/// The outline of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What the model calls itself.
    pub name: Name,
    /// As it is written.
    pub family: String,
    /// For people.
    pub licence: String,
    /// As it is written.
    pub source: String,
    /// Its files, in the order of their keys.
    pub files: Vec<DescribedFile>,
}

/// A file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DescribedFile {
    /// Its key in `[files]`.
    #[serde(skip)]
    pub key: String,
    /// Relative to the folder.
    pub path: String,
    /// As it is written.
    pub sha256: String,
}

#[derive(Deserialize)]
struct Written {
    name: Name,
    family: String,
    #[serde(default)]
    licence: String,
    #[serde(default)]
    source: String,
    files: toml::Table,
}

impl Described {
    /// Reads the text of a manifest; None when it doesn't even name its files, or names one outside of its folder.
    pub fn parse(text: &str) -> Option<Described> {
        let Written { name, family, licence, source, files } = toml::from_str(text).ok()?;
        let file = |(key, value): (String, toml::Value)| -> Option<DescribedFile> {
            let file: DescribedFile = value.try_into().ok()?;
            super::stays_inside(&file.path).then_some(DescribedFile { key, ..file })
        };
        let files = files.into_iter().map(file).collect::<Option<Vec<_>>>()?;
        Some(Described { name, family, licence, source, files })
    }
}
