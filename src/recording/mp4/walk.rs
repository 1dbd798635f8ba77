//! The way back: which fragments of a file are whole.
//!
//! Owns reading a clip's boxes, as [`init`](super::init) and [`Cutter`](super::Cutter) write them: whatever differs from
//! that is where the clip ends, for a kill and a power cut leave anything behind the last fragment that was flushed. Refuses
//! to open files. Reads from the caller's, on the caller's thread.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use super::boxes::{HEAD, descend, find, long, number};
use super::cutter::duration;
use super::fragment::STARTS;
use super::header::EPOCH;
use crate::time::Wall;

/// Neither `ftyp` and `moov` nor a `moof` of ours comes near that.
const LARGEST_HEADER: u64 = 1 << 20;

/// What is whole of a clip's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Bytes of the init segment, at the start of the file.
    pub init: u64,
    /// One behind the other.
    pub fragments: Vec<Span>,
}

/// One fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first byte in the file.
    pub at: u64,
    /// Bytes of `moof` and `mdat`.
    pub bytes: u64,
    /// From its first picture to the next fragment's.
    pub lasts: Duration,
    /// Decoding can start with it.
    pub starts: bool,
}

impl Whole {
    /// Bytes of the file that are whole: what is behind them is to be cut off.
    pub fn bytes(&self) -> u64 {
        self.fragments.last().map_or(self.init, |last| last.at + last.bytes)
    }

    /// How long it plays.
    pub fn lasts(&self) -> Duration {
        self.fragments.iter().map(|fragment| fragment.lasts).sum()
    }
}

/// When its first picture came, to the second, as its init segment says. None: that isn't whole.
///
/// # Errors
/// The file can't be read.
pub fn began(file: &mut (impl Read + Seek)) -> io::Result<Option<Wall>> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some(ftyp) = header(file, 0, length, b"ftyp")? else { return Ok(None) };
    let Some(moov) = header(file, ftyp.len() as u64, length, b"moov")? else { return Ok(None) };
    let created = descend(&moov, &[b"moov", b"mvhd"]).and_then(|mvhd| long(mvhd, 4));
    Ok(created.map(|created| Wall(created.cast_signed().saturating_sub(EPOCH).saturating_mul(1000))))
}

/// Finds what is whole of a file whose writer may have been killed, or lost its power. None: not even the init segment is.
///
/// # Errors
/// The file can't be read.
pub fn walk(file: &mut (impl Read + Seek)) -> io::Result<Option<Whole>> {
    let Some((mut whole, last)) = scan(file)? else { return Ok(None) };
    // Everything before the last one was flushed before that was begun; of that itself any part may be missing.
    if let (Some(run), Some(span)) = (last, whole.fragments.last())
        && !is_sound(file, span.at + span.bytes - run.data, &run.sizes)?
    {
        whole.fragments.pop();
    }
    Ok(Some(whole))
}

/// The same of a file whose writer is alive, or has finished it: what is in a picture is not looked at, because some cameras
/// send what looks like a hole. None: not even the init segment is there.
///
/// # Errors
/// The file can't be read.
pub fn index(file: &mut (impl Read + Seek)) -> io::Result<Option<Whole>> {
    Ok(scan(file)?.map(|(whole, _)| whole))
}

/// All fragments that are there with all their bytes, and what the last one says.
fn scan(file: &mut (impl Read + Seek)) -> io::Result<Option<(Whole, Option<Run>)>> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some(ftyp) = header(file, 0, length, b"ftyp")? else { return Ok(None) };
    let Some(moov) = header(file, ftyp.len() as u64, length, b"moov")? else { return Ok(None) };
    let mut whole = Whole { init: (ftyp.len() + moov.len()) as u64, fragments: Vec::new() };
    let mut last = None;
    while let Some(moof) = header(file, whole.bytes(), length, b"moof")? {
        let Some(run) = Run::of(&moof) else { break };
        let at = whole.bytes();
        let bytes = moof.len() as u64 + HEAD as u64 + run.data;
        let is_next = run.sequence as usize == whole.fragments.len() + 1;
        if !is_next || at + bytes > length || !is_mdat(file, at + moof.len() as u64, run.data)? {
            break;
        }
        whole.fragments.push(Span { at, bytes, lasts: run.lasts, starts: run.starts });
        last = Some(run);
    }
    Ok(Some((whole, last)))
}

