//! What comes before every question, as rows: the beginning of the conversation, and the picture's features in its place.
//!
//! Owns the rows, which are made once; a picture only overwrites its own. Runs on the model's thread.

use super::floats::Floats;

/// The rows of the opening.
pub(super) struct Prefix {
    rows: Vec<f32>,
    width: usize,
    /// Where the picture's rows go, in order.
    places: Vec<usize>,
}

/// The picture has more or fewer rows than the prompt has places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CountsDiffer {
    pub(super) given: usize,
    pub(super) expected: usize,
}

impl Prefix {
    /// From the `ids` of the opening and their embedded `rows`; `image` is the id that stands for a row of the picture.
    pub(super) fn new(ids: &[i64], rows: &[f32], image: i64) -> Prefix {
        let places = ids.iter().enumerate().filter(|(_, id)| **id == image).map(|(place, _)| place).collect();
        Prefix { rows: rows.to_vec(), width: rows.len() / ids.len().max(1), places }
    }

    /// The rows with this picture in its place.
    pub(super) fn with(&mut self, features: &Floats) -> Result<&[f32], CountsDiffer> {
        let (given, expected) = (features.rows(), self.places.len());
        if given != expected || features.width() != self.width {
            return Err(CountsDiffer { given, expected });
        }
        for (place, row) in self.places.iter().zip(features.numbers().chunks_exact(self.width)) {
            self.rows[place * self.width..][..self.width].copy_from_slice(row);
        }
        Ok(&self.rows)
    }
}
