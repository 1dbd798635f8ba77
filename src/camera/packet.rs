//! One encoded picture, as it came from the camera.
//!
//! Owns what can be told about a picture without decoding it: its NAL units, whether decoding can start there, and the
//! parameter sets it needs. Refuses to know GStreamer and where packets come from.

use std::sync::Arc;
use std::time::Duration;

use super::codec::Codec;
use crate::time::Now;

/// Whether decoding can start at a packet. Told by NAL type: a parser's keyframe flag says less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An IDR picture (NAL type 5): nothing after it refers to anything before it.
    Idr,
    /// An intra picture that is not IDR, or the start of an intra refresh: decoding may start here, with a delay.
    Recovery,
    /// Needs what came before.
    Delta,
}

/// One encoded picture: an access unit of H.264 or H.265 as Annex B byte stream, or a JPEG.
#[derive(Clone, Debug)]
pub struct Packet {
    /// How it is encoded.
    pub codec: Codec,
    /// With start codes; with its parameter sets wherever decoding can start.
    pub data: Arc<[u8]>,
    /// Presentation time by the connection's own clock: compares only within one connection.
    pub pts: Duration,
    /// Decoding time by the same clock; `pts` where the stream does not tell.
    pub dts: Duration,
    /// Whether decoding can start here.
    pub class: Class,
    /// When it reached the daemon.
    pub arrived: Now,
    /// Counts the connections of a camera.
    pub connection: u64,
}

const SLICE_IDR: u8 = 5;
const SLICES: std::ops::RangeInclusive<u8> = 1..=SLICE_IDR;
const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The parameter sets in front of the first slice, with start codes, and that slice's NAL type.
///
/// Slices, which are nearly all of the data, are not looked through.
fn before_first_slice(unit: &[u8]) -> (Vec<u8>, Option<u8>) {
    let mut sets = Vec::new();
    let mut rest = start_code(unit).map(|at| &unit[at + 3..]);
    while let Some((header, _)) = rest.and_then(<[u8]>::split_first) {
        let nal = rest.unwrap_or_default();
        let kind = header & 0x1f;
        if SLICES.contains(&kind) {
            return (sets, Some(kind));
        }
        let next = start_code(nal);
        if matches!(kind, SEQUENCE_PARAMETERS | PICTURE_PARAMETERS) {
            // A four-byte start code leaves its first zero behind; no NAL unit ends in zero.
            let nal = &nal[..next.unwrap_or(nal.len())];
            let end = nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            sets.extend_from_slice(&START_CODE);
            sets.extend_from_slice(&nal[..end]);
        }
        rest = next.map(|at| &nal[at + 3..]);
    }
    (sets, None)
}

fn start_code(data: &[u8]) -> Option<usize> {
    data.windows(3).position(|window| window == &START_CODE[1..])
}

/// The latest parameter sets of a connection, put in front of every picture where decoding can start without them.
///
/// Streams of intra refresh or open GOPs may send them once: who joins later could decode nothing.
#[derive(Debug, Default)]
pub struct ParameterSets {
    latest: Vec<u8>,
}

impl ParameterSets {
    /// Classifies an access unit and completes it. `start` is the parser's opinion that decoding can start here.
    pub fn complete(&mut self, unit: &[u8], start: bool) -> (Class, Arc<[u8]>) {
        let (own, slice) = before_first_slice(unit);
        let class = match slice {
            Some(SLICE_IDR) => Class::Idr,
            _ if start => Class::Recovery,
            _ => Class::Delta,
        };
        let complete = !own.is_empty();
        if complete {
            self.latest = own;
        }
        if complete || class == Class::Delta {
            return (class, unit.into());
        }
        (class, [self.latest.as_slice(), unit].concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0, 0, 0, 1, 0x67, 0x42, 0xc0];
    const PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xce];
    const IDR: &[u8] = &[0, 0, 0, 1, 0x65, 0x88];
    const SLICE: &[u8] = &[0, 0, 1, 0x41, 0x9a];

    #[test]
    fn parameter_sets_are_found_behind_long_and_short_start_codes() {
        assert_eq!(before_first_slice(&[SPS, &PPS[1..], SLICE, IDR].concat()), ([SPS, PPS].concat(), Some(1)));
        assert_eq!(before_first_slice(&[SPS, PPS].concat()), ([SPS, PPS].concat(), None));
        for odd in [&[][..], &[1, 2, 3], &[0, 0, 1], &[0, 0, 1, 0, 0, 1]] {
            assert_eq!(before_first_slice(odd), (Vec::new(), None), "{odd:?}");
        }
    }

    #[test]
    fn the_nal_type_decides_not_the_parser() {
        let mut sets = ParameterSets::default();
        assert_eq!(sets.complete(&[SPS, PPS, IDR].concat(), false).0, Class::Idr);
        assert_eq!(sets.complete(SLICE, true).0, Class::Recovery);
        assert_eq!(sets.complete(SLICE, false).0, Class::Delta);
    }

    #[test]
    fn parameter_sets_are_put_where_decoding_can_start_and_only_there() {
        let mut sets = ParameterSets::default();
        let whole = [SPS, PPS, IDR].concat();
        assert_eq!(&*sets.complete(&whole, true).1, &whole[..]);
        assert_eq!(&*sets.complete(SLICE, false).1, SLICE);
        assert_eq!(&*sets.complete(SLICE, true).1, &[SPS, PPS, SLICE].concat()[..]);
        assert_eq!(&*sets.complete(IDR, true).1, &whole[..]);
    }
}
