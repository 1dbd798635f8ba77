//! Parameter sets: what a decoder must know before the first picture.
//!
//! Owns which sets a clip is made with, their record in the file (14496-15, 5.3.3.1 and 8.3.3.1), and pictures without
//! them. Refuses to know boxes. Pure.

use super::Coding;
use super::sps::Sps;
use super::units::units;

/// The parameter sets that every picture of a clip refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sets {
    coding: Coding,
    /// By type, as [`Sets::kinds`] lists them: whole NAL units, each once, in the order in which they came.
    units: Vec<Vec<Vec<u8>>>,
}

/// Why a stream can't be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nobody could decode it.
    #[error("the stream's keyframes come without parameter sets; look at the camera's encoder settings")]
    NoSets,
    /// Nobody else could, either.
    #[error("the stream's parameter sets make no sense; look at the camera's encoder settings")]
    OddSets,
}

/// NAL unit types: H.264 table 7-1, H.265 table 7-1.
fn kind(coding: Coding, unit: &[u8]) -> u8 {
    match coding {
        Coding::H264 => unit[0] & 0x1f,
        Coding::H265 => unit[0] >> 1 & 0x3f,
    }
}

impl Sets {
    /// Those of `picture`, an Annex B byte stream that decoding can start with.
    ///
    /// # Errors
    /// It has none, or such as can't be read.
    pub fn of(coding: Coding, picture: &[u8]) -> Result<Sets, Unfit> {
        let mut sets = Sets { coding, units: vec![Vec::new(); Sets::kinds(coding).len()] };
        for unit in units(picture) {
            if let Some(sort) = sets.sort(unit).filter(|sort| !sets.units[*sort].iter().any(|own| own == unit)) {
                sets.units[sort].push(unit.to_vec());
            }
        }
        // Counts and lengths have 5 and 16 bits at least.
        let is_odd = |sort: &Vec<Vec<u8>>| sort.len() > 31 || sort.iter().any(|set| u16::try_from(set.len()).is_err());
        if sets.units.iter().any(Vec::is_empty) {
            return Err(Unfit::NoSets);
        }
        if sets.units.iter().any(is_odd) || sets.sps().is_none() {
            return Err(Unfit::OddSets);
        }
        Ok(sets)
    }

