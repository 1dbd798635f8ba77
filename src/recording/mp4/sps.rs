//! What a sequence parameter set says that a file has to say as well.
//!
//! Owns the syntax of H.264's (ITU-T H.264 7.3.2.1.1) and H.265's (ITU-T H.265 7.3.2.2.1) up to the size of the pictures;
//! refuses to read on. Pure.

use super::bits::Bits;

/// Of either codec.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sps {
    /// In pixels, as shown: without what is cropped.
    pub(super) width: u16,
    pub(super) height: u16,
    /// 0: grey, 1: 4:2:0, 2: 4:2:2, 3: 4:4:4.
    pub(super) chroma: u8,
    /// Bits a sample, of light and of colour.
    pub(super) depths: [u8; 2],
    /// H.265 only.
    pub(super) layers: Layers,
}

/// What H.265 says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layers {
    /// general_profile_space to general_level_idc, 12 bytes.
    pub(super) profile: Vec<u8>,
    /// Temporal layers, 1 to 7.
    pub(super) count: u8,
    pub(super) nested: bool,
}

/// Profiles of H.264 whose sets say how colour is sampled.
const PROFILES_WITH_CHROMA: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// How coarsely colour is sampled, across and down (table 6-1): cropping counts in these.
fn subsampling(chroma: u32) -> [u32; 2] {
    match chroma {
        1 => [2, 2],
        2 => [2, 1],
        _ => [1, 1],
    }
}

/// Left, right, top and bottom.
fn cropping(bits: &mut Bits) -> Option<[u32; 4]> {
    if !bits.flag()? {
        return Some([0; 4]);
    }
    Some([bits.unsigned()?, bits.unsigned()?, bits.unsigned()?, bits.unsigned()?])
}

/// What is left of `coded` pixels between `before` and `behind` units of `unit` pixels.
fn shown(coded: u32, before: u32, behind: u32, unit: u32) -> Option<u16> {
    let cropped = before.checked_add(behind)?.checked_mul(unit)?;
    coded.checked_sub(cropped).filter(|left| *left > 0)?.try_into().ok()
}

fn depth(bits: &mut Bits) -> Option<u8> {
    u8::try_from(bits.unsigned()?).ok().filter(|more| *more <= 7).map(|more| 8 + more)
}

impl Sps {
    /// Of H.264; `unit` is the whole NAL unit.
    pub(super) fn h264(unit: &[u8]) -> Option<Sps> {
        let mut bits = Bits::of(unit.get(1..)?);
        let profile = bits.read(8)?;
        bits.skip(16)?;
        bits.unsigned()?;
        let (mut chroma, mut depths) = (1, [8, 8]);
        if PROFILES_WITH_CHROMA.contains(&profile) {
            chroma = bits.unsigned().filter(|chroma| *chroma <= 3)?;
            bits.skip(usize::from(chroma == 3))?;
            depths = [depth(&mut bits)?, depth(&mut bits)?];
            bits.skip(1)?;
            skip_scaling(&mut bits, chroma)?;
        }
        skip_order(&mut bits)?;
        let [across, down] = [bits.unsigned()?.checked_add(1)?, bits.unsigned()?.checked_add(1)?];
        let fields = if bits.flag()? { 1 } else { bits.skip(1).map(|()| 2)? };
        bits.skip(1)?;
        let [left, right, top, bottom] = cropping(&mut bits)?;
        let [x, y] = subsampling(chroma);
        Some(Sps {
            width: shown(across.checked_mul(16)?, left, right, x)?,
            height: shown(down.checked_mul(16 * fields)?, top, bottom, y * fields)?,
            chroma: chroma as u8,
            depths,
            layers: Layers::default(),
        })
    }

    /// Of H.265; `unit` is the whole NAL unit.
    pub(super) fn h265(unit: &[u8]) -> Option<Sps> {
        let mut bits = Bits::of(unit.get(2..)?);
        bits.skip(4)?;
        let more = bits.read(3)?;
        let nested = bits.flag()?;
        let profile = bits.bytes(12)?;
        skip_sublayers(&mut bits, more)?;
        bits.unsigned()?;
        let chroma = bits.unsigned().filter(|chroma| *chroma <= 3)?;
        bits.skip(usize::from(chroma == 3))?;
        let [width, height] = [bits.unsigned()?, bits.unsigned()?];
        let [left, right, top, bottom] = cropping(&mut bits)?;
        let [x, y] = subsampling(chroma);
        Some(Sps {
            width: shown(width, left, right, x)?,
            height: shown(height, top, bottom, y)?,
            chroma: chroma as u8,
            depths: [depth(&mut bits)?, depth(&mut bits)?],
            layers: Layers { profile, count: more as u8 + 1, nested },
        })
    }
}