/// The whole box at that place, if it is of that kind.
fn header(file: &mut (impl Read + Seek), at: u64, length: u64, kind: &[u8; 4]) -> io::Result<Option<Vec<u8>>> {
    if at + HEAD as u64 > length {
        return Ok(None);
    }
    let head = read(file, at, HEAD)?;
    let size = u64::from(number(&head, 0).unwrap_or_default());
    let fits = size >= HEAD as u64 && size <= LARGEST_HEADER && at + size <= length;
    if !fits || head[4..] != kind[..] {
        return Ok(None);
    }
    read(file, at, size as usize).map(Some)
}

fn is_mdat(file: &mut (impl Read + Seek), at: u64, data: u64) -> io::Result<bool> {
    let head = read(file, at, HEAD)?;
    Ok(number(&head, 0).map(u64::from) == Some(HEAD as u64 + data) && &head[4..] == b"mdat")
}

/// Whether all of each sample got to the disk.
fn is_sound(file: &mut (impl Read + Seek), mut at: u64, sizes: &[u32]) -> io::Result<bool> {
    for size in sizes {
        if !is_filled(&read(file, at, *size as usize)?) {
            return Ok(false);
        }
        at += u64::from(*size);
    }
    Ok(true)
}

/// Whether NAL units fill `sample` exactly, and there are no zeros where none has any: at its end, or three in a row, which
/// emulation prevention rules out. Pages that never reached the disk read as zeros.
fn is_filled(mut sample: &[u8]) -> bool {
    while !sample.is_empty() {
        let unit = number(sample, 0).and_then(|length| sample.get(4..)?.split_at_checked(length as usize));
        let Some((unit, rest)) = unit else { return false };
        if unit.last().is_none_or(|last| *last == 0) || unit.windows(3).any(|bytes| bytes == [0; 3]) {
            return false;
        }
        sample = rest;
    }
    true
}

