//! Where a frame lands within a model's input, and the way back.
//!
//! Owns the geometry of the resize modes; refuses to know samples and colours.

use serde::Deserialize;

use super::Cutout;

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
    /// The shorter side as long as the model's (or [`super::Input::short_side`]), aspect kept, and of that the middle.
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
        Placement::of(resize, None, Cutout::whole(frame), frame, model)
    }

    /// Places the part `cutout` of a frame. `short_side` is for [`Resize::Crop`]: how long the shorter side becomes before
    /// the middle is taken; None: as short as the input allows.
    pub fn of(resize: Resize, short_side: Option<u32>, cutout: Cutout, frame: [u32; 2], model: [u32; 2]) -> Placement {
        let Cutout { at, size } = cutout;
        let ([left, top], [width, height]) = (at.map(f64::from), size.map(f64::from));
        let everything = [left, top, width, height];
        match resize {
            Resize::Squash => Placement { source: everything, target: [0, 0, model[0], model[1]], frame },
            Resize::Letterbox | Resize::LetterboxTopLeft => {
                let ratio = (f64::from(model[0]) / width).min(f64::from(model[1]) / height);
                let fitted = |side: f64, limit: u32| ((side * ratio).round() as u32).clamp(1, limit);
                let (w, h) = (fitted(width, model[0]), fitted(height, model[1]));
                let (x, y) = match resize {
                    Resize::Letterbox => ((model[0] - w) / 2, (model[1] - h) / 2),
                    _ => (0, 0),
                };
                Placement { source: everything, target: [x, y, w, h], frame }
            }
            Resize::Crop => {
                let scaled = scaled(size, model, short_side);
                let [(x, w), (y, h)] = [0, 1].map(|axis| {
                    let pixel = f64::from(size[axis]) / f64::from(scaled[axis]);
                    let start = f64::from((scaled[axis] - model[axis]) / 2) * pixel;
                    (start, (f64::from(model[axis]) * pixel).min(f64::from(size[axis]) - start))
                });
                Placement { source: [left + x, top + y, w, h], target: [0, 0, model[0], model[1]], frame }
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

/// What a picture is scaled to before its middle is taken: the one side exactly, the other in whole pixels, rounded down
/// as by transformers' and torchvision's `resize` to the shortest edge.
fn scaled(size: [u32; 2], model: [u32; 2], short_side: Option<u32>) -> [u32; 2] {
    let [width, height] = size.map(u64::from);
    let least = model.map(u64::from);
    let (exact, by_width) = match short_side {
        Some(side) => (u64::from(side).max(least[0]).max(least[1]), width <= height),
        None if least[0] * height >= least[1] * width => (least[0], true),
        None => (least[1], false),
    };
    let whole = if by_width { [exact, exact * height / width] } else { [exact * width / height, exact] };
    whole.map(|side| u32::try_from(side).unwrap_or(u32::MAX))
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
    }

    /// The sides as `CLIPImageProcessor` of transformers 5 computes them: 1920x1080 becomes 398x224 (398.2 rounded down), of
    /// which 224 columns from the 87th on are taken; SqueezeNet's 256 make it 455x256, from 115 and 16 on.
    #[test]
    fn a_crop_is_the_one_of_transformers() {
        let whole = Cutout::whole([1920, 1080]);
        let place = |side| Placement::of(Resize::Crop, side, whole, [1920, 1080], [224, 224]).source;
        let (pixel, close) =
            (1920.0 / 398.0, |a: [f64; 4], b: [f64; 4]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9));
        assert!(close(place(None), [87.0 * pixel, 0.0, 224.0 * pixel, 1080.0]));
        assert_eq!(place(Some(224)), place(None));
        let (x, y) = (1920.0 / 455.0, 1080.0 / 256.0);
        assert!(close(place(Some(256)), [115.0 * x, 16.0 * y, 224.0 * x, 224.0 * y]));
        let part = Cutout::around(&[[0.5, 0.5], [1.0, 0.5], [1.0, 1.0]], [1920, 1080]);
        let [left, top, width, height] = Placement::of(Resize::Crop, None, part, [1920, 1080], [224, 224]).source;
        assert!(left > 768.0 && top >= 432.0 && left + width <= 1920.0 && top + height <= 1080.0 + 1e-9);
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
            side in prop::option::of(1u32..900), zone in prop::collection::vec([0f32..=1.0, 0f32..=1.0], 0..5),
        ) {
            let mode = [Resize::Letterbox, Resize::LetterboxTopLeft, Resize::Squash, Resize::Crop][mode];
            let cutout = Cutout::around(&zone, frame);
            let place = Placement::of(mode, side, cutout, frame, model);
            let [x, y, w, h] = place.target;
            prop_assert!(w >= 1 && h >= 1 && x + w <= model[0] && y + h <= model[1]);
            let [sx, sy, sw, sh] = place.source;
            prop_assert!(sx >= 0.0 && sy >= 0.0 && sw > 0.0 && sh > 0.0);
            prop_assert!(sx + sw <= f64::from(frame[0]) + 1e-6 && sy + sh <= f64::from(frame[1]) + 1e-6);
        }
    }
}
