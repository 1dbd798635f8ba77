//! The filters against the libraries that models were trained with. The numbers come from scripts/filters_golden.py.

use std::time::Duration;

use crate::frame::{Color, Frame, Matrix, PixelFormat, Plane};
use crate::picture::{Filter, Scaler};
use crate::time::Now;

/// Blocks of 7 x 3 pixels with hard edges, as in scripts/filters_golden.py.
fn scene(width: u32, height: u32) -> Frame {
    let sample = |number: u32| (number.wrapping_mul(2_654_435_761) >> 24) as u8;
    let samples = (0..height).flat_map(|y| {
        (0..width).flat_map(move |x| (0..3).map(move |channel| sample((y / 3 * 16 + x / 7) * 3 + channel)))
    });
    Frame {
        width,
        height,
        format: PixelFormat::Rgb,
        color: Color { matrix: Matrix::Bt601, full_range: true },
        planes: vec![Plane { data: samples.collect(), stride: width as usize * 3 }],
        arrived: Now::in_clip(Duration::ZERO),
        pts: Duration::ZERO,
        connection: 0,
        motion: Default::default(),
    }
}

/// The largest difference in levels between what the filter makes of the scene and what a library made of it.
fn off(filter: Filter, size: [u32; 2], into: [u32; 2], expected: &[u8]) -> u8 {
    let whole = [0.0, 0.0, f64::from(size[0]), f64::from(size[1])];
    let mut scaler = Scaler::default();
    let picture = scaler.rgb(&scene(size[0], size[1]), whole, into, filter).unwrap();
    assert_eq!(picture.data.len(), expected.len());
    picture.data.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// In levels: OpenCV's bilinear is our own code and equals it to the bit.
fn tolerance(filter: Filter) -> u8 {
    u8::from(filter != Filter::Bilinear)
}

#[test]
fn shrinking_equals_the_libraries() {
    for (filter, expected) in [(Filter::Bilinear, BILINEAR), (Filter::Bicubic, BICUBIC), (Filter::Lanczos, LANCZOS)] {
        for other in [Filter::Area, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos, Filter::Smooth] {
            let off = off(other, [67, 45], [5, 4], expected);
            let wanted = if other == filter { off <= tolerance(filter) } else { off > 2 };
            assert!(wanted, "{other:?} is {off} levels off {filter:?}");
        }
    }
}

#[test]
fn so_does_enlarging() {
    for (filter, expected) in [
        (Filter::Bilinear, BILINEAR_ENLARGED),
        (Filter::Bicubic, BICUBIC_ENLARGED),
        (Filter::Lanczos, LANCZOS_ENLARGED),
    ] {
        let off = off(filter, [20, 7], [3, 9], expected);
        assert!(off <= tolerance(filter), "{filter:?} is {off} levels off");
    }
}

#[rustfmt::skip]
const BILINEAR: &[u8] = &[
    152, 86, 212, 84, 242, 145, 42, 168, 102, 191, 93, 27, 116, 50, 177, 76, 234, 136, 9, 167, 69, 190, 92, 251,
    115, 18, 176, 41, 199, 101, 245, 147, 50, 178, 81, 239, 104, 6, 164, 29, 187, 89, 210, 113, 15, 170, 72, 198,
    103, 229, 163, 28, 155, 89, 178, 112, 14, 135, 37, 163,
];

#[rustfmt::skip]
const BICUBIC: &[u8] = &[
    130, 137, 128, 120, 138, 144, 123, 117, 138, 142, 131, 107, 137, 129, 123, 147, 142, 129, 115, 142, 135, 128,
    113, 141, 140, 126, 112, 125, 135, 122, 145, 141, 127, 114, 140, 135, 126, 112, 140, 139, 125, 110, 126, 133,
    121, 133, 143, 132, 109, 146, 126, 131, 111, 140, 139, 118, 114, 114, 137, 123,
];

#[rustfmt::skip]
const LANCZOS: &[u8] = &[
    130, 138, 127, 121, 137, 144, 120, 116, 138, 144, 132, 105, 137, 128, 125, 147, 145, 130, 112, 142, 133, 130,
    111, 142, 141, 125, 113, 123, 137, 123, 147, 141, 127, 113, 138, 136, 125, 111, 140, 141, 127, 108, 128, 132,
    122, 132, 145, 133, 107, 146, 125, 133, 109, 140, 140, 118, 115, 112, 138, 124,
];

#[rustfmt::skip]
const BILINEAR_ENLARGED: &[u8] = &[
    0, 158, 60, 218, 120, 23, 181, 83, 241, 0, 158, 60, 218, 120, 23, 181, 83, 241, 0, 158, 60, 218, 120, 23,
    181, 83, 241, 38, 139, 98, 199, 101, 61, 162, 121, 222, 170, 72, 230, 133, 35, 193, 95, 253, 156, 170, 72,
    230, 133, 35, 193, 95, 253, 156, 170, 72, 230, 133, 35, 193, 95, 253, 156, 141, 129, 202, 104, 92, 164, 67,
    225, 127, 84, 243, 145, 47, 205, 107, 10, 168, 70,
];

#[rustfmt::skip]
const BICUBIC_ENLARGED: &[u8] = &[
    13, 156, 56, 190, 123, 37, 191, 88, 207, 13, 156, 56, 190, 123, 37, 191, 88, 207, 4, 161, 47, 193, 127, 28,
    196, 81, 210, 40, 141, 86, 181, 110, 65, 175, 111, 199, 168, 68, 228, 136, 49, 196, 100, 219, 161, 171, 66,
    231, 135, 48, 199, 98, 222, 160, 174, 56, 234, 142, 38, 202, 106, 222, 167, 140, 124, 201, 108, 100, 168, 73,
    204, 133, 78, 249, 139, 46, 216, 106, 11, 171, 71,
];

#[rustfmt::skip]
const LANCZOS_ENLARGED: &[u8] = &[
    8, 157, 56, 192, 123, 34, 193, 87, 209, 13, 154, 61, 190, 121, 39, 190, 91, 208, 0, 166, 38, 198, 131, 17,
    203, 73, 214, 37, 141, 87, 182, 109, 63, 176, 111, 200, 169, 68, 229, 136, 46, 196, 99, 221, 160, 175, 68,
    236, 131, 47, 202, 92, 227, 155, 178, 44, 238, 150, 24, 205, 114, 225, 174, 139, 130, 199, 106, 103, 166, 69,
    204, 130, 78, 253, 139, 45, 218, 105, 9, 169, 69,
];
