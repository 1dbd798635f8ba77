//! Scales a frame and turns it into RGB, in that order: planes are scaled first, so colour is converted at the small size.
//!
//! Owns its scratch space (keep one per caller); refuses to know what the picture is for.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{InnerPixel, U8, U8x2, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

use super::PictureError;
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
    resizer: Resizer,
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
    interleaved: Vec<u8>,
    rgb: Vec<u8>,
    unpadded: Vec<u8>,
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
        let scratch = &mut self.unpadded;
        let by = algorithm(filter, source, size);
        let mut part = |from: Part<'_>, into: &mut Vec<u8>, samples: usize| match samples {
            1 => scale::<U8>(&mut self.resizer, by, from, scratch, into, size),
            2 => scale::<U8x2>(&mut self.resizer, by, from, scratch, into, size),
            _ => scale::<U8x3>(&mut self.resizer, by, from, scratch, into, size),
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

/// A plane of a frame and the part of it that is wanted.
struct Part<'a> {
    data: &'a [u8],
    stride: usize,
    size: [u32; 2],
    crop: [f64; 4],
}

impl<'a> Part<'a> {
    fn of(frame: &'a Frame, plane: usize, source: [f64; 4], share: f64) -> Part<'a> {
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

/// What a sample of the small picture is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// As in training: OpenCV's bilinear, which most published models were trained and measured with (YOLOX's boxes move
    /// by pixels when it is smoothed), and the mean of an area where bilinear would leave most of the picture out.
    Model,
    /// For people: antialiased.
    Smooth,
}

/// From so many pixels a side on, bilinear's two of them are too few: it would leave out more than eight tenths of the
/// picture, and the models this happens to (inputs of 96 pixels) were measured with areas.
const AREA_FROM: f64 = 5.0;

fn algorithm(filter: Filter, [_, _, width, height]: [f64; 4], size: [u32; 2]) -> ResizeAlg {
    let ratio = (width / f64::from(size[0])).max(height / f64::from(size[1]));
    match filter {
        Filter::Model if ratio < AREA_FROM => ResizeAlg::Interpolation(FilterType::Bilinear),
        Filter::Model => ResizeAlg::Convolution(FilterType::Box),
        Filter::Smooth => ResizeAlg::Convolution(FilterType::Bilinear),
    }
}

fn scale<P: PixelTrait + InnerPixel>(
    resizer: &mut Resizer,
    by: ResizeAlg,
    part: Part<'_>,
    scratch: &mut Vec<u8>,
    into: &mut Vec<u8>,
    [width, height]: [u32; 2],
) -> Result<(), PictureError> {
    let broken = |error: &dyn std::fmt::Display| PictureError::Convert(error.to_string());
    let [columns, rows] = part.size;
    let samples = P::size();
    // The resizer counts strides in pixels: rows that don't end on a whole one are copied, which no decoder of ours does.
    let (data, stride) = if part.stride.is_multiple_of(samples) {
        (part.data, part.stride / samples)
    } else {
        let row = columns as usize * samples;
        scratch.clear();
        part.data.chunks(part.stride).take(rows as usize).for_each(|line| scratch.extend_from_slice(&line[..row]));
        (scratch.as_slice(), columns as usize)
    };
    let pixels = u32::try_from(stride).map_err(|error| broken(&error))?;
    let padded = TypedImageRef::<P>::from_buffer(pixels, rows, &data[..stride * samples * rows as usize])
        .map_err(|error| broken(&error))?;
    let view = TypedCroppedImage::from_ref(&padded, 0, 0, columns, rows).map_err(|error| broken(&error))?;
    into.resize(width as usize * height as usize * samples, 0);
    let mut target = TypedImage::<P>::from_buffer(width, height, into).map_err(|error| broken(&error))?;
    let [left, top, crop_width, crop_height] = part.crop;
    let options = ResizeOptions::new().resize_alg(by).crop(left, top, crop_width, crop_height).use_alpha(false);
    resizer.resize_typed(&view, &mut target, &options).map_err(|error| broken(&error))
}
