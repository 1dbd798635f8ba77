//! OpenCV's `INTER_LINEAR` for samples of 8 bits, to the bit: most published detectors were trained and measured with it, and
//! where two boxes are equally good a single level of a few samples decides between them.
//!
//! Owns the fixed-point arithmetic; refuses to know frames and colours. Source: OpenCV, `imgproc/src/resize.cpp`
//! (`HResizeLinear`, and `VResizeLinear` with its cuts to 16 bits). Keep one [`Bilinear`] per caller: its tables are
//! written into the same memory.

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
        let Bilinear { columns, rows } = self;
        fill(columns, source.size[0], SAMPLES, [crop[0], crop[2]], size[0]);
        fill(rows, source.size[1], source.stride, [crop[1], crop[3]], size[1]);
        let samples = size[0] as usize * SAMPLES;
        let bytes = source.size[0] as usize * SAMPLES;
        into.resize(samples * size[1] as usize, 0);
        for (line, row) in into.chunks_exact_mut(samples).zip(rows) {
            let between = row.places.map(|place| &source.data[place..][..bytes]);
            mix::<SAMPLES>(between, row.shares, columns, line);
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

/// A line of the target from the two rows of the source that it lies between: first across, in 128ths of a level, then down.
fn mix<const SAMPLES: usize>([upper, lower]: [&[u8]; 2], [above, below]: [i32; 2], columns: &[Tap], line: &mut [u8]) {
    let (pixels, _) = line.as_chunks_mut::<SAMPLES>();
    for (pixel, Tap { places: [left, right], shares }) in pixels.iter_mut().zip(columns) {
        for (channel, sample) in pixel.iter_mut().enumerate() {
            let (left, right) = (left + channel, right + channel);
            let a = (i32::from(upper[left]) * shares[0] + i32::from(upper[right]) * shares[1]) >> 4;
            let b = (i32::from(lower[left]) * shares[0] + i32::from(lower[right]) * shares[1]) >> 4;
            *sample = ((((above * a) >> 16) + ((below * b) >> 16) + 2) >> 2) as u8;
        }
    }
}
