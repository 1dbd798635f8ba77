//! What can be told of a decoded picture at a glance.
//!
//! Owns a small picture of its light, a fingerprint and whether there is anything to see; refuses to compare pictures.
//! Only luma is read, and of a large picture only some of its rows. Pure.

use std::hash::{DefaultHasher, Hasher};

use crate::frame::Frame;
use crate::gate::Luma;

/// So many rows of a picture are enough for a fingerprint: no two pictures of a sensor agree in any row.
const ROWS: usize = 120;

/// The samples of a picture that shows nothing differ by less: a lens cap, a lost signal, a blue screen.
const UNIFORM: u8 = 12;

/// What tells a picture from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The same for the same luma samples; of different pictures it differs.
    pub hash: u64,
    /// It is all one shade: two of these are no sign of a frozen camera.
    pub uniform: bool,
}

/// What one look at a picture gives.
#[derive(Clone, Debug)]
pub struct Glance {
    /// To compare with what a camera always shows.
    pub luma: Luma,
    /// To tell whether it is the same picture as before.
    pub fingerprint: Fingerprint,
}

impl Glance {
    /// At a luma plane with `stride` bytes a row.
    pub fn of(plane: &[u8], stride: usize, width: usize, height: usize) -> Glance {
        let mut hasher = DefaultHasher::new();
        let (mut darkest, mut lightest) = (u8::MAX, u8::MIN);
        // Odd, so that both fields of an interlaced picture are read.
        let step = (height / ROWS).max(1) | 1;
        for row in (0..height).step_by(step).filter_map(|y| plane.get(y * stride..y * stride + width)) {
            hasher.write(row);
            darkest = row.iter().fold(darkest, |least, sample| least.min(*sample));
            lightest = row.iter().fold(lightest, |most, sample| most.max(*sample));
        }
        let fingerprint = Fingerprint { hash: hasher.finish(), uniform: lightest.saturating_sub(darkest) < UNIFORM };
        Glance { luma: Luma::of(plane, stride, width, height), fingerprint }
    }

    /// At a frame that has been copied out.
    pub fn at(frame: &Frame) -> Glance {
        let (data, stride) = frame.planes.first().map_or((&[][..], 0), |luma| (&luma.data[..], luma.stride));
        Glance::of(data, stride, frame.width as usize, frame.height as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_picture_has_the_same_fingerprint_whatever_its_stride() {
        let mut plane: Vec<u8> = (0..640 * 360).map(|at| (at % 251) as u8).collect();
        let first = Glance::of(&plane, 640, 640, 360).fingerprint;
        let wide: Vec<u8> = plane.chunks(640).flat_map(|row| [row, &[7; 32]].concat()).collect();
        assert_eq!(Glance::of(&wide, 672, 640, 360).fingerprint, first);
        assert!(!first.uniform);
        plane[0] += 1;
        assert_ne!(Glance::of(&plane, 640, 640, 360).fingerprint.hash, first.hash);
    }

    #[test]
    fn a_black_picture_is_uniform_and_its_noise_does_not_matter() {
        let noisy: Vec<u8> = (0..320 * 240).map(|at| 16 + (at % 3) as u8).collect();
        assert!(Glance::of(&noisy, 320, 320, 240).fingerprint.uniform);
        let mut lamp = noisy;
        lamp[3 * 320..3 * 320 + 20].fill(200);
        assert!(!Glance::of(&lamp, 320, 320, 240).fingerprint.uniform);
        assert!(Glance::of(&[], 0, 0, 0).fingerprint.uniform, "nothing at all");
    }
}
