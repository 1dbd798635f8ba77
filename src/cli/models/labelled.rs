//! `labels.csv`: pictures, what is asked about them, and what is true.
//!
//! Owns the file's grammar; refuses to look at the pictures.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::exit::Failure;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labelled {
    /// The picture.
    pub picture: PathBuf,
    /// The question, the label or the description.
    pub question: String,
    /// What is there otherwise (zero-shot).
    pub negatives: Vec<String>,
    /// Whether it is so.
    pub truth: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    file: String,
    question: String,
    answer: String,
    #[serde(default)]
    negatives: String,
}

/// Reads `labels.csv` of `folder`: the lines in the order of the pictures' names, so that each is looked at once.
///
/// # Errors
/// A file that can't be read, with its line.
pub(super) fn read(folder: &Path) -> Result<Vec<Labelled>, Failure> {
    let path = folder.join("labels.csv");
    let wrong = |what: &dyn std::fmt::Display| {
        Failure::plain(format_args!("`{}`: {what}", path.display())).hint(
            "its first line is `file,question,answer`; an answer is yes or no; a text with a comma stands in quotes",
        )
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(&path).map_err(|error| wrong(&error))?;
    let mut labelled = Vec::new();
    for (row, line) in reader.deserialize::<Row>().zip(2..) {
        let Row { file, question, answer, negatives } = row.map_err(|error| wrong(&error))?;
        let truth = match answer.to_ascii_lowercase().as_str() {
            "yes" => true,
            "no" => false,
            other => return Err(wrong(&format_args!("row {line}: the answer is `{other}`"))),
        };
        let negatives =
            negatives.split('|').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
        labelled.push(Labelled { picture: folder.join(file), question, negatives, truth });
    }
    labelled.sort_by(|a, b| a.picture.cmp(&b.picture));
    Ok(labelled)
}
