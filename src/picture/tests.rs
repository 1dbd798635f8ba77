//! Frames of every layout become the same picture; pictures fit their budget.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::frame::{Color, Frame, Matrix, PixelFormat, Plane};
use crate::time::Now;

const COLORS: [Color; 4] = [
    Color { matrix: Matrix::Bt601, full_range: false },
    Color { matrix: Matrix::Bt601, full_range: true },
    Color { matrix: Matrix::Bt709, full_range: false },
    Color { matrix: Matrix::Bt709, full_range: true },
];

/// A smooth scene, so that halved chroma loses nothing that matters.
fn scene(x: f64, y: f64) -> [f64; 3] {
    [40.0 + 160.0 * x, 60.0 + 120.0 * y, 200.0 - 100.0 * x * y]
}

/// The textbook equations (ITU-R BT.601/709), in floating point.
fn yuv([r, g, b]: [f64; 3], color: Color) -> [u8; 3] {
    let (kr, kb) = match color.matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
    };
    let luma = kr * r + (1.0 - kr - kb) * g + kb * b;
    let (cb, cr) = ((b - luma) / (2.0 * (1.0 - kb)), (r - luma) / (2.0 * (1.0 - kr)));
    let limited = [16.0 + luma * 219.0 / 255.0, 128.0 + cb * 224.0 / 255.0, 128.0 + cr * 224.0 / 255.0];
    let full = [luma, 128.0 + cb, 128.0 + cr];
    if color.full_range { full } else { limited }.map(|value| value.round().clamp(0.0, 255.0) as u8)
}

/// The scene in a layout; rows are `pad` bytes longer than needed, filled with what must never be seen.
fn frame(width: u32, height: u32, format: PixelFormat, color: Color, pad: usize) -> Frame {
    let plane = |divisor: u32, samples: &dyn Fn(f64, f64) -> Vec<u8>| {
        let (columns, rows) = (width.div_ceil(divisor), height.div_ceil(divisor));
        let mut data = Vec::new();
        for y in 0..rows {
            for x in 0..columns {
                let centre = |at: u32, side: u32| (f64::from(at) + 0.5) * f64::from(divisor) / f64::from(side);
                data.extend(samples(centre(x, width), centre(y, height)));
            }
            data.extend(std::iter::repeat_n(255, pad));
        }
        Plane { stride: data.len() / rows as usize, data }
    };
    let sample = |which: usize| move |x: f64, y: f64| vec![yuv(scene(x, y), color)[which]];
    let planes = match format {
        PixelFormat::Rgb => vec![plane(1, &|x, y| scene(x, y).map(|value| value.round() as u8).to_vec())],
        PixelFormat::I420 => vec![plane(1, &sample(0)), plane(2, &sample(1)), plane(2, &sample(2))],
        PixelFormat::Nv12 => vec![plane(1, &sample(0)), plane(2, &|x, y| yuv(scene(x, y), color)[1..].to_vec())],
    };
    let arrived = Now::in_clip(Duration::ZERO);
    Frame {
        width,
        height,
        format,
        color,
        planes,
        arrived,
        pts: Duration::ZERO,
        connection: 0,
        motion: Default::default(),
    }
}

fn input(size: [u32; 2], resize: Resize) -> Input {
    let (mean, std) = ([0.0; 3], [1.0; 3]);
    Input {
        size,
        resize,
        filter: Filter::Area,
        short_side: None,
        pad: 114.0,
        color: ColorOrder::Rgb,
        scale: 1.0,
        mean,
        std,
    }
}

