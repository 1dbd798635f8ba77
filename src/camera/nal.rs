//! NAL units: what can be told about an H.264 or H.265 picture without decoding it.
//!
//! Owns the walk over a byte stream (ITU-T H.264 and H.265, annex B) and the types of NAL units; refuses to look into
//! slices, which are nearly all of the data. Pure.

use super::codec::Codec;

/// What a NAL unit is to us. H.264 table 7-1, H.265 table 7-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Sets of one sort replace each other; sorts count from 0, in the order in which they are sent.
    Parameters(usize),
    /// Coded picture data.
    Slice {
        /// Nothing after this picture refers to anything before it, but for leading pictures, which a decoder that starts
        /// here drops.
        start: bool,
    },
    /// Delimiters, messages (SEI), fillers.
    Other,
}

/// How many sorts of parameter sets there are: H.265 has three (VPS, SPS, PPS), H.264 two.
pub(super) const SORTS: usize = 3;

impl Kind {
    fn of(codec: Codec, header: u8) -> Kind {
        let kind = match codec {
            Codec::H264 => header & 0x1f,
            _ => header >> 1 & 0x3f,
        };
        match (codec, kind) {
            (Codec::H264, 1..=5) => Kind::Slice { start: kind == 5 },
            (Codec::H264, 7 | 8) => Kind::Parameters(usize::from(kind) - 7),
            // BLA, IDR and CRA pictures are 16 to 21.
            (Codec::H265, 0..=31) => Kind::Slice { start: (16..=21).contains(&kind) },
            (Codec::H265, 32..=34) => Kind::Parameters(usize::from(kind) - 32),
            _ => Kind::Other,
        }
    }
}

/// What stands in front of the first slice of a picture.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Front {
    /// Parameter sets by sort, each with a start code.
    pub(super) sets: [Vec<u8>; SORTS],
    /// Whether decoding can start at the first slice by its type; None without a slice.
    pub(super) start: Option<bool>,
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];

impl Front {
    /// Reads `unit` up to its first slice.
    pub(super) fn of(codec: Codec, unit: &[u8]) -> Front {
        let mut front = Front::default();
        let mut rest = after_start_code(unit);
        while let Some((header, _)) = rest.split_first() {
            let nal = rest;
            let sort = match Kind::of(codec, *header) {
                Kind::Slice { start } => {
                    front.start = Some(start);
                    return front;
                }
                Kind::Parameters(sort) => Some(sort),
                Kind::Other => None,
            };
            rest = after_start_code(nal);
            if let Some(sort) = sort {
                front.sets[sort].extend_from_slice(&START_CODE);
                front.sets[sort].extend_from_slice(without_start_code(nal, rest));
            }
        }
        front
    }
}

/// How many sorts of parameter sets a decoder of `codec` needs.
pub(super) fn sorts(codec: Codec) -> usize {
    match codec {
        Codec::H264 => 2,
        Codec::H265 => SORTS,
        Codec::Mjpeg => 0,
    }
}

/// What comes after the next start code; empty when there is none.
fn after_start_code(data: &[u8]) -> &[u8] {
    let at = data.windows(3).position(|window| window == &START_CODE[1..]);
    at.map_or(&[], |at| &data[at + 3..])
}

/// The one NAL unit at the start of `nal`, of which `rest` comes after its successor's start code.
fn without_start_code<'a>(nal: &'a [u8], rest: &[u8]) -> &'a [u8] {
    let nal = if rest.is_empty() { nal } else { &nal[..nal.len() - rest.len() - 3] };
    // A four-byte start code leaves its first zero behind; no NAL unit ends in zero.
    let end = nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &nal[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0, 0, 0, 1, 0x67, 0x42, 0xc0];
    const PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xce];
    const SLICE: &[u8] = &[0, 0, 1, 0x41, 0x9a];
    const IDR: &[u8] = &[0, 0, 0, 1, 0x65, 0x88];
    /// An access unit delimiter and a message, which cameras put in front.
    const DELIMITER: &[u8] = &[0, 0, 0, 1, 0x09, 0xf0];
    const MESSAGE: &[u8] = &[0, 0, 1, 0x06, 0x05, 0x01, 0x80];

    fn front(sets: [&[u8]; 3], start: Option<bool>) -> Front {
        Front { sets: sets.map(<[u8]>::to_vec), start }
    }

    #[test]
    fn sets_are_found_behind_long_and_short_start_codes_and_other_units() {
        let unit = [DELIMITER, &SPS[1..], MESSAGE, PPS, SLICE, IDR].concat();
        assert_eq!(Front::of(Codec::H264, &unit), front([SPS, PPS, &[]], Some(false)), "the first slice decides");
        let unit = [SPS, PPS, PPS, IDR, IDR].concat();
        assert_eq!(Front::of(Codec::H264, &unit), front([SPS, &[PPS, PPS].concat(), &[]], Some(true)));
        assert_eq!(Front::of(Codec::H264, &[SPS, PPS].concat()), front([SPS, PPS, &[]], None));
    }

    #[test]
    fn h265_has_three_sorts_of_sets_and_six_types_to_start_at() {
        let [vps, sps, pps]: [&[u8]; 3] = [&[0, 0, 0, 1, 0x40, 1], &[0, 0, 0, 1, 0x42, 1], &[0, 0, 0, 1, 0x44, 1]];
        for kind in 0..32_u8 {
            let unit = [vps, sps, pps, &[0, 0, 1, kind << 1, 1, 0xaf]].concat();
            assert_eq!(
                Front::of(Codec::H265, &unit),
                front([vps, sps, pps], Some((16..=21).contains(&kind))),
                "{kind}"
            );
        }
    }

    #[test]
    fn rubbish_is_nothing() {
        for odd in [&[][..], &[1, 2, 3], &[0, 0, 1], &[0, 0, 1, 0, 0, 1], &[0; 64]] {
            for codec in Codec::ALL {
                let none = Front::of(codec, odd);
                assert!(none.sets.iter().all(Vec::is_empty), "{odd:?}");
                assert_ne!(none.start, Some(true), "{odd:?}");
            }
        }
    }
}
