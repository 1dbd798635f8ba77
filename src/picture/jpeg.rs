//! JPEG for people, and stills from files.
//!
//! Owns encoding, decoding and fitting into a byte budget; refuses to know where the bytes come from or go. The same
//! picture always gives the same bytes.

use std::io::Cursor;
use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat, ImageReader, Limits};

use super::{Filter, PictureError, Rgb, Scaler};
use crate::frame::{Color, Frame, Matrix, Motion, PixelFormat, Plane};
use crate::time::Now;

/// `frame` as JPEG, at most `max_width` pixels wide, of `quality` 1 to 100.
///
/// # Errors
/// Frames that lack samples, and sizes that JPEG can't hold (65535).
pub fn jpeg(scaler: &mut Scaler, frame: &Frame, max_width: u32, quality: u8) -> Result<Vec<u8>, PictureError> {
    let width = frame.width.min(max_width.max(1));
    let height = scaled_height(frame, width);
    let whole = [0.0, 0.0, f64::from(frame.width), f64::from(frame.height)];
    encode(scaler.rgb(frame, whole, [width, height], Filter::Smooth)?, quality)
}

fn scaled_height(frame: &Frame, width: u32) -> u32 {
    let exact = f64::from(frame.height) * f64::from(width) / f64::from(frame.width.max(1));
    (exact.round() as u32).max(1)
}

fn encode(picture: Rgb<'_>, quality: u8) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode(picture.data, picture.width, picture.height, ExtendedColorType::Rgb8)
        .map_err(|error| PictureError::Encode(error.to_string()))?;
    Ok(bytes)
}

/// Widths, as shares of the original, that [`fit`] tries in turn; below an eighth a person is no longer a person.
const WIDTHS: [f64; 6] = [1.0, 0.75, 0.5, 0.375, 0.25, 0.125];
/// At full quality first, over all widths; then the poorer ones at the smallest width.
const QUALITY: u8 = 75;
const POORER: [u8; 3] = [50, 30, 15];

/// A JPEG that shows the same in at most `max_bytes`: the bytes themselves when they fit, otherwise narrower, and at last
/// of poorer quality. None: it can't be done.
///
/// # Errors
/// Bytes that aren't a picture.
pub fn fit(bytes: &[u8], max_bytes: usize) -> Result<Option<Vec<u8>>, PictureError> {
    if bytes.len() <= max_bytes {
        return Ok(Some(bytes.to_vec()));
    }
    let frame = still(bytes)?;
    let mut scaler = Scaler::default();
    let narrowest = WIDTHS[WIDTHS.len() - 1];
    let steps = WIDTHS.map(|share| (share, QUALITY)).into_iter().chain(POORER.map(|quality| (narrowest, quality)));
    for (share, quality) in steps {
        let width = (f64::from(frame.width) * share).round() as u32;
        let smaller = jpeg(&mut scaler, &frame, width, quality)?;
        if smaller.len() <= max_bytes {
            return Ok(Some(smaller));
        }
    }
    Ok(None)
}

/// No still is larger: 64 megapixels, so that a crafted file can't take the memory of the box.
const MAX_STILL_BYTES: u64 = 64_000_000 * 4;

/// Whether a JPEG lacks its end. The decoder would fill up what is missing with grey, and a model would see nobody there.
fn ends_early(jpeg: &[u8]) -> bool {
    // Within the coded picture neither can occur; an embedded thumbnail comes before the picture's own start.
    let last = |marker: [u8; 2]| jpeg.windows(2).rposition(|pair| pair == marker);
    match (last(START_OF_SCAN), last(END_OF_IMAGE)) {
        (Some(start), end) => end.is_none_or(|end| end < start),
        (None, _) => true,
    }
}

const START_OF_SCAN: [u8; 2] = [0xFF, 0xDA];
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

/// A JPEG or PNG as a frame of the moment zero. Rotation flags are not obeyed.
///
/// # Errors
/// Bytes that aren't a picture.
pub fn still(bytes: &[u8]) -> Result<Frame, PictureError> {
    let unreadable = |error: &dyn std::fmt::Display| PictureError::Unreadable(error.to_string());
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| unreadable(&error))?;
    if !matches!(reader.format(), Some(ImageFormat::Jpeg | ImageFormat::Png)) {
        return Err(unreadable(&"the file starts like neither"));
    }
    if reader.format() == Some(ImageFormat::Jpeg) && ends_early(bytes) {
        return Err(unreadable(&"the file ends in the middle of the picture"));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_STILL_BYTES);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| unreadable(&error))?.into_rgb8();
    let (width, height) = picture.dimensions();
    Ok(Frame {
        width,
        height,
        format: PixelFormat::Rgb,
        color: Color { matrix: Matrix::Bt601, full_range: true },
        planes: vec![Plane { data: picture.into_raw(), stride: width as usize * 3 }],
        arrived: Now::in_clip(Duration::ZERO),
        pts: Duration::ZERO,
        connection: 0,
        motion: Motion::Unknown,
    })
}
