//! Scales a frame and turns it into RGB, in that order: planes are scaled first, so colour is converted at the small size.
//!
//! Owns its scratch space (keep one per caller); refuses to know what the picture is for.

use fast_image_resize::pixels::{U8, U8x2, U8x3};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

use super::plane::{Part, Resampler};
use super::{Filter, PictureError};
use crate::frame::{Color, Frame, Matrix, PixelFormat};

/// Interleaved R, G, B without padding.
#[derive(Clone, Copy, Debug)]
pub struct Rgb<'a> {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `width * height * 3` samples.
    pub data: &'a [u8],
}

/// Scales frames; its buffers are reused from call to call.
#[derive(Default)]
pub struct Scaler {
    resampler: Resampler,
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
    interleaved: Vec<u8>,
    rgb: Vec<u8>,
}

impl Scaler {
    /// The part `source` (`[left, top, width, height]` in frame pixels) of `frame` as RGB of `size` (width, height).
    ///
    /// Chroma is taken to be sited at the centre of its block: the quarter of a chroma sample that H.264 may differ by
    /// lies below what a model at its own size can see.
    ///
    /// # Errors
    /// Frames that lack samples.
    pub fn rgb(
        &mut self,
        frame: &Frame,
        source: [f64; 4],
        size: [u32; 2],
        filter: Filter,
    ) -> Result<Rgb<'_>, PictureError> {
        let [width, height] = size;
        if frame.width == 0 || frame.height == 0 || width == 0 || height == 0 {
            return Err(PictureError::Empty { width: frame.width, height: frame.height });
        }
        check(frame)?;
        let mut part = |from: Part<'_>, into: &mut Vec<u8>, samples: usize| match samples {
            1 => self.resampler.scale::<U8>(filter, from, into, size),
            2 => self.resampler.scale::<U8x2>(filter, from, into, size),
            _ => self.resampler.scale::<U8x3>(filter, from, into, size),
        };
        let full = Part::of(frame, 0, source, 1.0);
        match frame.format {
            PixelFormat::Rgb => {
                part(full, &mut self.rgb, 3)?;
                return Ok(Rgb { width, height, data: &self.rgb });
            }
            PixelFormat::I420 => {
                part(full, &mut self.luma, 1)?;
                let [u, v] = &mut self.chroma;
                part(Part::of(frame, 1, source, 0.5), u, 1)?;
                part(Part::of(frame, 2, source, 0.5), v, 1)?;
            }
            PixelFormat::Nv12 => {
                part(full, &mut self.luma, 1)?;
                part(Part::of(frame, 1, source, 0.5), &mut self.interleaved, 2)?;
                let [u, v] = &mut self.chroma;
                u.clear();
                v.clear();
                u.extend(self.interleaved.chunks_exact(2).map(|pair| pair[0]));
                v.extend(self.interleaved.chunks_exact(2).map(|pair| pair[1]));
            }
        }
        self.convert(frame.color, size)
    }

    fn convert(&mut self, color: Color, [width, height]: [u32; 2]) -> Result<Rgb<'_>, PictureError> {
        self.rgb.resize(width as usize * height as usize * 3, 0);
        let planes = YuvPlanarImage {
            y_plane: &self.luma,
            y_stride: width,
            u_plane: &self.chroma[0],
            u_stride: width,
            v_plane: &self.chroma[1],
            v_stride: width,
            width,
            height,
        };
        let range = if color.full_range { YuvRange::Full } else { YuvRange::Limited };
        let matrix = match color.matrix {
            Matrix::Bt601 => YuvStandardMatrix::Bt601,
            Matrix::Bt709 => YuvStandardMatrix::Bt709,
        };
        yuv::yuv444_to_rgb(&planes, &mut self.rgb, width * 3, range, matrix)
            .map_err(|error| PictureError::Convert(error.to_string()))?;
        Ok(Rgb { width, height, data: &self.rgb })
    }
}

/// The sizes of a frame's planes: width, height, samples per pixel.
fn layout(frame: &Frame) -> &'static [(u32, usize)] {
    match frame.format {
        PixelFormat::I420 => &[(1, 1), (2, 1), (2, 1)],
        PixelFormat::Nv12 => &[(1, 1), (2, 2)],
        PixelFormat::Rgb => &[(1, 3)],
    }
}

fn check(frame: &Frame) -> Result<(), PictureError> {
    let incomplete = || PictureError::Incomplete { width: frame.width, height: frame.height };
    let layout = layout(frame);
    if frame.planes.len() != layout.len() {
        return Err(incomplete());
    }
    for (plane, (divisor, samples)) in frame.planes.iter().zip(layout) {
        let row = frame.width.div_ceil(*divisor) as usize * samples;
        let rows = frame.height.div_ceil(*divisor) as usize;
        let needed = plane.stride.checked_mul(rows).ok_or_else(incomplete)?;
        if plane.stride < row || plane.data.len() < needed {
            return Err(incomplete());
        }
    }
    Ok(())
}
