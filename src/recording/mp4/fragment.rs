//! A fragment: some pictures in a row, with their times in front.
//!
//! Owns `moof` and `mdat` (14496-12, 8.8.4 to 8.8.8 and 8.1.1) and the order in which pictures are decoded and shown; refuses to know
//! where a stream is cut. Pure.

use super::TRACK;
use super::boxes::{HEAD, boxed, full};

/// One picture; times are ticks from the clip's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// NAL units with their lengths in front.
    pub(super) data: Vec<u8>,
    pub(super) shown: u64,
    /// Decoding can start here.
    pub(super) starts: bool,
}

/// sample_depends_on and sample_is_non_sync_sample of 8.8.3.1.
pub(super) const STARTS: u32 = 0x0200_0000;
const FOLLOWS: u32 = 0x0101_0000;

/// `moof` and `mdat` of `samples`, in decoding order, and where they end: `until`, or later if their times make no sense.
/// `from` is where the fragment before ended.
///
/// When a picture is decoded, streams tell wrongly or not at all (RTP carries the time at which it is shown). So the nth
/// picture is decoded when the nth is shown: a picture that is shown later than it is decoded has a positive offset, one
/// that was overtaken a negative one (8.6.1.3, version 1), and no time at which a picture is shown is changed.
pub(super) fn fragment(sequence: u32, from: u64, until: u64, samples: &[Sample]) -> (Vec<u8>, u64) {
    let decoded = decoded(from, samples);
    let until = decoded.last().map_or(from, |last| until.max(last + 1));
    let ends = decoded.iter().skip(1).copied().chain([until]);
    let mut run = Vec::with_capacity(samples.len() * 16);
    for ((sample, at), end) in samples.iter().zip(&decoded).zip(ends) {
        let flags = if sample.starts { STARTS } else { FOLLOWS };
        let offset = sample.shown as i64 - *at as i64;
        for number in [clamped(end.saturating_sub(*at)), clamped(sample.data.len() as u64), flags, offset as i32 as u32]
        {
            run.extend_from_slice(&number.to_be_bytes());
        }
    }
    let moof = |offset: u32| moof(sequence, decoded.first().copied().unwrap_or(from), samples.len(), offset, &run);
    let length = moof(0).len() + HEAD;
    let data: Vec<&[u8]> = samples.iter().map(|sample| sample.data.as_slice()).collect();
    ([moof(clamped(length as u64)), boxed(b"mdat", &data)].concat(), until)
}

/// When each picture is decoded: later than the one before it, whatever their times say.
fn decoded(from: u64, samples: &[Sample]) -> Vec<u64> {
    let mut times: Vec<u64> = samples.iter().map(|sample| sample.shown).collect();
    times.sort_unstable();
    let mut earliest = from;
    let decode = |shown: u64| {
        let at = earliest.max(shown);
        earliest = at + 1;
        at
    };
    times.into_iter().map(decode).collect()
}

/// `offset`: from here to the first sample (8.8.8.2).
fn moof(sequence: u32, from: u64, samples: usize, offset: u32, run: &[u8]) -> Vec<u8> {
    let relative_to_moof = 0x02_0000;
    let offset_duration_size_flags_composition = 0x0f01;
    let tfhd = full(b"tfhd", 0, relative_to_moof, &[&TRACK.to_be_bytes()]);
    let tfdt = full(b"tfdt", 1, 0, &[&from.to_be_bytes()]);
    let count = clamped(samples as u64).to_be_bytes();
    let trun = full(b"trun", 1, offset_duration_size_flags_composition, &[&count, &offset.to_be_bytes(), run]);
    let mfhd = full(b"mfhd", 0, 0, &[&sequence.to_be_bytes()]);
    boxed(b"moof", &[&mfhd, &boxed(b"traf", &[&tfhd, &tfdt, &trun])])
}

fn clamped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::boxes::{descend, long, number};
    use super::*;

    fn sample(shown: u64) -> Sample {
        Sample { data: vec![7; 10], shown, starts: shown == 0 }
    }

    /// Decoding time, duration and offset of each sample.
    fn times(fragment: &[u8]) -> Vec<(u64, u32, i32)> {
        let traf = descend(fragment, &[b"moof", b"traf"]).unwrap();
        let trun = descend(traf, &[b"trun"]).unwrap();
        let mut at = long(descend(traf, &[b"tfdt"]).unwrap(), 4).unwrap();
        let entry = |nth: u32| {
            let [duration, offset] = [0, 12].map(|field| number(trun, 12 + nth as usize * 16 + field).unwrap());
            let decoded = at;
            at += u64::from(duration);
            (decoded, duration, offset as i32)
        };
        (0..number(trun, 4).unwrap()).map(entry).collect()
    }

    fn shown(times: &[(u64, u32, i32)]) -> Vec<u64> {
        times.iter().map(|(decoded, _, offset)| decoded.strict_add_signed(i64::from(*offset))).collect()
    }

    fn fragment_of(from: u64, until: u64, shown: &[u64]) -> Vec<(u64, u32, i32)> {
        let samples: Vec<Sample> = shown.iter().copied().map(sample).collect();
        let (bytes, end) = fragment(1, from, until, &samples);
        let times = times(&bytes);
        let (last, duration, _) = *times.last().unwrap();
        assert_eq!(end, last + u64::from(duration));
        times
    }

    #[test]
    fn pictures_in_the_order_in_which_they_are_shown_have_no_offset() {
        assert_eq!(fragment_of(0, 9000, &[0, 3000, 6100]), [(0, 3000, 0), (3000, 3100, 0), (6100, 2900, 0)]);
    }

    #[test]
    fn what_is_overtaken_is_decoded_before_it_is_shown_and_every_time_of_showing_stays() {
        let times = fragment_of(0, 15, &[0, 12, 6, 3, 9]);
        assert_eq!(times, [(0, 3, 0), (3, 3, 9), (6, 3, 0), (9, 3, -6), (12, 3, -3)]);
        assert_eq!(shown(&times), [0, 12, 6, 3, 9]);
    }

    #[test]
    fn times_that_make_no_sense_still_go_forward() {
        let times = fragment_of(40, 41, &[50, 50, 10]);
        assert_eq!(shown(&times), [50, 50, 10]);
        assert!(times.windows(2).all(|pair| pair[0].0 < pair[1].0) && times[0].0 >= 40, "{times:?}");
    }
}
