//! The numbers of one picture among those of a batch.
//!
//! Owns the slicing and the check that they are numbers; refuses to know what they mean.

use super::super::{OutputError, Outputs};

/// What a length of an output may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Length {
    /// One per picture: 1, or left open.
    Pictures,
    /// Exactly so many, or left open.
    Is(usize),
    /// As many as there are.
    Any,
}

/// Why numbers can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// More or fewer than were declared.
    Count(OutputError),
    /// Infinite ones, or none at all.
    NotANumber,
}

/// The outputs of a run, seen from one of its pictures.
pub(super) struct Numbers<'a> {
    outputs: &'a Outputs,
    picture: usize,
    pictures: usize,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(outputs: &'a Outputs, picture: usize, pictures: usize) -> Numbers<'a> {
        Numbers { outputs, picture, pictures }
    }

    /// This picture's part of output `index`: exactly `declared` finite numbers.
    pub(super) fn exactly(&self, index: usize, declared: usize) -> Result<&'a [f32], Unreadable> {
        self.part(index, declared)
    }

    /// This picture's part of output `index`: finite numbers, whole rows of `columns`. No rows where the graph says that
    /// there are none, as graphs with the suppression built in do of an empty scene.
    pub(super) fn rows(&self, index: usize, columns: usize) -> Result<&'a [f32], Unreadable> {
        if self.shape(index) == [self.pictures, 0, columns] {
            return Ok(&[]);
        }
        let given = self.outputs.get(index).map_or(0, |tensor| tensor.data.len());
        let rows = given / (columns * self.pictures).max(1);
        self.part(index, rows.max(1) * columns)
    }

    /// The lengths of output `index`, the number of pictures among them.
    pub(super) fn shape(&self, index: usize) -> &'a [usize] {
        self.outputs.get(index).map_or(&[], |tensor| &tensor.shape)
    }

    fn part(&self, index: usize, declared: usize) -> Result<&'a [f32], Unreadable> {
        let all = self.outputs.get(index).map_or(&[][..], |tensor| &tensor.data);
        if all.len() != declared * self.pictures {
            let (given, declared) = (all.len(), declared * self.pictures);
            return Err(Unreadable::Count(OutputError { given, declared }));
        }
        let part = &all[self.picture * declared..][..declared];
        if all_finite(part) { Ok(part) } else { Err(Unreadable::NotANumber) }
    }
}

/// Without an early exit, so that it runs over a detector's 300 000 numbers in vector registers.
fn all_finite(numbers: &[f32]) -> bool {
    numbers.iter().fold(true, |finite, number| finite & number.is_finite())
}