/// scaling_list( ), 7.3.2.1.1.1.
fn skip_scaling(bits: &mut Bits, chroma: u32) -> Option<()> {
    if !bits.flag()? {
        return Some(());
    }
    for list in 0..if chroma == 3 { 12 } else { 8 } {
        if !bits.flag()? {
            continue;
        }
        let (mut last, mut next) = (8_i32, 8_i32);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last.wrapping_add(bits.signed()?)).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

/// From the frame numbers to the reference frames.
fn skip_order(bits: &mut Bits) -> Option<()> {
    bits.unsigned()?;
    match bits.unsigned()? {
        0 => {
            bits.unsigned()?;
        }
        1 => {
            bits.skip(1)?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.unsigned().filter(|frames| *frames <= 255)? {
                bits.signed()?;
            }
        }
        _ => {}
    }
    bits.unsigned()?;
    bits.skip(1)
}

/// The rest of profile_tier_level( ), 7.3.3, for `more` temporal layers than one.
fn skip_sublayers(bits: &mut Bits, more: u32) -> Option<()> {
    if more == 0 {
        return Some(());
    }
    let said: Vec<[bool; 2]> = (0..more).map(|_| Some([bits.flag()?, bits.flag()?])).collect::<Option<_>>()?;
    bits.skip(2 * (8 - more as usize))?;
    said.iter().try_for_each(|[profile, level]| bits.skip(usize::from(*profile) * 88 + usize::from(*level) * 8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Size = (u16, u16, u8, [u8; 2]);

    const SETS_H264: [(&str, Size); 5] = [
        ("6742c016da0280f6c044000003000400000300783c58ba80", (640, 480, 1, [8, 8])),
        ("6742c00cda05421e22230110000003001000000301e0f142aa", (322, 242, 1, [8, 8])),
        ("6742c028da01e0089f970110000003001000000301e0f1832a", (1920, 1080, 1, [8, 8])),
        ("677a0015b6cd941510f111180880000003008000000f0f8a14cb", (322, 242, 2, [10, 10])),
        ("67f4000c919b28283f60220000030002000003003c1e28532c", (320, 240, 3, [8, 8])),
    ];
    const SETS_H265: [(&str, Size); 3] = [
        ("42010101600000030090000003000003005aa0050201e16595952930bc05a020000003002000000301e1", (640, 480, 1, [8, 8])),
        (
            "42010101600000030090000003000003003ca00a8804071111965654a4c2f0168080000003008000000784",
            (322, 242, 1, [8, 8]),
        ),
        (
            "42010102200000030090000003000003003ca00a8804071110d965654a4c2f0168080000030008000003007840",
            (322, 242, 1, [10, 10]),
        ),
    ];

    fn size(sps: Option<Sps>) -> Size {
        let sps = sps.unwrap();
        (sps.width, sps.height, sps.chroma, sps.depths)
    }

    /// As x264 and x265 wrote them; sizes as ffprobe tells them.
    #[test]
    fn real_sets_tell_the_size_of_their_pictures() {
        for (hex, expected) in SETS_H264 {
            assert_eq!(size(Sps::h264(&hex::decode(hex).unwrap())), expected, "{hex}");
        }
        for (hex, expected) in SETS_H265 {
            assert_eq!(size(Sps::h265(&hex::decode(hex).unwrap())), expected, "{hex}");
        }
    }

    proptest! {
        #[test]
        fn rubbish_is_no_set_or_any_set_but_never_a_panic(unit in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = (Sps::h264(&unit), Sps::h265(&unit));
        }

        #[test]
        fn a_set_that_is_cut_short_is_none(which in 0..SETS_H265.len(), keep in 0usize..16) {
            let unit = hex::decode(SETS_H265[which].0).unwrap();
            prop_assert_eq!(Sps::h265(&unit[..keep.min(unit.len())]), None);
        }
    }
}
