//! A frame as the numbers a model wants.
//!
//! Owns the layout (planar, normalised, padded); refuses to know what is done with them.

use serde::Deserialize;

use super::{Cutout, Filter, PictureError, Placement, Resize, Scaler};
use crate::frame::Frame;

/// The order of a model's colour planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// What a model wants to be fed (`[input]` of its manifest): `(x * scale - mean) / std`, x from 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// How a frame is brought to that size.
    pub resize: Resize,
    /// What a scaled sample is made of.
    pub filter: Filter,
    /// How long the shorter side becomes before [`Resize::Crop`] takes the middle; None: as short as `size` allows.
    pub short_side: Option<u32>,
    /// What surrounds a letterboxed frame, before normalisation.
    pub pad: f32,
    /// The order of the planes; `mean` and `std` follow it.
    pub color: ColorOrder,
    /// Applied first.
    pub scale: f32,
    /// Subtracted, per plane.
    pub mean: [f32; 3],
    /// Divided by, per plane; not zero.
    pub std: [f32; 3],
}

/// Fills `into` with `frame` as `[3, height, width]` (NCHW without the N); tells where the frame lies in it.
///
/// # Errors
/// Frames that lack samples.
pub fn tensor(
    scaler: &mut Scaler,
    frame: &Frame,
    input: &Input,
    into: &mut Vec<f32>,
) -> Result<Placement, PictureError> {
    tensor_of(scaler, frame, Cutout::whole([frame.width, frame.height]), input, into)
}

/// The same of a part of `frame`, as if there were nothing else; the placement is in the whole frame's pixels.
///
/// # Errors
/// Frames that lack samples.
pub fn tensor_of(
    scaler: &mut Scaler,
    frame: &Frame,
    cutout: Cutout,
    input: &Input,
    into: &mut Vec<f32>,
) -> Result<Placement, PictureError> {
    if frame.width == 0 || frame.height == 0 {
        return Err(PictureError::Empty { width: frame.width, height: frame.height });
    }
    let Input { resize, short_side, size, .. } = *input;
    let placement = Placement::of(resize, short_side, cutout, [frame.width, frame.height], size);
    let [left, top, width, height] = placement.target.map(|value| value as usize);
    let shown = [placement.target[2], placement.target[3]];
    let picture = scaler.rgb(frame, placement.source, shown, input.filter)?;

    let [columns, rows] = input.size.map(|value| value as usize);
    into.resize(3 * rows * columns, 0.0);
    for (index, plane) in into.chunks_exact_mut(rows * columns).enumerate() {
        let channel = match input.color {
            ColorOrder::Rgb => index,
            ColorOrder::Bgr => 2 - index,
        };
        let table = normalised(input, index);
        let padding = (input.pad * input.scale - input.mean[index]) / input.std[index];
        plane[..top * columns].fill(padding);
        plane[(top + height) * columns..].fill(padding);
        let lines = plane[top * columns..].chunks_exact_mut(columns);
        for (line, pixels) in lines.zip(picture.data.chunks_exact(width * 3)) {
            line[..left].fill(padding);
            line[left + width..].fill(padding);
            for (value, pixel) in line[left..left + width].iter_mut().zip(pixels.chunks_exact(3)) {
                *value = table[usize::from(pixel[channel])];
            }
        }
    }
    Ok(placement)
}

/// The 256 values that a sample of plane `index` can become.
fn normalised(input: &Input, index: usize) -> [f32; 256] {
    std::array::from_fn(|sample| (sample as f32 * input.scale - input.mean[index]) / input.std[index])
}
