//! A decoded picture, as the decoder left it.
//!
//! Owns the planes and when they arrived; refuses to know who decoded it, what looks at it, and any colour conversion
//! (`picture/` does that, once, at the size that is needed).

use std::time::Duration;

use crate::time::Now;

/// How the planes of a [`Frame`] are laid out. All samples are 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// Three planes: Y at full size, U and V at half width and half height (rounded up).
    I420,
    /// Two planes: Y at full size, U and V interleaved at half height.
    Nv12,
    /// One plane of interleaved R, G, B: still pictures.
    Rgb,
}

/// The matrix between YUV and RGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

/// How the samples code light. Ignored for [`PixelFormat::Rgb`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    /// The matrix between YUV and RGB.
    pub matrix: Matrix,
    /// Luma from 0 to 255 instead of 16 to 235.
    pub full_range: bool,
}

/// One plane of samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    /// `stride` bytes a row, `rows` rows.
    pub data: Vec<u8>,
    /// Bytes from one row to the next; at least what the row's samples take.
    pub stride: usize,
}

/// Whether something moved before a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Motion {
    /// Nobody looked: it counts as movement.
    #[default]
    Unknown,
    /// What the camera always shows, whatever the light.
    Still,
    /// Something else.
    Moved,
    /// The camera slept when it arrived and was woken by something that moved thereabouts: it is decoded late, one of many,
    /// and each of them is to be looked at in its turn.
    SleptThrough,
}

/// A decoded picture with the time at which its packet reached the daemon.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// The layout of `planes`.
    pub format: PixelFormat,
    /// How the samples code light.
    pub color: Color,
    /// The planes, in the order that `format` names.
    pub planes: Vec<Plane>,
    /// When the packet that holds this picture reached the daemon (`observed_at` of what is seen on it).
    pub arrived: Now,
    /// Presentation time since the connection's first frame.
    pub pts: Duration,
    /// Counts the connections of a camera: `pts` compares only within one.
    pub connection: u64,
    /// Whether something moved, by the camera's own look at it.
    pub motion: Motion,
}