fn numbers(frame: &Frame, input: &Input) -> Vec<f32> {
    let mut numbers = Vec::new();
    tensor(&mut Scaler::default(), frame, input, &mut numbers).unwrap();
    numbers
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_layout_matrix_and_range_gives_the_same_picture() {
    for (width, height) in [(320, 180), (317, 179)] {
        let input = input([96, 96], Resize::Letterbox);
        let rgb = numbers(&frame(width, height, PixelFormat::Rgb, COLORS[0], 0), &input);
        for color in COLORS {
            for format in [PixelFormat::I420, PixelFormat::Nv12] {
                let same = numbers(&frame(width, height, format, color, 5), &input);
                let off = worst(&rgb, &same);
                assert!(off < 4.0, "{width}x{height} {format:?} {color:?} is {off} levels off");
            }
        }
    }
}

#[test]
fn the_wrong_matrix_would_be_seen() {
    let mut lied = frame(320, 180, PixelFormat::I420, COLORS[0], 0);
    let input = input([96, 96], Resize::Squash);
    let right = numbers(&lied, &input);
    lied.color = COLORS[3];
    assert!(worst(&right, &numbers(&lied, &input)) > 8.0);
}

#[test]
fn the_numbers_are_planar_ordered_and_normalised() {
    let flat = Frame {
        planes: vec![Plane { data: [10, 20, 30].repeat(8 * 4), stride: 24 }],
        ..frame(8, 4, PixelFormat::Rgb, COLORS[0], 0)
    };
    let wanted = Input {
        color: ColorOrder::Bgr,
        scale: 0.5,
        mean: [1.0, 2.0, 3.0],
        std: [2.0, 4.0, 8.0],
        pad: 100.0,
        ..input([4, 4], Resize::Letterbox)
    };
    let [b, g, r] = [(15.0 - 1.0) / 2.0, (10.0 - 2.0) / 4.0, (5.0 - 3.0) / 8.0];
    let [pad_b, pad_g, pad_r] = [(50.0 - 1.0) / 2.0, (50.0 - 2.0) / 4.0, (50.0 - 3.0) / 8.0];
    let plane = |inside: f32, pad: f32| [[pad; 4], [inside; 4], [inside; 4], [pad; 4]].concat();
    assert_eq!(numbers(&flat, &wanted), [plane(b, pad_b), plane(g, pad_g), plane(r, pad_r)].concat());
    let top = Input { resize: Resize::LetterboxTopLeft, ..wanted };
    assert_eq!(numbers(&flat, &top)[..16], [[b; 4], [b; 4], [pad_b; 4], [pad_b; 4]].concat());
}

#[test]
fn a_crop_is_the_middle() {
    let wide = frame(300, 100, PixelFormat::I420, COLORS[2], 0);
    let cropped = numbers(&wide, &input([50, 50], Resize::Crop));
    let [left, right] = [1.0 / 3.0 + 1.0 / 300.0, 2.0 / 3.0 - 1.0 / 300.0].map(|x| scene(x, 0.01)[0] as f32);
    assert!((cropped[0] - left).abs() < 4.0 && (cropped[49] - right).abs() < 4.0, "{} {}", cropped[0], cropped[49]);
}

#[test]
fn of_a_part_only_that_part_is_seen() {
    let zone = [[0.55, 0.55], [0.95, 0.55], [0.95, 0.95], [0.55, 0.95]];
    for format in [PixelFormat::Rgb, PixelFormat::I420, PixelFormat::Nv12] {
        let given = frame(400, 300, format, COLORS[0], 3);
        let cutout = Cutout::around(&zone, [400, 300]);
        let mut part = Vec::new();
        let wanted = input([20, 20], Resize::Squash);
        let placement = tensor_of(&mut Scaler::default(), &given, cutout, &wanted, &mut part).unwrap();
        assert_eq!(placement.source, [204.0, 152.0, 192.0, 146.0]);
        let corner = |x: f64, y: f64| scene((204.0 + 192.0 * x) / 400.0, (152.0 + 146.0 * y) / 300.0)[0] as f32;
        let [first, last] = [part[0] - corner(0.025, 0.025), part[399] - corner(0.975, 0.975)];
        assert!(first.abs() < 3.0 && last.abs() < 3.0, "{format:?}: {first} and {last} levels off");
    }
}

#[test]
fn a_frame_without_all_its_samples_is_refused() {
    let mut short = frame(64, 48, PixelFormat::I420, COLORS[0], 0);
    short.planes[2].data.pop();
    let mut missing = frame(64, 48, PixelFormat::Nv12, COLORS[0], 0);
    missing.planes.pop();
    let mut narrow = frame(64, 48, PixelFormat::I420, COLORS[0], 0);
    narrow.planes[0].stride = 63;
    for bad in [short, missing, narrow] {
        let refused = tensor(&mut Scaler::default(), &bad, &input([32, 32], Resize::Squash), &mut Vec::new());
        assert_eq!(
            refused.unwrap_err().to_string(),
            "a frame of 64x48 arrived without all of its samples; it is skipped"
        );
    }
}

#[test]
fn a_jpeg_is_the_picture_at_the_asked_width() {
    let full = frame(640, 360, PixelFormat::Nv12, COLORS[2], 0);
    let small = still(&jpeg(&mut Scaler::default(), &full, 320, 90).unwrap()).unwrap();
    assert_eq!((small.width, small.height), (320, 180));
    let original = frame(320, 180, PixelFormat::Rgb, COLORS[0], 0);
    let pairs = small.planes[0].data.iter().zip(&original.planes[0].data);
    assert!(pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap() < 12);
    let never_larger = still(&jpeg(&mut Scaler::default(), &full, 5000, 90).unwrap()).unwrap();
    assert_eq!((never_larger.width, never_larger.height), (640, 360));
}

#[test]
fn a_jpeg_is_made_to_fit_and_always_the_same_way() {
    let noisy = Frame {
        planes: vec![Plane {
            data: (0..640_u32 * 360 * 3).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
            stride: 640 * 3,
        }],
        ..frame(640, 360, PixelFormat::Rgb, COLORS[0], 0)
    };
    let whole = jpeg(&mut Scaler::default(), &noisy, 640, 90).unwrap();
    assert_eq!(fit(&whole, whole.len()).unwrap().unwrap(), whole, "what fits stays as it is");
    let mut widths = Vec::new();
    for budget in [100_000, 30_000, 5_000, 2_000] {
        let fitted = fit(&whole, budget).unwrap().unwrap();
        assert!(fitted.len() <= budget);
        assert_eq!(fit(&whole, budget).unwrap().unwrap(), fitted);
        widths.push(still(&fitted).unwrap().width);
    }
    assert!(widths.is_sorted_by(|a, b| a >= b) && widths[3] < 640, "{widths:?}");
    assert_eq!(fit(&whole, 100).unwrap(), None);
}

#[test]
fn what_is_no_picture_is_told() {
    assert_eq!(
        still(b"GIF89a").unwrap_err().to_string(),
        "it isn't a JPEG or PNG picture that can be read: the file starts like neither; give another"
    );
    assert!(fit(b"\xff\xd8\xff\xe0 broken", 3).is_err());
}

proptest! {
    #[test]
    fn any_size_and_stride_converts(
        width in 1u32..70, height in 1u32..70, pad in 0usize..9, model in [1u32..40, 1u32..40], layout in 0usize..3,
        mode in 0usize..4, filter in 0usize..4,
    ) {
        let format = [PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Rgb][layout];
        let mode = [Resize::Letterbox, Resize::LetterboxTopLeft, Resize::Squash, Resize::Crop][mode];
        let given = frame(width, height, format, COLORS[1], pad);
        let filter = [Filter::Area, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos][filter];
        let input = Input { filter, ..input(model, mode) };
        let result = numbers(&given, &input);
        prop_assert_eq!(result.len(), (model[0] * model[1] * 3) as usize);
        // The padding is 255, which is nowhere in the scene: were it read, these would differ.
        prop_assert_eq!(result, numbers(&frame(width, height, format, COLORS[1], 0), &input));
    }
}

#[test]
fn a_jpeg_that_ends_early_is_no_picture() {
    let mut whole = Vec::new();
    let noise = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([(x * 37 % 256) as u8, (y * 91 % 256) as u8, 7]));
    image::codecs::jpeg::JpegEncoder::new(&mut whole).encode_image(&noise).unwrap();
    assert!(still(&whole).is_ok());
    let padded = [whole.as_slice(), &[0; 100]].concat();
    assert!(still(&padded).is_ok(), "some cameras pad");
    for length in [whole.len() / 2, whole.len() - 2] {
        let error = still(&whole[..length]).unwrap_err().to_string();
        assert!(error.contains("ends in the middle of the picture"), "{error}");
    }
}
