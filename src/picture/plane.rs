//! One plane of a frame, scaled.
//!
//! Owns strides and the order of the passes; refuses to know colours and what a plane holds. Keep one [`Resampler`] per
//! caller: its scratch space is reused.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::InnerPixel;
use fast_image_resize::{PixelTrait, ResizeOptions, Resizer};

use super::bilinear::{Bilinear, Source};
use super::{Filter, PictureError};
use crate::frame::Frame;

/// A plane of a frame and the part of it that is wanted.
pub(super) struct Part<'a> {
    data: &'a [u8],
    stride: usize,
    size: [u32; 2],
    crop: [f64; 4],
}

impl<'a> Part<'a> {
    /// Plane number `plane` of `frame`, of whose sides it has `share` (1 or 0.5); `source` as in [`super::Scaler::rgb`].
    pub(super) fn of(frame: &'a Frame, plane: usize, source: [f64; 4], share: f64) -> Part<'a> {
        let halve = |side: u32| if share < 1.0 { side.div_ceil(2) } else { side };
        let size = [halve(frame.width), halve(frame.height)];
        let [left, top, width, height] = source.map(|value| value * share);
        // An odd frame's last chroma column is shared by one pixel only: never ask for more than there is.
        let width = width.min(f64::from(size[0]) - left);
        let height = height.min(f64::from(size[1]) - top);
        let plane = &frame.planes[plane];
        Part { data: &plane.data, stride: plane.stride, size, crop: [left, top, width, height] }
    }
}

/// Scales planes.
#[derive(Default)]
pub(super) struct Resampler {
    resizer: Resizer,
    bilinear: Bilinear,
    /// A plane whose rows had to be copied.
    unpadded: Vec<u8>,
    /// What lies between the two passes of a filter that wants them in Pillow's order.
    between: Vec<u8>,
}

impl Resampler {
    /// Fills `into` with `part` of a plane, scaled to `size` (width, height).
    pub(super) fn scale<P: PixelTrait + InnerPixel>(
        &mut self,
        filter: Filter,
        part: Part<'_>,
        into: &mut Vec<u8>,
        size: [u32; 2],
    ) -> Result<(), PictureError> {
        if filter.is_bilinear(part.crop, size) {
            self.bilinear(P::size(), &part, into, size);
            return Ok(());
        }
        let [columns, rows] = part.size;
        let samples = P::size();
        // The resizer counts strides in pixels: rows that don't end on a whole one are copied, which no decoder of ours
        // does.
        let (data, stride) = if part.stride.is_multiple_of(samples) {
            (part.data, part.stride / samples)
        } else {
            let row = columns as usize * samples;
            let lines = part.data.chunks(part.stride).take(rows as usize);
            self.unpadded.clear();
            lines.for_each(|line| self.unpadded.extend_from_slice(&line[..row]));
            (self.unpadded.as_slice(), columns as usize)
        };
        let pixels = u32::try_from(stride).map_err(broken)?;
        let data = &data[..stride * samples * rows as usize];
        let padded = TypedImageRef::<P>::from_buffer(pixels, rows, data).map_err(broken)?;
        let plane = TypedCroppedImage::from_ref(&padded, 0, 0, columns, rows).map_err(broken)?;
        let [left, top, width, height] = part.crop;
        let algorithm = ResizeOptions::new().resize_alg(filter.algorithm()).use_alpha(false);
        let (between, resizer) = (&mut self.between, &mut self.resizer);
        let Some(reach) = filter.reach(height / f64::from(size[1])) else {
            let mut target = image::<P>(into, size)?;
            return resizer
                .resize_typed(&plane, &mut target, &algorithm.crop(left, top, width, height))
                .map_err(broken);
        };
        // Samples are cut off at 0 and 255 between the passes, so beside hard edges their order is seen. Columns come first,
        // as in every Pillow up to 12; version 13 turns them round where that is cheaper.
        let first = (top - reach).floor().max(0.0);
        let last = (top + height + reach).ceil().min(f64::from(rows));
        let mut narrow = image::<P>(between, [size[0], (last - first) as u32])?;
        resizer.resize_typed(&plane, &mut narrow, &algorithm.crop(left, first, width, last - first)).map_err(broken)?;
        let mut target = image::<P>(into, size)?;
        let rest = algorithm.crop(0.0, top - first, f64::from(size[0]), height);
        resizer.resize_typed(&narrow, &mut target, &rest).map_err(broken)
    }

    fn bilinear(&mut self, samples: usize, part: &Part<'_>, into: &mut Vec<u8>, size: [u32; 2]) {
        let source = Source { data: part.data, stride: part.stride, size: part.size };
        match samples {
            1 => self.bilinear.scale::<1>(source, part.crop, size, into),
            2 => self.bilinear.scale::<2>(source, part.crop, size, into),
            _ => self.bilinear.scale::<3>(source, part.crop, size, into),
        }
    }
}

fn image<P: PixelTrait + InnerPixel>(
    memory: &mut Vec<u8>,
    [width, height]: [u32; 2],
) -> Result<TypedImage<'_, P>, PictureError> {
    memory.resize(width as usize * height as usize * P::size(), 0);
    TypedImage::from_buffer(width, height, memory).map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> PictureError {
    PictureError::Convert(error.to_string())
}
