//! Which way up a picture is.
//!
//! Owns the quarter turns that a recording asks for; refuses to know who asked. Pure.

use crate::frame::{Frame, PixelFormat, Plane};

/// How a stored picture must be turned, clockwise, to stand upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// Not at all.
    #[default]
    None,
    /// By 90 degrees.
    Right,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    Left,
}

impl Turn {
    /// What GStreamer's tag `image-orientation` means. Mirrored pictures are only turned: no camera makes them.
    pub(super) fn of_tag(orientation: &str) -> Turn {
        match orientation.trim_start_matches("flip-") {
            "rotate-90" => Turn::Right,
            "rotate-180" => Turn::Half,
            "rotate-270" => Turn::Left,
            _ => Turn::None,
        }
    }

    /// `frame`, standing upright.
    pub(super) fn upright(self, mut frame: Frame) -> Frame {
        if self == Turn::None {
            return frame;
        }
        let size = [frame.width as usize, frame.height as usize];
        let halves = size.map(|side| side.div_ceil(2));
        for (index, plane) in frame.planes.iter_mut().enumerate() {
            let size = if index == 0 { size } else { halves };
            *plane = match (frame.format, index) {
                (PixelFormat::Rgb, _) => self.plane::<3>(plane, size),
                (PixelFormat::Nv12, 1) => self.plane::<2>(plane, size),
                _ => self.plane::<1>(plane, size),
            };
        }
        [frame.width, frame.height] = self.sides([frame.width, frame.height]);
        frame
    }

    /// Width and height after the turn.
    fn sides<T>(self, [width, height]: [T; 2]) -> [T; 2] {
        if matches!(self, Turn::Right | Turn::Left) { [height, width] } else { [width, height] }
    }

    /// A plane of `size` pixels of `N` bytes each.
    fn plane<const N: usize>(self, plane: &Plane, size: [usize; 2]) -> Plane {
        let [width, height] = self.sides(size);
        let mut data = Vec::with_capacity(width * height * N);
        for y in 0..height {
            for x in 0..width {
                let [x, y] = self.stored([x, y], size);
                let at = y * plane.stride + x * N;
                data.extend_from_slice(&plane.data[at..at + N]);
            }
        }
        Plane { data, stride: width * N }
    }

    /// Where an upright picture's pixel is in the stored one of `size`.
    fn stored(self, [x, y]: [usize; 2], [width, height]: [usize; 2]) -> [usize; 2] {
        match self {
            Turn::None => [x, y],
            Turn::Right => [y, height - 1 - x],
            Turn::Half => [width - 1 - x, height - 1 - y],
            Turn::Left => [width - 1 - y, x],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::frame::{Color, Matrix, Motion};
    use crate::time::Now;

    /// Three pixels wide, two high; the padding of its rows is 99.
    fn frame(format: PixelFormat) -> Frame {
        let planes: &[(&[u8], usize)] = match format {
            PixelFormat::I420 => &[(&[1, 2, 3, 99, 4, 5, 6, 99], 4), (&[7, 8], 2), (&[9, 10], 2)],
            PixelFormat::Nv12 => &[(&[1, 2, 3, 4, 5, 6], 3), (&[7, 9, 8, 10, 99], 5)],
            PixelFormat::Rgb => &[(&[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 7], 9)],
        };
        Frame {
            width: 3,
            height: 2,
            format,
            color: Color { matrix: Matrix::Bt601, full_range: false },
            planes: planes.iter().map(|(data, stride)| Plane { data: data.to_vec(), stride: *stride }).collect(),
            arrived: Now::in_clip(Duration::ZERO),
            pts: Duration::ZERO,
            connection: 1,
            motion: Motion::Unknown,
        }
    }

    fn turned(turn: Turn, format: PixelFormat) -> ([u32; 2], Vec<Vec<u8>>) {
        let upright = turn.upright(frame(format));
        let size = [upright.width, upright.height];
        for (index, plane) in upright.planes.iter().enumerate() {
            let bytes = [1, if format == PixelFormat::Nv12 { 2 } else { 1 }, 1][index];
            let across = if index == 0 { size[0] } else { size[0].div_ceil(2) } as usize;
            assert_eq!(plane.stride, across * if format == PixelFormat::Rgb { 3 } else { bytes });
        }
        (size, upright.planes.into_iter().map(|plane| plane.data).collect())
    }

    #[test]
    fn every_plane_is_turned_clockwise() {
        let planes = |parts: &[&[u8]]| parts.iter().map(|part| part.to_vec()).collect::<Vec<_>>();
        let i420 = |turn| turned(turn, PixelFormat::I420);
        assert_eq!(i420(Turn::Right), ([2, 3], planes(&[&[4, 1, 5, 2, 6, 3], &[7, 8], &[9, 10]])));
        assert_eq!(i420(Turn::Half), ([3, 2], planes(&[&[6, 5, 4, 3, 2, 1], &[8, 7], &[10, 9]])));
        assert_eq!(i420(Turn::Left), ([2, 3], planes(&[&[3, 6, 2, 5, 1, 4], &[8, 7], &[10, 9]])));
        let expected = planes(&[&[4, 1, 5, 2, 6, 3], &[7, 9, 8, 10]]);
        assert_eq!(turned(Turn::Right, PixelFormat::Nv12), ([2, 3], expected));
        let expected = planes(&[&[6, 6, 7, 5, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1]]);
        assert_eq!(turned(Turn::Half, PixelFormat::Rgb), ([3, 2], expected));
    }

    #[test]
    fn what_stands_upright_is_left_alone() {
        let left_alone = Turn::of_tag("rotate-0").upright(frame(PixelFormat::I420));
        assert_eq!(left_alone.planes, frame(PixelFormat::I420).planes);
        assert_eq!([Turn::of_tag("rotate-270"), Turn::of_tag("flip-rotate-90")], [Turn::Left, Turn::Right]);
    }
}
