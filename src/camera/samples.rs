//! Any YUV samples as 8-bit 4:2:0.
//!
//! Owns the reading of sample layouts that few cameras lead to: more than 8 bits, 4:2:2, 4:4:4, grey. What is
//! too fine is left out, not averaged: a model's picture is smaller anyway. Refuses to know pictures and times. Runs on the
//! caller's thread.

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::{VideoFrameRef, prelude::*};

use crate::frame::Plane;

/// Chroma of a grey picture.
const NEUTRAL: u8 = 128;

/// Whether [`planes`] can read it.
pub(super) fn are_readable(format: gst_video::VideoFormatInfo) -> bool {
    let kind = format.is_yuv() || format.is_gray();
    let exotic = format.is_complex() || format.is_tiled();
    let fine = |subsampling: &[u32]| subsampling.iter().all(|halvings| *halvings <= 1);
    let in_order = format.is_le() || format.depth().iter().all(|bits| *bits <= 8);
    kind && !exotic && in_order && fine(format.w_sub()) && fine(format.h_sub())
}

/// Y, U and V of `picture`, rows packed, U and V at half width and half height (rounded up). None when
/// samples are missing.
pub(super) fn planes(picture: &VideoFrameRef<&gst::BufferRef>) -> Option<Vec<Plane>> {
    let (width, height) = (picture.info().width() as usize, picture.info().height() as usize);
    let halves = [width.div_ceil(2), height.div_ceil(2)];
    let chroma = |component| {
        if picture.format_info().n_components() < 3 {
            return Some(Plane { data: vec![NEUTRAL; halves[0] * halves[1]], stride: halves[0] });
        }
        Component::of(picture, component)?.plane(halves, 2)
    };
    Some(vec![luma(picture)?, chroma(1)?, chroma(2)?])
}

/// Y alone, rows packed. None when samples are missing.
pub(super) fn luma(picture: &VideoFrameRef<&gst::BufferRef>) -> Option<Plane> {
    Component::of(picture, 0)?.plane([picture.info().width() as usize, picture.info().height() as usize], 1)
}

/// Whether the first plane is nothing but luma, a byte a sample.
pub(super) fn luma_lies_plain(picture: &VideoFrameRef<&gst::BufferRef>) -> bool {
    let (info, format) = (picture.info(), picture.format_info());
    format.depth().first() == Some(&8) && info.comp_pstride(0) == 1 && info.comp_offset(0) == 0
}

/// The samples of one kind, wherever they lie.
struct Component<'a> {
    data: &'a [u8],
    /// Bytes from one row to the next.
    stride: usize,
    /// Bytes from one sample to the next.
    step: usize,
    /// How far a sample of two bytes is shifted to have 8 bits; None: it has one byte.
    shift: Option<u32>,
    /// Pixels of the picture for a sample, across and down.
    pixels: [usize; 2],
    /// Samples across and down.
    size: [usize; 2],
}

impl<'a> Component<'a> {
    fn of(picture: &'a VideoFrameRef<&gst::BufferRef>, component: u8) -> Option<Component<'a>> {
        let (info, format, index) = (picture.info(), picture.format_info(), usize::from(component));
        let (bits, shift) = (*format.depth().get(index)?, *format.shift().get(index)?);
        Some(Component {
            data: picture.comp_data(u32::from(component)).ok()?,
            stride: usize::try_from(info.comp_stride(component)).ok()?,
            step: usize::try_from(info.comp_pstride(component)).ok()?,
            shift: (bits > 8).then(|| shift + bits - 8),
            pixels: [1 << format.w_sub().get(index)?, 1 << format.h_sub().get(index)?],
            size: [info.comp_width(component) as usize, info.comp_height(component) as usize],
        })
    }

    /// As bytes: `width` by `height` of them, one for each `each` pixels of the picture across and down.
    fn plane(&self, [width, height]: [usize; 2], each: usize) -> Option<Plane> {
        let mut data = Vec::with_capacity(width * height);
        let last = self.size[0].checked_sub(1)?;
        for y in 0..height {
            let row = (y * each / self.pixels[1]).min(self.size[1].checked_sub(1)?);
            let row = self.data.get(row * self.stride..)?;
            for x in 0..width {
                data.push(self.sample(row, (x * each / self.pixels[0]).min(last))?);
            }
        }
        Some(Plane { data, stride: width })
    }

    fn sample(&self, row: &[u8], x: usize) -> Option<u8> {
        let low = *row.get(x * self.step)?;
        let Some(shift) = self.shift else { return Some(low) };
        let high = *row.get(x * self.step + 1)?;
        Some((u16::from_le_bytes([low, high]) >> shift) as u8)
    }
}
