//! The NAL units of a byte stream (ITU-T H.264 and H.265, annex B).
//!
//! Owns start codes; refuses to know what a unit is for. Pure.

const START_CODE: [u8; 3] = [0, 0, 1];

/// Every NAL unit of `stream`, without its start code and without the zeros that may stand behind it.
pub(super) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let here = rest?;
        rest = after_start_code(here);
        let length = rest.map_or(here.len(), |rest| here.len() - rest.len() - START_CODE.len());
        // No NAL unit ends in zero: those are of a longer start code, or stuffing.
        let end = here[..length].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(&here[..end])
    })
    .filter(|unit| !unit.is_empty())
}

fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    let at = stream.windows(START_CODE.len()).position(|window| window == START_CODE)?;
    Some(&stream[at + START_CODE.len()..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn start_codes_of_either_length_and_stuffing_are_no_part_of_a_unit() {
        let stream = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 1, 0, 0, 0, 0, 1, 0x65, 0, 3, 0, 0];
        let found: Vec<&[u8]> = units(&stream).collect();
        assert_eq!(found, [&[9, 0xf0][..], &[0x67, 1], &[0x65, 0, 3]]);
        for none in [&[][..], &[0, 0], &[0, 0, 1], &[1, 2, 3], &[0, 0, 1, 0, 0, 1, 0]] {
            assert_eq!(units(none).count(), 0, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn units_come_back_as_they_were_put(
            parts in prop::collection::vec((prop::collection::vec(1u8..=255, 1..40), any::<bool>()), 0..8)
        ) {
            let code = |long: bool| if long { &[0, 0, 0, 1][..] } else { &START_CODE };
            let stream: Vec<u8> = parts.iter().flat_map(|(unit, long)| [code(*long), unit.as_slice()].concat()).collect();
            let expected: Vec<&[u8]> = parts.iter().map(|(unit, _)| unit.as_slice()).collect();
            prop_assert_eq!(units(&stream).collect::<Vec<_>>(), expected);
        }
    }
}
