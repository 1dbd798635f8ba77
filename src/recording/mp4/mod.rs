//! Fragmented MP4: encoded pictures as a camera sent them, put into a file that grows by whole fragments.
//!
//! Owns the boxes: the init segment ([`init`]), fragments ([`Cutter`]), and the way back from a file to its whole fragments
//! ([`walk`], [`index`]). Refuses to decode, and to change a single byte of a NAL unit. Pure: bytes in, bytes out.
//!
//! ```text
//! ftyp moov │ moof mdat │ moof mdat │ moof mdat …      whatever a kill leaves behind the last whole pair is cut off
//!    init   │ fragment  │ fragment
//! ```
//!
//! Sections are those of ISO/IEC 14496-12 (the file) and 14496-15 (H.264 and H.265 in it).

mod bits;
mod boxes;
mod cutter;
mod fragment;
mod header;
mod sets;
mod sps;
mod units;
mod walk;

pub use cutter::{Cutter, Fragment, Picture};
pub use header::init;
pub use sets::{Sets, Unfit};
pub use walk::{Span, Whole, began, index, walk};

/// How pictures are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// H.264, AVC.
    H264,
    /// H.265, HEVC.
    H265,
}

/// Ticks a second in every file: the clock of RTP's video (RFC 6184, RFC 7798), so that no camera's time is rounded.
pub const TICKS: u32 = 90_000;

/// The only track.
const TRACK: u32 = 1;
