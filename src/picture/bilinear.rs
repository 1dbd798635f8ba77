//! OpenCV's `INTER_LINEAR` for samples of 8 bits, to the bit: most published detectors were trained and measured with it, and
//! where two boxes are equally good a single level of a few samples decides between them.
//!
//! Owns the fixed-point arithmetic; refuses to know frames and colours. Source: OpenCV, `imgproc/src/resize.cpp`
//! (`HResizeLinear`, and `VResizeLinear` with its cuts to 16 bits). Keep one [`Bilinear`] per caller: its scratch space is
//! reused.

/// Interleaved samples.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// Rows of `stride` bytes.
    pub(super) data: &'a [u8],
    pub(super) stride: usize,
    /// Width and height in pixels.
    pub(super) size: [u32; 2],
}

/// The two neighbours that a sample is made of: where they begin, and how much of each, in 2048ths.
#[derive(Clone, Copy)]
struct Tap {
    places: [usize; 2],
    shares: [i32; 2],
}

/// All of a sample.
const WHOLE: f32 = 2048.0;

/// Scales by two neighbours a side.
#[derive(Default)]
pub(super) struct Bilinear {
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    /// The two rows of the source that a row of the target is made of, scaled to its width.
    narrow: [Vec<i16>; 2],
}

impl Bilinear {
    /// Fills `into` with the part `crop` (`[left, top, width, height]`) of `source`, whose pixels have `SAMPLES` samples,
    /// scaled to `size` (width, height). At the edge of the part its neighbours count, where there are any.
    pub(super) fn scale<const SAMPLES: usize>(
        &mut self,
        source: Source<'_>,
        crop: [f64; 4],
        size: [u32; 2],
        into: &mut Vec<u8>,
    ) {
        let Bilinear { columns, rows, narrow } = self;
        fill(columns, source.size[0], SAMPLES, [crop[0], crop[2]], size[0]);
        fill(rows, source.size[1], source.stride, [crop[1], crop[3]], size[1]);
        let samples = size[0] as usize * SAMPLES;
        narrow.iter_mut().for_each(|row| row.resize(samples, 0));
        into.resize(samples * size[1] as usize, 0);
        let mut held = [None; 2];
        for (line, Tap { places, shares }) in into.chunks_exact_mut(samples).zip(rows.iter()) {
            // The lower row of the line before is often the upper one of this.
            if held[1] == Some(places[0]) {
                held.swap(0, 1);
                narrow.swap(0, 1);
            }
            for which in 0..2 {
                if held[which] != Some(places[which]) {
                    across::<SAMPLES>(&source.data[places[which]..], columns, &mut narrow[which]);
                    held[which] = Some(places[which]);
                }
            }
            down(&narrow[0], &narrow[1], *shares, line);
        }
    }
}

/// The neighbours of `count` samples that span `[start, length]` of so many `there`, each of which takes `step` bytes.
fn fill(taps: &mut Vec<Tap>, there: u32, step: usize, [start, length]: [f64; 2], count: u32) {
    let (scale, last) = (length / f64::from(count), there.saturating_sub(1) as usize);
    taps.clear();
    taps.extend((0..count).map(|index| {
        let at = ((f64::from(index) + 0.5) * scale - 0.5 + start) as f32;
        let below = at.floor();
        let share = at - below;
        let place = |at: f32| (at.max(0.0) as usize).min(last) * step;
        Tap {
            places: [place(below), place(below + 1.0)],
            shares: [1.0 - share, share].map(|share| (share * WHOLE).round_ties_even() as i32),
        }
    }));
}

/// A row, scaled to the width of `columns`; in 128ths of a level.
fn across<const SAMPLES: usize>(row: &[u8], columns: &[Tap], into: &mut [i16]) {
    let (pixels, _) = into.as_chunks_mut::<SAMPLES>();
    for (pixel, Tap { places: [left, right], shares }) in pixels.iter_mut().zip(columns) {
        let (left, right) = (&row[*left..][..SAMPLES], &row[*right..][..SAMPLES]);
        for ((sample, a), b) in pixel.iter_mut().zip(left).zip(right) {
            *sample = ((i32::from(*a) * shares[0] + i32::from(*b) * shares[1]) >> 4) as i16;
        }
    }
}

/// Two such rows, mixed.
fn down(upper: &[i16], lower: &[i16], shares: [i32; 2], into: &mut [u8]) {
    for ((sample, a), b) in into.iter_mut().zip(upper).zip(lower) {
        let sum = ((i32::from(*a) * shares[0]) >> 16) + ((i32::from(*b) * shares[1]) >> 16);
        *sample = ((sum + 2) >> 2) as u8;
    }
}
