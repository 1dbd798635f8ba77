//! The bits of a parameter set.
//!
//! Owns emulation prevention (ITU-T H.264 7.4.1.1) and Exp-Golomb codes (9.1), which H.265 has in common; refuses to know
//! what they mean. Pure.

/// A reader of bits, the highest of each byte first. Every answer is None once there are no more.
pub(super) struct Bits {
    payload: Vec<u8>,
    at: usize,
}

impl Bits {
    /// Of a NAL unit, behind its header.
    pub(super) fn of(unit: &[u8]) -> Bits {
        let mut payload: Vec<u8> = Vec::with_capacity(unit.len());
        let mut zeros = 0;
        for byte in unit {
            if zeros >= 2 && *byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            payload.push(*byte);
        }
        Bits { payload, at: 0 }
    }

    /// u(n), `count` being 32 at most.
    pub(super) fn read(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| {
            let byte = self.payload.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(value << 1 | u32::from(bit))
        })
    }

    /// u(1).
    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.read(1)? == 1)
    }

    /// `count` whole bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        (0..count).map(|_| self.read(8)?.try_into().ok()).collect()
    }

    /// Passes over as many bits.
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.payload.len() * 8).then_some(())
    }

    /// ue(v).
    pub(super) fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        let rest = if zeros < 32 { self.read(zeros)? } else { return None };
        Some((1 << zeros) - 1 + rest)
    }

    /// se(v).
    pub(super) fn signed(&mut self) -> Option<i32> {
        let code = self.unsigned()?;
        let half = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 1 { half } else { -half })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_standards_table() {
        // 1 | 010 | 011 | 00100 | 00101 | 00110 | 00111 and padding, as in table 9-2.
        let mut bits = Bits::of(&[0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0000]);
        assert_eq!(std::array::from_fn(|_| bits.unsigned()), [0, 1, 2, 3, 4, 5, 6].map(Some));
        let mut bits = Bits::of(&[0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0000]);
        assert_eq!(std::array::from_fn(|_| bits.signed()), [0, 1, -1, 2, -2, 3, -3].map(Some));
        assert_eq!(bits.unsigned(), None, "it ends in zeros");
    }

    #[test]
    fn what_keeps_start_codes_away_is_taken_out() {
        let mut bits = Bits::of(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]);
        assert_eq!(bits.bytes(7), Some(vec![0, 0, 1, 0, 0, 0, 0]));
        assert_eq!((bits.read(1), bits.skip(1)), (None, None));
        assert_eq!(Bits::of(&[0; 9]).unsigned(), None, "longer than any code");
    }
}
