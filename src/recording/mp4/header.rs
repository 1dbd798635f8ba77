//! The init segment: what stands in a file before its first picture.
//!
//! Owns `ftyp` and `moov` for one track of video whose pictures all come in fragments; refuses to know any picture. Pure.

use super::boxes::{boxed, full};
use super::sets::{Sets, Unfit};
use super::{Coding, TICKS, TRACK};
use crate::time::Wall;

/// From 1904, where the clock of MP4 begins, to 1970, in seconds.
pub(super) const EPOCH: i64 = 2_082_844_800;

/// No rotation, no scaling (8.2.2.3).
const UPRIGHT: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

/// `ftyp` and `moov` of a clip that `begins` then.
///
/// # Errors
/// The sets make no sense.
pub fn init(sets: &Sets, begins: Wall) -> Result<Vec<u8>, Unfit> {
    let sample_entry = sample_entry(sets)?;
    let [width, height] = sets.sps().map(|sps| [sps.width, sps.height]).ok_or(Unfit::OddSets)?;
    // 4.3; iso6 is what decoding times of fragments and signed composition offsets ask for.
    let ftyp = boxed(b"ftyp", &[b"iso6", &0_u32.to_be_bytes(), b"iso6", b"mp41"]);
    let moov = boxed(b"moov", &[&movie(begins), &track(&sample_entry, width, height), &fragments_follow()]);
    Ok([ftyp, moov].concat())
}

/// 8.2.2: how long it lasts is not known yet.
fn movie(begins: Wall) -> Vec<u8> {
    let created = u64::try_from(begins.unix_seconds().saturating_add(EPOCH)).unwrap_or(0).to_be_bytes();
    let (duration, rate, volume) = (0_u64.to_be_bytes(), 0x0001_0000_u32.to_be_bytes(), 0x0100_u16.to_be_bytes());
    let inside: [&[u8]; 10] = [
        &created,
        &created,
        &TICKS.to_be_bytes(),
        &duration,
        &rate,
        &volume,
        &[0; 10],
        &upright(),
        &[0; 24],
        &(TRACK + 1).to_be_bytes(),
    ];
    full(b"mvhd", 1, 0, &inside)
}

fn upright() -> Vec<u8> {
    UPRIGHT.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// 8.3.1 to 8.6.1: one track of video, without samples of its own.
fn track(sample_entry: &[u8], width: u16, height: u16) -> Vec<u8> {
    let (none, one) = ([0; 4], 1_u32.to_be_bytes());
    let (enabled_and_in_movie, in_this_file) = (3, 1);
    let [width, height] = [width, height].map(|pixels| (u32::from(pixels) << 16).to_be_bytes());
    let inside: [&[u8]; 8] = [&[0; 8], &TRACK.to_be_bytes(), &[0; 8], &[0; 8], &[0; 8], &upright(), &width, &height];
    let tkhd = full(b"tkhd", 0, enabled_and_in_movie, &inside);
    let undetermined = 0x55c4_u16.to_be_bytes();
    let mdhd = full(b"mdhd", 0, 0, &[&[0; 8], &TICKS.to_be_bytes(), &none, &undetermined, &[0; 2]]);
    let hdlr = full(b"hdlr", 0, 0, &[&none, b"vide", &[0; 12], b"video\0"]);
    let vmhd = full(b"vmhd", 0, 1, &[&[0; 8]]);
    let dref = full(b"dref", 0, 0, &[&one, &full(b"url ", 0, in_this_file, &[])]);
    let empty = |kind| full(kind, 0, 0, &[&none]);
    let stsd = full(b"stsd", 0, 0, &[&one, sample_entry]);
    let stsz = full(b"stsz", 0, 0, &[&none, &none]);
    let stbl = boxed(b"stbl", &[&stsd, &empty(b"stts"), &empty(b"stsc"), &stsz, &empty(b"stco")]);
    let minf = boxed(b"minf", &[&vmhd, &boxed(b"dinf", &[&dref]), &stbl]);
    boxed(b"trak", &[&tkhd, &boxed(b"mdia", &[&mdhd, &hdlr, &minf])])
}

/// 8.8.1 and 8.8.3: what a fragment doesn't say of a sample is nothing.
fn fragments_follow() -> Vec<u8> {
    let (track, one) = (TRACK.to_be_bytes(), 1_u32.to_be_bytes());
    boxed(b"mvex", &[&full(b"trex", 0, 0, &[&track, &one, &[0; 12]])])
}

/// VisualSampleEntry, 12.1.3, as 14496-15 names it (5.4.2.1, 8.4.1.1): parameter sets stand here and nowhere else.
fn sample_entry(sets: &Sets) -> Result<Vec<u8>, Unfit> {
    let sps = sets.sps().ok_or(Unfit::OddSets)?;
    let (entry, record) = match sets.coding() {
        Coding::H264 => (b"avc1", b"avcC"),
        Coding::H265 => (b"hvc1", b"hvcC"),
    };
    let (first, dots_per_inch) = (1_u16.to_be_bytes(), 0x0048_0000_u32.to_be_bytes());
    let inside: [&[u8]; 12] = [
        &[0; 6],
        &first,
        &[0; 16],
        &sps.width.to_be_bytes(),
        &sps.height.to_be_bytes(),
        &dots_per_inch,
        &dots_per_inch,
        &[0; 4],
        &first,
        &[0; 32],
        &[0, 24, 0xff, 0xff],
        &boxed(record, &[&sets.record(&sps)]),
    ];
    Ok(boxed(entry, &inside))
}
