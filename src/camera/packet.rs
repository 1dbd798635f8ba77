//! One encoded picture, as it came from the camera.
//!
//! Owns whether decoding can start at a picture, and the parameter sets that it needs for that. Refuses to know GStreamer
//! and where packets come from. Pure.

use std::sync::Arc;
use std::time::Duration;

use super::codec::Codec;
use super::nal::{self, Front};
use super::turn::Turn;
use crate::time::Now;

/// Whether decoding can start at a packet. Told by NAL type: a parser's keyframe flag says less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A keyframe: nothing after it refers to anything before it, but for leading pictures of H.265, which a decoder drops
    /// when it starts here. An IDR picture of H.264 (NAL type 5); IDR, CRA or BLA of H.265 (16 to 21); every JPEG.
    Idr,
    /// An intra picture of H.264 that is not IDR, or the start of an intra refresh: decoding may start here, with a delay.
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
    /// Something in front of it or a part of it was lost on the way: until decoding starts anew, what comes refers to what
    /// is not there. Always [`Class::Delta`].
    pub after_loss: bool,
    /// Which way up it is.
    pub turn: Turn,
    /// When it reached the daemon.
    pub arrived: Now,
    /// Counts the connections of a camera.
    pub connection: u64,
}

/// The latest parameter sets of a connection, put in front of every picture where decoding can start without them.
///
/// Streams of intra refresh or open GOPs may send them once: who joins later could decode nothing.
#[derive(Debug, Default)]
pub struct ParameterSets {
    latest: [Vec<u8>; nal::SORTS],
}

impl ParameterSets {
    /// Classifies an encoded picture and completes it; None when it is none. `start` is the parser's opinion that decoding
    /// can start here.
    pub fn complete(&mut self, codec: Codec, unit: &[u8], start: bool) -> Option<(Class, Arc<[u8]>)> {
        if codec == Codec::Mjpeg {
            return is_whole_jpeg(unit).then(|| (Class::Idr, unit.into()));
        }
        let Front { sets, start: idr } = Front::of(codec, unit);
        let class = match idr {
            Some(true) => Class::Idr,
            // Without an IRAP picture a decoder of H.265 makes up what is missing and does not tell.
            Some(false) if start && codec == Codec::H264 => Class::Recovery,
            _ => Class::Delta,
        };
        let mut prefix = Vec::new();
        for (latest, own) in self.latest.iter_mut().zip(sets).take(nal::sorts(codec)) {
            if own.is_empty() {
                prefix.extend_from_slice(latest);
            } else {
                *latest = own;
            }
        }
        if prefix.is_empty() || class == Class::Delta {
            return Some((class, unit.into()));
        }
        Some((class, [prefix.as_slice(), unit].concat().into()))
    }
}

const START_OF_IMAGE: [u8; 2] = [0xff, 0xd8];
const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];

/// A decoder fills up what is missing at the end with grey, and a model would see nobody there.
fn is_whole_jpeg(data: &[u8]) -> bool {
    // Cameras pad to their buffers' size, with zeros or with ones.
    let end = data.windows(2).rposition(|pair| pair == END_OF_IMAGE);
    let padding = |from: usize| data[from + 2..].iter().all(|byte| matches!(byte, 0 | 0xff));
    data.starts_with(&START_OF_IMAGE) && end.is_some_and(padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0, 0, 0, 1, 0x67, 0x42, 0xc0];
    const PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xce];
    const OTHER_PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xcf];
    const IDR: &[u8] = &[0, 0, 0, 1, 0x65, 0x88];
    const SLICE: &[u8] = &[0, 0, 1, 0x41, 0x9a];

    fn complete(sets: &mut ParameterSets, codec: Codec, parts: &[&[u8]], start: bool) -> (Class, Vec<u8>) {
        let (class, data) = sets.complete(codec, &parts.concat(), start).unwrap();
        (class, data.to_vec())
    }

    #[test]
    fn the_nal_type_decides_not_the_parser() {
        let class = |codec, unit: &[u8], start| complete(&mut ParameterSets::default(), codec, &[unit], start).0;
        assert_eq!(class(Codec::H264, IDR, false), Class::Idr);
        assert_eq!(class(Codec::H264, SLICE, true), Class::Recovery);
        assert_eq!(class(Codec::H264, SLICE, false), Class::Delta);
        assert_eq!(class(Codec::H264, SPS, true), Class::Delta, "there is no picture in it");
        let [trailing, leading, cra, idr] = [1_u8, 9, 21, 19].map(|kind| [0, 0, 1, kind << 1, 1, 0xaf]);
        for (slice, expected) in
            [(trailing, Class::Delta), (leading, Class::Delta), (cra, Class::Idr), (idr, Class::Idr)]
        {
            assert_eq!(class(Codec::H265, &slice, true), expected, "{slice:?}");
        }
    }

    #[test]
    fn parameter_sets_are_put_where_decoding_can_start_and_only_there() {
        let mut sets = ParameterSets::default();
        let mut complete = |parts: &[&[u8]], start| complete(&mut sets, Codec::H264, parts, start).1;
        let whole = [SPS, PPS, IDR].concat();
        assert_eq!(complete(&[&whole], true), whole);
        assert_eq!(complete(&[SLICE], false), SLICE);
        assert_eq!(complete(&[SLICE], true), [SPS, PPS, SLICE].concat());
        assert_eq!(complete(&[IDR], true), whole);
    }

    #[test]
    fn sets_that_change_on_their_own_replace_only_their_sort() {
        let mut sets = ParameterSets::default();
        let mut complete = |parts: &[&[u8]]| complete(&mut sets, Codec::H264, parts, false).1;
        complete(&[SPS, PPS, IDR]);
        assert_eq!(complete(&[OTHER_PPS, IDR]), [SPS, OTHER_PPS, IDR].concat());
        assert_eq!(complete(&[IDR]), [SPS, OTHER_PPS, IDR].concat());
        assert_eq!(complete(&[PPS, SLICE]), [PPS, SLICE].concat(), "in the middle of a GOP, too");
        assert_eq!(complete(&[IDR]), [SPS, PPS, IDR].concat());
    }

    #[test]
    fn every_whole_jpeg_is_a_keyframe_and_half_a_jpeg_is_nothing() {
        let mut sets = ParameterSets::default();
        let jpeg = [&START_OF_IMAGE[..], &[1, 2, 3], &END_OF_IMAGE].concat();
        assert_eq!(complete(&mut sets, Codec::Mjpeg, &[&jpeg], false), (Class::Idr, jpeg.clone()));
        assert!(sets.complete(Codec::Mjpeg, &[&jpeg[..], &[0, 0, 0xff]].concat(), true).is_some(), "padded");
        let half = &jpeg[..jpeg.len() - 1];
        for broken in [half, &jpeg[1..], &[], &[&END_OF_IMAGE[..], half].concat()] {
            assert_eq!(sets.complete(Codec::Mjpeg, broken, true), None, "{broken:?}");
        }
    }
}
