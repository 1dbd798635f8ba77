//! Boxes (14496-12, 4.2): a length, four letters, and what is inside.
//!
//! Owns how one is written and how those inside another are found again; refuses to know any of them. Pure.

/// Bytes of a box's length and letters.
pub(super) const HEAD: usize = 8;

/// A box of `inside`, which may be boxes.
pub(super) fn boxed(kind: &[u8; 4], inside: &[&[u8]]) -> Vec<u8> {
    let bytes = HEAD + inside.iter().map(|part| part.len()).sum::<usize>();
    // Whoever makes larger ones than 4 GiB has been stopped long before: `Cutter` bounds them.
    let mut whole = u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    whole.extend_from_slice(kind);
    inside.iter().for_each(|part| whole.extend_from_slice(part));
    whole
}

/// The same with a version and flags in front (4.2, FullBox).
pub(super) fn full(kind: &[u8; 4], version: u8, flags: u32, inside: &[&[u8]]) -> Vec<u8> {
    let head = (u32::from(version) << 24 | flags & 0x00ff_ffff).to_be_bytes();
    boxed(kind, &[&[&head[..]], inside].concat())
}

/// What is inside the first box of that kind in `boxes`. None: there is none that is whole.
pub(super) fn find<'a>(boxes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let mut rest = boxes;
    while let (Some(size), Some(letters)) = (number(rest, 0), rest.get(4..HEAD)) {
        let size = size as usize;
        let inside = rest.get(HEAD..size)?;
        if letters == kind {
            return Some(inside);
        }
        rest = &rest[size..];
    }
    None
}

/// The same, inside one after the other.
pub(super) fn descend<'a>(boxes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(boxes, |inside, kind| find(inside, kind))
}

/// 32 bits, `at` so many bytes.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// 64 bits, `at` so many bytes.
pub(super) fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_put_inside_is_found_again() {
        let inner = full(b"tfdt", 1, 0x20, &[&7_u64.to_be_bytes()]);
        let outer = boxed(b"moof", &[&boxed(b"free", &[]), &boxed(b"traf", &[&inner])]);
        let found = descend(&outer, &[b"moof", b"traf", b"tfdt"]).unwrap();
        assert_eq!((number(found, 0), long(found, 4)), (Some(1 << 24 | 0x20), Some(7)));
        assert_eq!(descend(&outer, &[b"moof", b"trun"]), None);
        assert_eq!(find(&outer[..outer.len() - 1], b"moof"), None, "cut off");
        assert_eq!(find(&[0, 0, 0, 3, b'm', b'o', b'o', b'f'], b"moof"), None, "shorter than its own head");
    }

    proptest! {
        #[test]
        fn rubbish_holds_nothing(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(descend(&bytes, &[b"moof", b"traf"]), None);
        }
    }
}