    /// SPS and PPS; H.265 has VPS in front.
    fn kinds(coding: Coding) -> &'static [u8] {
        match coding {
            Coding::H264 => &[7, 8],
            Coding::H265 => &[32, 33, 34],
        }
    }

    fn sort(&self, unit: &[u8]) -> Option<usize> {
        Sets::kinds(self.coding).iter().position(|sort| *sort == kind(self.coding, unit))
    }

    /// How its pictures are encoded.
    pub fn coding(&self) -> Coding {
        self.coding
    }

    /// `picture` (Annex B) as a sample: every NAL unit bit by bit with its length in front (14496-15, 5.3.2), parameter sets
    /// left out. None: it brings other ones than these, and belongs into another clip.
    pub fn sample(&self, picture: &[u8]) -> Option<Vec<u8>> {
        let mut sample = Vec::with_capacity(picture.len() + 16);
        for unit in units(picture) {
            match self.sort(unit) {
                Some(sort) if self.units[sort].iter().any(|own| own == unit) => {}
                Some(_) => return None,
                None => {
                    sample.extend_from_slice(&u32::try_from(unit.len()).ok()?.to_be_bytes());
                    sample.extend_from_slice(unit);
                }
            }
        }
        Some(sample)
    }

    /// Of the first sequence parameter set: a stream of a camera has one.
    pub(super) fn sps(&self) -> Option<Sps> {
        match self.coding {
            Coding::H264 => Sps::h264(self.units.first()?.first()?),
            Coding::H265 => Sps::h265(self.units.get(1)?.first()?),
        }
    }

    /// The decoder configuration record; `sps` is [`Sets::sps`].
    pub(super) fn record(&self, sps: &Sps) -> Vec<u8> {
        match self.coding {
            Coding::H264 => self.avc(sps),
            Coding::H265 => self.hevc(sps),
        }
    }

    /// AVCDecoderConfigurationRecord, 5.3.3.1.2. Lengths have 4 bytes.
    fn avc(&self, sps: &Sps) -> Vec<u8> {
        let [sequence, picture] = [&self.units[0], &self.units[1]];
        let profile = &sequence[0][1..4];
        let mut record = [&[1], profile, &[0xff, 0xe0 | sequence.len() as u8]].concat();
        sequence.iter().for_each(|set| put(&mut record, set));
        record.push(picture.len() as u8);
        picture.iter().for_each(|set| put(&mut record, set));
        if !matches!(profile[0], 66 | 77 | 88) {
            let [light, colour] = sps.depths.map(|depth| 0xf8 | (depth - 8));
            record.extend_from_slice(&[0xfc | sps.chroma, light, colour, 0]);
        }
        record
    }

    /// HEVCDecoderConfigurationRecord, 8.3.3.1.2. Lengths have 4 bytes; what is unknown is 0.
    fn hevc(&self, sps: &Sps) -> Vec<u8> {
        let [light, colour] = sps.depths.map(|depth| 0xf8 | (depth - 8));
        let layers = sps.layers.count << 3 | u8::from(sps.layers.nested) << 2 | 3;
        let segmentation_and_parallelism = [0xf0, 0, 0xfc];
        let mut record = [&[1], sps.layers.profile.as_slice(), &segmentation_and_parallelism].concat();
        record.extend_from_slice(&[0xfc | sps.chroma, light, colour, 0, 0, layers, self.units.len() as u8]);
        for (kind, sets) in Sets::kinds(self.coding).iter().zip(&self.units) {
            let complete = 0x80;
            record.extend_from_slice(&[complete | kind, 0, sets.len() as u8]);
            sets.iter().for_each(|set| put(&mut record, set));
        }
        record
    }
}

/// With 16 bits of length in front.
fn put(record: &mut Vec<u8>, set: &[u8]) {
    record.extend_from_slice(&(set.len() as u16).to_be_bytes());
    record.extend_from_slice(set);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &str = "6742c016da0280f6c044000003000400000300783c58ba80";
    const PPS: &[u8] = &[0x68, 0xce];

    fn stream(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
    }

    #[test]
    fn sets_go_into_the_record_and_pictures_go_without_them() {
        let sps = hex::decode(SPS).unwrap();
        let (delimiter, slice) = ([9, 0xf0], [0x65, 0x88, 0, 0, 3, 1]);
        let keyframe = stream(&[&delimiter, &sps, PPS, PPS, &slice, &slice]);
        let sets = Sets::of(Coding::H264, &keyframe).unwrap();
        let sample = [&[0, 0, 0, 2][..], &delimiter, &[0, 0, 0, 6], &slice, &[0, 0, 0, 6], &slice].concat();
        assert_eq!(sets.sample(&keyframe), Some(sample));
        assert_eq!(sets.sample(&stream(&[&[0x68, 0xcf], &slice])), None, "another set");
        let record = sets.record(&sets.sps().unwrap());
        let expected = [&[1, 0x42, 0xc0, 0x16, 0xff, 0xe1, 0, 24][..], &sps, &[1, 0, 2], PPS].concat();
        assert_eq!(record, expected);
    }

    #[test]
    fn a_stream_that_nobody_could_decode_is_refused() {
        let sps = hex::decode(SPS).unwrap();
        let of = |units: &[&[u8]]| Sets::of(Coding::H264, &stream(units)).map(|_| ());
        assert_eq!(of(&[&sps, PPS]), Ok(()));
        assert_eq!(of(&[&sps, &[0x65, 0x88]]), Err(Unfit::NoSets));
        assert_eq!(of(&[&sps[..6], PPS]), Err(Unfit::OddSets));
        let many: Vec<[u8; 2]> = (1..=32).map(|id| [0x68, id]).collect();
        let many: Vec<&[u8]> = many.iter().map(<[u8; 2]>::as_slice).chain([sps.as_slice()]).collect();
        assert_eq!(of(&many), Err(Unfit::OddSets));
    }
}
