//! The part of a frame that is looked at: all of it, or what surrounds a zone.
//!
//! Owns the margin around a zone; refuses to know samples, and what is asked about the part. Pure.

/// A part of a frame in whole pixels, within the frame and never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutout {
    /// `[left, top]`
    pub(super) at: [u32; 2],
    /// `[width, height]`
    pub(super) size: [u32; 2],
}

/// So much of the zone's own width and height is shown around it on every side: who stands on its edge is seen whole more
/// often, and what the zone belongs to (a door's frame, the tape on the floor) stays in the picture.
const MARGIN: f64 = 0.1;
/// No side is shorter (in pixels, if the frame has as many): less than this is a smudge at the size of any model.
const SHORTEST: f64 = 16.0;

impl Cutout {
    /// All of a frame of `frame` pixels (width, height).
    pub fn whole(frame: [u32; 2]) -> Cutout {
        Cutout { at: [0, 0], size: frame }
    }

    /// The bounding box of `zone` (normalised points) with a tenth of its size around it, on even pixels so that chroma is
    /// cut where luma is. Without a zone: the whole frame.
    pub fn around(zone: &[[f32; 2]], frame: [u32; 2]) -> Cutout {
        if zone.len() < 3 {
            return Cutout::whole(frame);
        }
        let along = |axis: usize| {
            let values = || zone.iter().map(|point| f64::from(point[axis]));
            let (from, to) = (values().fold(1.0, f64::min), values().fold(0.0, f64::max));
            let side = f64::from(frame[axis]);
            let half = ((to - from) * side * (0.5 + MARGIN)).max(SHORTEST / 2.0);
            let middle = ((from + to) / 2.0 * side).clamp(half.min(side / 2.0), (side - half).max(side / 2.0));
            let start = ((middle - half).max(0.0) / 2.0).floor() as u32 * 2;
            let end = (((middle + half) / 2.0).ceil() as u32 * 2).min(frame[axis]);
            (start, end - start)
        };
        let ((left, width), (top, height)) = (along(0), along(1));
        Cutout { at: [left, top], size: [width, height] }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_zone_is_seen_with_a_tenth_around_it() {
        let around = |zone: &[[f32; 2]]| Cutout::around(zone, [1920, 1080]);
        let triangle = around(&[[0.25, 0.5], [0.75, 0.5], [0.5, 0.75]]);
        assert_eq!(triangle, Cutout { at: [384, 512], size: [1152, 326] });
        assert_eq!(around(&[]), Cutout::whole([1920, 1080]));
    }

    #[test]
    fn the_margin_moves_nothing_out_of_the_frame() {
        let corner = Cutout::around(&[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]], [640, 480]);
        assert_eq!(corner, Cutout { at: [0, 0], size: [384, 288] }, "the middle moves in, so that no side shrinks");
        let dot = Cutout::around(&[[1.0, 1.0], [0.999, 1.0], [1.0, 0.999]], [640, 480]);
        assert_eq!(dot, Cutout { at: [624, 464], size: [16, 16] });
        assert_eq!(Cutout::around(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], [641, 481]), Cutout::whole([641, 481]));
    }

    proptest! {
        #[test]
        fn it_lies_in_the_frame_and_holds_the_zone(
            frame in [1u32..3000, 1u32..3000], zone in prop::collection::vec([0f32..=1.0, 0f32..=1.0], 3..9),
        ) {
            let Cutout { at, size } = Cutout::around(&zone, frame);
            for axis in 0..2 {
                prop_assert!(size[axis] >= frame[axis].min(16) && at[axis] + size[axis] <= frame[axis]);
                for point in &zone {
                    let pixel = point[axis] * frame[axis] as f32;
                    prop_assert!(at[axis] as f32 <= pixel + 0.01 && pixel - 0.01 <= (at[axis] + size[axis]) as f32);
                }
            }
        }
    }
}
