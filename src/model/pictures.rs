//! What of a frame a piece of work looks at.
//!
//! Owns which parts are made into pictures, each of them once; refuses to know samples (`picture` does) and what is asked.
//! Runs on the caller's thread.

use super::{Asked, Model, Work};
use crate::frame::Frame;
use crate::picture::{Cutout, PictureError, Placement, Scaler, tensor_of};

impl Model {
    /// Makes the pictures that `work.asked` is about, in the memory of those that `work` still holds, and tells each
    /// question which one is its own. Zones become pictures of their own, equal ones only once; whoever asks about labels,
    /// or asks a question that has no zone, looks at the whole frame.
    ///
    /// The placement is that of the first picture.
    ///
    /// # Errors
    /// Frames that lack samples.
    pub fn show(&self, scaler: &mut Scaler, frame: &Frame, work: &mut Work) -> Result<Placement, PictureError> {
        let sides = [frame.width, frame.height];
        let mut cutouts: Vec<Cutout> = Vec::new();
        for asked in &mut work.asked {
            if let Asked::Prompts { zone, picture, .. } = asked {
                let cutout = Cutout::around(zone, sides);
                *picture = cutouts.iter().position(|known| *known == cutout).unwrap_or_else(|| {
                    cutouts.push(cutout);
                    cutouts.len() - 1
                });
            }
        }
        if cutouts.is_empty() {
            cutouts.push(Cutout::whole(sides));
        }
        work.pictures.resize_with(cutouts.len(), Default::default);
        let [width, height] = self.input.size.map(|side| side as usize);
        let mut first = None;
        for (cutout, picture) in cutouts.iter().zip(&mut work.pictures) {
            let placement = tensor_of(scaler, frame, *cutout, &self.input, &mut picture.data)?;
            picture.shape = vec![1, 3, height, width];
            first.get_or_insert(placement);
        }
        first.ok_or(PictureError::Empty { width: frame.width, height: frame.height })
    }
}
