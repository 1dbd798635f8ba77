//! How often keyframes come.
//!
//! Owns the intervals between the latest ones, by the stream's own clock; refuses to decide anything. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use super::packet::{Class, Packet};

/// The longest of so many intervals counts: encoders put extra keyframes where a scene changes, never fewer. But for one of
/// them: a keyframe that the network delays makes one interval longer and the next one shorter.
const REMEMBERED: usize = 4;

/// The keyframes of one connection.
#[derive(Clone, Debug, Default)]
pub struct Cadence {
    /// When the first packet is shown.
    began: Option<Duration>,
    /// When the latest keyframe is shown.
    last: Option<Duration>,
    /// How long the current GOP is so far, or what came before the first keyframe.
    age: Duration,
    intervals: VecDeque<Duration>,
    joins: bool,
}

impl Cadence {
    /// The next packet of the connection.
    pub fn packet(&mut self, packet: &Packet) {
        let began = *self.began.get_or_insert(packet.pts);
        self.joins |= packet.class == Class::Recovery;
        if packet.class != Class::Idr {
            self.age = self.age.max(packet.pts.saturating_sub(self.last.unwrap_or(began)));
            return;
        }
        let interval = self.last.and_then(|last| packet.pts.checked_sub(last)).filter(|interval| !interval.is_zero());
        if let Some(interval) = interval {
            self.intervals.truncate(REMEMBERED - 1);
            self.intervals.push_front(interval);
        }
        self.last = Some(packet.pts);
        self.age = Duration::ZERO;
    }

    /// The longest of the latest intervals between keyframes, but for one of four; None before the second keyframe.
    pub fn interval(&self) -> Option<Duration> {
        let mut intervals: Vec<Duration> = self.intervals.iter().copied().collect();
        intervals.sort_unstable();
        if intervals.len() == REMEMBERED {
            intervals.pop();
        }
        intervals.pop()
    }

    /// How long it has been since the latest keyframe, or since the first packet.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Decoding can be joined between keyframes: non-IDR pictures (open GOPs) or an intra refresh.
    pub fn joins(&self) -> bool {
        self.joins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{Codec, Turn};
    use crate::time::Now;

    fn cadence(packets: impl IntoIterator<Item = (u64, Class)>) -> Cadence {
        let mut cadence = Cadence::default();
        for (at, class) in packets {
            let pts = Duration::from_millis(at);
            cadence.packet(&Packet {
                codec: Codec::H264,
                data: [].into(),
                pts,
                dts: pts,
                class,
                after_loss: false,
                turn: Turn::None,
                arrived: Now::in_clip(pts),
                connection: 1,
            });
        }
        cadence
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_longest_of_the_latest_counts() {
        assert_eq!(cadence([(0, Class::Idr)]).interval(), None);
        let times = [0, 9000, 10_000, 11_000, 11_200, 13_000];
        assert_eq!(cadence(times.map(|at| (at, Class::Idr))).interval(), Some(SECOND));
        assert_eq!(cadence(times[..4].iter().map(|at| (*at, Class::Idr))).interval(), Some(SECOND * 9));
        let late = [0, 2000, 4000, 6240, 8000, 10_000].map(|at| (at, Class::Idr));
        assert_eq!(cadence(late).interval(), Some(SECOND * 2), "one keyframe was late");
        let later = [0, 4000, 8000, 9000, 12_000].map(|at| (at, Class::Idr));
        assert_eq!(cadence(later).interval(), Some(SECOND * 4), "one came where a scene changed");
        assert_eq!(cadence([(500, Class::Idr), (500, Class::Idr), (100, Class::Idr)]).interval(), None);
    }

    #[test]
    fn a_gop_ages_while_it_lasts() {
        let joined = cadence([(1000, Class::Delta), (3000, Class::Delta)]);
        assert_eq!((joined.age(), joined.interval()), (SECOND * 2, None));
        let growing = cadence([(0, Class::Idr), (1000, Class::Idr), (8000, Class::Delta), (7900, Class::Delta)]);
        assert_eq!((growing.age(), growing.interval()), (SECOND * 7, Some(SECOND)));
    }

    #[test]
    fn a_recovery_point_is_no_keyframe() {
        let open = cadence([(0, Class::Idr), (1000, Class::Recovery), (2000, Class::Recovery), (2500, Class::Delta)]);
        assert!(open.joins());
        assert_eq!((open.interval(), open.age()), (None, SECOND * 5 / 2));
    }
}
