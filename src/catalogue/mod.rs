//! The catalogue: published models by name, with their licence and the exact layout of their files (contracts/models.md).
//!
//! Owns the grammar of `models/catalogue.toml` (compiled in), of sources (`hf:org/repo@revision`), of the lock file, and the
//! text of the manifest that a download gets; refuses to download anything and to know what a manifest's tables mean
//! (`model` does). Pure.

mod calibrated;
mod described;
mod lock;
mod source;

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

use crate::name::Name;

pub use calibrated::{calibration_section, with_calibration};
pub use described::{Described, DescribedFile};
pub use lock::{Lock, LockError, Locked};
pub use source::{HUB, Source, SourceError, mirror};

const CATALOGUE: &str = include_str!("../../models/catalogue.toml");

/// The 80 names of COCO, one a line, in the order in which every published detector counts them.
const COCO80: &str = include_str!("../../models/yolox-nano/labels.txt");

/// A published model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name here.
    pub name: Name,
    /// For people: what it is.
    pub title: String,
    /// As in manifests.
    pub family: String,
    /// SPDX, where there is one.
    pub licence: String,
    /// Where its files are.
    pub source: Source,
    /// Whether exactly these files have been loaded by this project; otherwise the layout is what their publishers say.
    pub verified: bool,
    /// What else a person should know.
    #[serde(default)]
    pub note: String,
    /// The precisions that are published, the recommended one first; empty: there is only one.
    #[serde(default)]
    pub precisions: Vec<Precision>,
    /// Its files, by what a manifest calls them.
    pub files: Vec<EntryFile>,
    /// The tables of its manifest after `[files]`, as they are written.
    pub manifest: String,
}

/// A file of a published model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryFile {
    /// Its key in `[files]`.
    pub key: String,
    /// Where it is, both at the source and in the folder; `{precision}` stands for the precision's suffix.
    pub path: String,
    /// Not to be downloaded: compiled in.
    #[serde(default)]
    pub built_in: Option<BuiltIn>,
    /// Lower-case hex, of a file that this project has loaded.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// Files that come with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuiltIn {
    /// The labels of COCO.
    Coco80,
    /// The labels of a detector of faces.
    Faces,
}

impl BuiltIn {
    /// Its content.
    pub fn text(self) -> &'static str {
        match self {
            BuiltIn::Coco80 => COCO80,
            BuiltIn::Faces => "face\n",
        }
    }
}

/// A variant of a model's weights, by the suffix that the ONNX community gives its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Without a suffix.
    Fp32,
    /// `_fp16`
    Fp16,
    /// `_int8`
    Int8,
    /// `_uint8`
    Uint8,
    /// `_quantized`
    Quantized,
    /// `_q4`
    Q4,
    /// `_q4f16`
    Q4f16,
    /// `_bnb4`
    Bnb4,
}

impl Precision {
    const ALL: [Precision; 8] = [
        Precision::Fp32,
        Precision::Fp16,
        Precision::Int8,
        Precision::Uint8,
        Precision::Quantized,
        Precision::Q4,
        Precision::Q4f16,
        Precision::Bnb4,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Precision::Fp32 => "fp32",
            Precision::Fp16 => "fp16",
            Precision::Int8 => "int8",
            Precision::Uint8 => "uint8",
            Precision::Quantized => "quantized",
            Precision::Q4 => "q4",
            Precision::Q4f16 => "q4f16",
            Precision::Bnb4 => "bnb4",
        }
    }

    /// The precision of that name.
    pub fn new(text: &str) -> Result<Precision, String> {
        Precision::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Precision::ALL.iter().map(|known| known.as_str()).collect();
            format!("a precision is one of {}", known.join(", "))
        })
    }

    fn suffix(self) -> &'static str {
        match self {
            Precision::Fp32 => "",
            Precision::Fp16 => "_fp16",
            Precision::Int8 => "_int8",
            Precision::Uint8 => "_uint8",
            Precision::Quantized => "_quantized",
            Precision::Q4 => "_q4",
            Precision::Q4f16 => "_q4f16",
            Precision::Bnb4 => "_bnb4",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    model: Vec<Entry>,
}

/// All published models that are known here, in the file's order.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    // A test parses the very same bytes: a catalogue that can't be read never leaves the workshop.
    ENTRIES.get_or_init(|| toml::from_str::<Written>(CATALOGUE).map(|written| written.model).unwrap_or_default())
}

/// The published model of that name.
pub fn find(name: &str) -> Option<&'static Entry> {
    entries().iter().find(|entry| entry.name.as_str() == name)
}

impl Entry {
    /// The precision that is taken when nobody asks for one.
    pub fn recommended(&self) -> Option<Precision> {
        self.precisions.first().copied()
    }

    /// Its manifest, with the hashes of its files in the order of [`Entry::files`]: `source` is where they came from.
    pub fn manifest(&self, source: &Source, precision: Option<Precision>, hashes: &[String]) -> String {
        let mut text =
            String::from("# Written by `stakeout models pull`; the hashes are those of the files as they came.\n");
        if let Some(precision) = precision {
            let _ = writeln!(text, "# Precision: {}.", precision.as_str());
        }
        let quoted = |value: &str| toml::Value::String(value.to_owned()).to_string();
        for (key, value) in [("name", self.name.as_str()), ("family", &self.family), ("licence", &self.licence)] {
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
        let _ = write!(text, "source = {}\n\n[files]\n", quoted(&source.to_string()));
        for (file, hash) in self.files.iter().zip(hashes) {
            let (path, hash) = (quoted(&file.path(precision)), quoted(hash));
            let _ = writeln!(text, "{} = {{ path = {path}, sha256 = {hash} }}", file.key);
        }
        let _ = write!(text, "\n{}", self.manifest);
        text
    }
}

impl EntryFile {
    /// Its path for that precision.
    pub fn path(&self, precision: Option<Precision>) -> String {
        self.path.replace("{precision}", precision.map_or("", Precision::suffix))
    }
}

/// Whether a path of a file can only lead into the model's own folder.
pub fn stays_inside(path: &str) -> bool {
    let parts: Vec<Component<'_>> = Path::new(path).components().collect();
    let plain = parts.iter().all(|part| matches!(part, Component::Normal(_)));
    // What `components` tidies away must not be there either: the path is also part of a URL.
    plain
        && !parts.is_empty()
        && PathBuf::from_iter(&parts).as_os_str() == path
        && !path.contains(['\\', '?', '#', '%'])
}

/// Whether `text` is a SHA-256 in lower-case hex.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
