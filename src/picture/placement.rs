//! Where a frame lands within a model's input, and the way back.
//!
//! Owns the geometry of the resize modes; refuses to know samples and colours.

use serde::Deserialize;

/// How a frame is brought to a model's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Whole frame, aspect kept, centred, the rest padded.
    Letterbox,
    /// Whole frame, aspect kept, in the top left corner, the rest padded.
    LetterboxTopLeft,
    /// Whole frame, aspect lost.
    Squash,
    /// The centre of the frame, aspect kept, the model's input filled.
    Crop,
}

/// Which part of the frame lies where in the model's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// `[left, top, width, height]` of the part that is used, in frame pixels.
    pub source: [f64; 4],
    /// `[left, top, width, height]` of where it lies, in model pixels.
    pub target: [u32; 4],
    /// Width and height of the frame in pixels.
    pub frame: [u32; 2],
}

impl Placement {
    /// Places a frame of `frame` pixels (width, height; at least 1) into an input of `model` pixels.
    pub fn new(resize: Resize, frame: [u32; 2], model: [u32; 2]) -> Placement {
        let [width, height] = frame.map(f64::from);
        let whole = [0.0, 0.0, width, height];
        match resize {
            Resize::Squash => Placement { source: whole, target: [0, 0, model[0], model[1]], frame },
            Resize::Letterbox | Resize::LetterboxTopLeft => {
                let ratio = (f64::from(model[0]) / width).min(f64::from(model[1]) / height);
                let fitted = |side: f64, limit: u32| ((side * ratio).round() as u32).clamp(1, limit);
                let (w, h) = (fitted(width, model[0]), fitted(height, model[1]));
                let (left, top) = match resize {
                    Resize::Letterbox => ((model[0] - w) / 2, (model[1] - h) / 2),
                    _ => (0, 0),
                };
                Placement { source: whole, target: [left, top, w, h], frame }
            }
            Resize::Crop => {
                let ratio = (f64::from(model[0]) / width).max(f64::from(model[1]) / height);
                let (w, h) = ((f64::from(model[0]) / ratio).min(width), (f64::from(model[1]) / ratio).min(height));
                let source = [(width - w) / 2.0, (height - h) / 2.0, w, h];
                Placement { source, target: [0, 0, model[0], model[1]], frame }
            }
        }
    }

    /// A box `[x1, y1, x2, y2]` in model pixels as one that is normalised to the frame, clamped to it.
    pub fn to_frame(&self, [x1, y1, x2, y2]: [f32; 4]) -> [f32; 4] {
        let along = |value: f32, axis: usize| {
            let [start, length] = [f64::from(self.target[axis]), f64::from(self.target[axis + 2])];
            let in_source = (f64::from(value) - start) / length * self.source[axis + 2] + self.source[axis];
            (in_source / f64::from(self.frame[axis])).clamp(0.0, 1.0) as f32
        };
        [along(x1, 0), along(y1, 1), along(x2, 0), along(y2, 1)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn where_a_full_hd_frame_lands() {
        let place = |resize| Placement::new(resize, [1920, 1080], [416, 416]);
        assert_eq!(place(Resize::Letterbox).target, [0, 91, 416, 234]);
        assert_eq!(place(Resize::LetterboxTopLeft).target, [0, 0, 416, 234]);
        assert_eq!(place(Resize::Squash).target, [0, 0, 416, 416]);
        assert_eq!(place(Resize::Crop).source, [420.0, 0.0, 1080.0, 1080.0]);
    }

    #[test]
    fn boxes_come_back_normalised_and_inside() {
        let place = Placement::new(Resize::Letterbox, [1920, 1080], [416, 416]);
        assert_eq!(place.to_frame([0.0, 91.0, 416.0, 325.0]), [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(place.to_frame([104.0, 0.0, 500.0, 208.0]), [0.25, 0.0, 1.0, 0.5]);
    }

    proptest! {
        #[test]
        fn every_mode_stays_inside_frame_and_input(
            frame in [1u32..5000, 1u32..5000], model in [1u32..700, 1u32..700], mode in 0usize..4,
        ) {
            let mode = [Resize::Letterbox, Resize::LetterboxTopLeft, Resize::Squash, Resize::Crop][mode];
            let place = Placement::new(mode, frame, model);
            let [x, y, w, h] = place.target;
            prop_assert!(w >= 1 && h >= 1 && x + w <= model[0] && y + h <= model[1]);
            let [sx, sy, sw, sh] = place.source;
            prop_assert!(sx >= 0.0 && sy >= 0.0 && sw > 0.0 && sh > 0.0);
            prop_assert!(sx + sw <= f64::from(frame[0]) + 1e-6 && sy + sh <= f64::from(frame[1]) + 1e-6);
        }
    }
}
