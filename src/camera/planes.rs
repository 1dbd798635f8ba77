//! From the decoder's buffer to a [`Frame`].
//!
//! Owns the copying of planes by stride and the reading of colorimetry; refuses to convert what is already 8-bit 4:2:0.
//! Runs on the caller's thread.

use std::time::Duration;

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::{VideoFrameRef, prelude::*};

use super::glance::Glance;
use super::problem::Problem;
use super::samples;
use crate::frame::{Color, Frame, Matrix, Motion, PixelFormat, Plane};
use crate::time::Now;

/// High definition begins here: streams that do not tell their matrix use BT.709 from this height on.
const HD_HEIGHT: u32 = 720;

/// A decoded picture in GStreamer's memory, of a layout that we read.
pub(super) struct Picture<'a> {
    buffer: &'a gst::BufferRef,
    info: gst_video::VideoInfo,
}

impl<'a> Picture<'a> {
    /// # Errors
    /// [`Problem::FormatUnsupported`] for what is not YUV, and for layouts of single makers.
    pub(super) fn of(sample: &'a gst::SampleRef) -> Result<Picture<'a>, Problem> {
        // Never cached: a camera may change its resolution at any keyframe.
        let info = sample.caps().and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok()).ok_or(Problem::Decoder)?;
        if !samples::are_readable(info.format_info()) {
            return Err(Problem::FormatUnsupported(info.format().to_str().to_string()));
        }
        Ok(Picture { buffer: sample.buffer().ok_or(Problem::Decoder)?, info })
    }

    /// Its time by the stream's clock.
    pub(super) fn pts(&self) -> Option<Duration> {
        self.buffer.pts().map(Duration::from)
    }

    /// The decoder had to guess parts of it.
    pub(super) fn corrupt(&self) -> bool {
        self.buffer.flags().contains(gst::BufferFlags::CORRUPTED)
    }

    /// Looks at it where it is; only luma of more than 8 bits, or packed with chroma, is copied for it.
    pub(super) fn glance(&self) -> Result<Glance, Problem> {
        let info = &self.info;
        let mapped = VideoFrameRef::from_buffer_ref_readable(self.buffer, info).map_err(|_| Problem::Decoder)?;
        let (width, height) = (info.width() as usize, info.height() as usize);
        if !samples::luma_lies_plain(&mapped) {
            let luma = samples::luma(&mapped).ok_or(Problem::Decoder)?;
            return Ok(Glance::of(&luma.data, luma.stride, width, height));
        }
        let luma = mapped.plane_data(0).map_err(|_| Problem::Decoder)?;
        let stride = mapped.plane_stride().first().and_then(|stride| usize::try_from(*stride).ok());
        Ok(Glance::of(luma, stride.ok_or(Problem::Decoder)?, width, height))
    }

    /// Copies it out: what is neither I420 nor NV12 becomes I420. Rows are packed: the stride is what a row's samples take.
    ///
    /// An interlaced picture of H.264 is taken as it is, both fields in one; H.265 makes a picture of each field.
    pub(super) fn copy(&self, arrived: Now, pts: Duration, connection: u64) -> Result<Frame, Problem> {
        let info = &self.info;
        let mapped = VideoFrameRef::from_buffer_ref_readable(self.buffer, info).map_err(|_| Problem::Decoder)?;
        let (format, planes) = match info.format() {
            gst_video::VideoFormat::I420 => (PixelFormat::I420, straight(&mapped, &[(0, 1), (1, 1), (2, 1)])),
            gst_video::VideoFormat::Nv12 => (PixelFormat::Nv12, straight(&mapped, &[(0, 1), (1, 2)])),
            _ => (PixelFormat::I420, samples::planes(&mapped)),
        };
        let planes = planes.ok_or(Problem::Decoder)?;
        let (width, height, color, motion) = (info.width(), info.height(), color(info), Motion::default());
        Ok(Frame { width, height, format, color, planes, arrived, pts, connection, motion })
    }
}

/// Row by row. Of each plane: the component that gives its size, and the samples it interleaves.
fn straight(picture: &VideoFrameRef<&gst::BufferRef>, layout: &[(u8, usize)]) -> Option<Vec<Plane>> {
    let planes = (0u32..).zip(layout).map(|(index, &(component, samples))| {
        let row = picture.info().comp_width(component) as usize * samples;
        plane(picture, index, row, picture.info().comp_height(component) as usize)
    });
    planes.collect()
}

fn plane(picture: &VideoFrameRef<&gst::BufferRef>, index: u32, row: usize, rows: usize) -> Option<Plane> {
    let source = picture.plane_data(index).ok()?;
    let stride = usize::try_from(*picture.plane_stride().get(index as usize)?).ok()?;
    let mut data = Vec::with_capacity(row * rows);
    for line in 0..rows {
        data.extend_from_slice(source.get(line * stride..line * stride + row)?);
    }
    Some(Plane { data, stride: row })
}

fn color(info: &gst_video::VideoInfo) -> Color {
    use gst_video::VideoColorMatrix as Told;
    let told = info.colorimetry();
    let matrix = match told.matrix() {
        Told::Bt709 | Told::Bt2020 => Matrix::Bt709,
        Told::Bt601 | Told::Fcc | Told::Smpte240m => Matrix::Bt601,
        _ if info.height() >= HD_HEIGHT => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    Color { matrix, full_range: told.range() == gst_video::VideoColorRange::Range0_255 }
}