fn read(file: &mut (impl Read + Seek), at: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What a `moof` says.
struct Run {
    sequence: u32,
    /// Bytes of its samples, one by one and together.
    sizes: Vec<u32>,
    data: u64,
    lasts: Duration,
    starts: bool,
}

impl Run {
    fn of(moof: &[u8]) -> Option<Run> {
        let inside = find(moof, b"moof")?;
        let sequence = number(find(inside, b"mfhd")?, 4)?;
        let trun = descend(inside, &[b"traf", b"trun"])?;
        long(descend(inside, &[b"traf", b"tfdt"])?, 4)?;
        let to_data = number(trun, 8)? as usize;
        let samples = trun.get(12..)?;
        if number(trun, 4)? as usize * 16 != samples.len() || samples.is_empty() || to_data != moof.len() + HEAD {
            return None;
        }
        let field = |at: usize| samples.chunks_exact(16).map(move |entry| number(entry, at).unwrap_or_default());
        let sum = |at: usize| field(at).map(u64::from).sum::<u64>();
        let starts = field(8).next() == Some(STARTS);
        Some(Run { sequence, sizes: field(4).collect(), data: sum(4), lasts: duration(sum(0)), starts })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::super::{Coding, Cutter, Picture, Sets, init};
    use super::*;

    /// When the pictures of some fragments are shown.
    pub(in super::super) struct Shown {
        /// In ms, in decoding order, fragment by fragment.
        pub(in super::super) fragments: Vec<Vec<u64>>,
        /// How many fragments don't begin where the one before ended.
        pub(in super::super) gaps: usize,
    }

    /// Reads `fragments`, one behind the other, by their own words.
    pub(in super::super) fn shown(mut fragments: &[u8]) -> Shown {
        let mut found = Shown { fragments: Vec::new(), gaps: 0 };
        let mut end = None;
        while let Some(traf) = descend(fragments, &[b"moof", b"traf"]) {
            let mut at = long(find(traf, b"tfdt").unwrap(), 4).unwrap();
            found.gaps += usize::from(end.is_some_and(|end| end != at));
            let trun = find(traf, b"trun").unwrap();
            let mut times = Vec::new();
            for entry in trun[12..].chunks_exact(16) {
                let [duration, offset] = [0, 12].map(|field| number(entry, field).unwrap());
                times.push((at.strict_add_signed(i64::from(offset as i32)) + 45) / 90);
                at += u64::from(duration);
            }
            end = Some(at);
            found.fragments.push(times);
            let moof = number(fragments, 0).unwrap() as usize;
            let mdat = number(fragments, moof).unwrap() as usize;
            fragments = &fragments[moof + mdat..];
        }
        found
    }

    /// A clip of small pictures, and where its init segment and its fragments end.
    fn clip() -> (Vec<u8>, Vec<usize>) {
        let sps = hex::decode("6742c016da0280f6c044000003000400000300783c58ba80").unwrap();
        let keyframe = [&[0, 0, 1][..], &sps, &[0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88]].concat();
        let sets = Sets::of(Coding::H264, &keyframe).unwrap();
        let mut file = init(&sets, Wall(1_769_423_700_500)).unwrap();
        let mut ends = vec![file.len()];
        let mut cutter = Cutter::default();
        let mut fragments = Vec::new();
        for nth in 0..12_u8 {
            let sample = sets.sample(&[0, 0, 1, 0x41, nth + 1, 0, 0, 1, 0x41, 1, 2, 3]).unwrap();
            let shown = Duration::from_millis(u64::from(nth) * 250);
            fragments.extend(cutter.push(Picture { sample, shown, starts: nth % 4 == 0 }));
        }
        fragments.extend(cutter.finish());
        for fragment in fragments {
            file.extend_from_slice(&fragment.bytes);
            ends.push(file.len());
        }
        (file, ends)
    }

    fn whole(file: &[u8]) -> Option<Whole> {
        walk(&mut Cursor::new(file)).unwrap()
    }

    #[test]
    fn a_file_that_is_cut_anywhere_plays_up_to_its_last_whole_fragment() {
        let (file, ends) = clip();
        assert_eq!(ends.len(), 4);
        for cut in 0..=file.len() {
            let expected = ends.iter().rfind(|end| **end <= cut);
            let found = whole(&file[..cut]);
            assert_eq!(found.as_ref().map(Whole::bytes), expected.map(|end| *end as u64), "{cut}");
            let fragments = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
            assert_eq!(found.map_or(0, |found| found.lasts().as_millis()), fragments as u128 * 1000, "{cut}");
        }
    }

    #[test]
    fn a_file_says_when_it_began() {
        let (file, _) = clip();
        assert_eq!(began(&mut Cursor::new(&file)).unwrap(), Some(Wall(1_769_423_700_000)));
        assert_eq!(began(&mut Cursor::new(&file[..60])).unwrap(), None);
    }

    #[test]
    fn whatever_stands_behind_is_no_fragment() {
        let (file, ends) = clip();
        let [second, third] = [&file[ends[1]..ends[2]], &file[ends[2]..]];
        let zeros = vec![0; third.len()];
        for behind in [&zeros[..], second, &third[..third.len() - 1], &[0xff; 64], b"\0\0\0\x08moof"] {
            let file = [&file[..ends[2]], behind].concat();
            assert_eq!(whole(&file).map(|whole| whole.bytes()), Some(ends[2] as u64), "{behind:?}");
        }
    }

    #[test]
    fn pages_of_the_last_fragment_that_are_missing_are_noticed() {
        let (file, ends) = clip();
        for length in file.len() - 40..file.len() {
            let torn = [&file[..length], &vec![0; file.len() - length]].concat();
            assert_eq!(whole(&torn).map(|whole| whole.bytes()), Some(ends[2] as u64), "{length}");
        }
        assert_eq!(whole(&file).map(|whole| whole.bytes()), Some(file.len() as u64), "control");
    }

    #[test]
    fn what_a_camera_sent_is_no_hole_in_a_file_that_was_finished() {
        let (mut file, ends) = clip();
        let last = file.len() - 3;
        file[last..].fill(0);
        assert_eq!(
            whole(&file).map(|whole| whole.bytes()),
            Some(ends[2] as u64),
            "control: after a kill it may be one"
        );
        let found = |length: usize| index(&mut Cursor::new(&file[..length])).unwrap().map(|whole| whole.bytes());
        assert_eq!([found(file.len()), found(last)], [Some(file.len() as u64), Some(ends[2] as u64)]);
    }

    #[test]
    fn a_page_in_the_middle_of_a_unit_that_is_missing_is_noticed() {
        let sample = [0, 0, 0, 9, 0x41, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 5, 0x41, 0, 0, 3, 1];
        assert!(is_filled(&sample), "control");
        for hole in 5..10 {
            let mut torn = sample;
            torn[hole..hole + 3].fill(0);
            assert!(!is_filled(&torn), "{hole}");
        }
    }

    proptest! {
        #[test]
        fn rubbish_is_no_clip(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(whole(&bytes), None);
        }

        #[test]
        fn a_clip_in_which_anything_has_changed_is_never_longer_and_never_a_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
        ) {
            let (mut file, _) = clip();
            for (at, byte) in changes {
                let at = at.index(file.len());
                file[at] = byte;
            }
            let found = whole(&file);
            prop_assert!(found.is_none_or(|found| found.bytes() <= file.len() as u64));
        }
    }
}
