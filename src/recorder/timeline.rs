//! When in a clip a picture is shown.
//!
//! Owns the clip's own time, which goes on over lost packets and lost connections; refuses to know files. Pure: packets
//! bring their times.

use std::time::Duration;

use crate::camera::{Class, Packet};
use crate::time::Mono;

/// A camera whose clock and whose pictures are so far apart has set its clock.
const ASTRAY: Duration = Duration::from_secs(10);
/// A camera whose keyframe is shown no later than what came before, so long after that, has a clock that stands still.
const STUCK: Duration = Duration::from_millis(500);
/// How long a picture is shown where only one came.
const MOMENT: Duration = Duration::from_millis(40);
/// No pace is slower for us: pictures may be missing.
const SLOWEST: Duration = Duration::from_millis(200);

/// The time of one clip, which begins with its first keyframe.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// When the first keyframe arrived.
    began: Option<Mono>,
    line: Option<Line>,
    /// Something was lost since the last keyframe.
    broken: bool,
    /// The latest time that was given.
    newest: Duration,
}

/// How times of a connection become times of the clip.
#[derive(Clone, Copy, Debug)]
struct Line {
    connection: u64,
    pts: Duration,
    at: Duration,
    /// So many of its pictures were placed.
    pictures: u32,
    /// What is shown before belongs to a keyframe that isn't there: it can't be decoded.
    from: Duration,
}

impl Line {
    fn place(&self, packet: &Packet) -> Duration {
        (self.at + packet.pts).saturating_sub(self.pts)
    }

    /// Where a next connection may begin: two pictures behind the last one, at the pace that they came at.
    fn end(&self, newest: Duration) -> Duration {
        let step = newest.saturating_sub(self.at).checked_div(self.pictures.saturating_sub(1)).unwrap_or(MOMENT);
        newest + 2 * step.min(SLOWEST)
    }
}

impl Timeline {
    /// When `packet`, the next one of the camera, is shown. None: it can't be, because what it refers to isn't there.
    pub(super) fn place(&mut self, packet: &Packet) -> Option<Duration> {
        let starts = packet.class != Class::Delta;
        self.broken |= packet.after_loss;
        if !starts && (self.broken || self.line.is_none()) {
            return None;
        }
        let elapsed = packet.arrived.mono.since(*self.began.get_or_insert(packet.arrived.mono));
        let goes_on = |line: &Line| {
            let at = line.place(packet);
            // Nothing that came before a keyframe is shown after it.
            let goes_back = packet.class == Class::Idr && at <= self.newest && elapsed.saturating_sub(at) > STUCK;
            line.connection == packet.connection && at.abs_diff(elapsed) < ASTRAY && !goes_back
        };
        let mut line = match self.line.filter(goes_on) {
            Some(line) => line,
            None if starts => {
                let end = self.line.map_or(Duration::ZERO, |line| line.end(self.newest));
                let (connection, pts, at) = (packet.connection, packet.pts, elapsed.max(end));
                Line { connection, pts, at, pictures: 0, from: pts }
            }
            None => {
                self.broken = true;
                return None;
            }
        };
        if std::mem::take(&mut self.broken) {
            line.from = packet.pts;
        }
        let is_shown = packet.pts >= line.from;
        line.pictures += u32::from(is_shown);
        self.line = Some(line);
        let at = line.place(packet);
        self.newest = self.newest.max(at);
        is_shown.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{Codec, Turn};
    use crate::time::Now;

    fn packet(connection: u64, pts: u64, arrived: u64, class: Class) -> Packet {
        let pts = Duration::from_millis(pts);
        Packet {
            codec: Codec::H264,
            data: Vec::new().into(),
            pts,
            dts: pts,
            class,
            after_loss: false,
            turn: Turn::None,
            arrived: Now::in_clip(Duration::from_millis(arrived)),
            connection,
        }
    }

    use Class::{Delta, Idr};

    fn placed(packets: impl IntoIterator<Item = Packet>) -> Vec<Option<u128>> {
        let mut timeline = Timeline::default();
        packets.into_iter().map(|packet| timeline.place(&packet).map(|at| at.as_millis())).collect()
    }

    #[test]
    fn a_clip_begins_with_a_keyframe_and_keeps_the_cameras_times() {
        let times = [(0, Delta), (1000, Idr), (1080, Delta), (1040, Delta), (960, Delta), (1200, Delta)];
        let found = placed(times.map(|(pts, class)| packet(1, pts, 5000, class)));
        assert_eq!(found, [None, Some(0), Some(80), Some(40), None, Some(200)], "960 refers to what was before");
    }

    #[test]
    fn a_lost_connection_is_a_pause_as_long_as_it_was() {
        let found = placed([
            packet(1, 0, 1000, Idr),
            packet(1, 500, 1500, Delta),
            packet(2, 7_000_000, 8500, Delta),
            packet(2, 7_000_100, 8600, Idr),
            packet(2, 7_000_140, 8640, Delta),
            packet(3, 0, 8000, Idr),
        ]);
        assert_eq!(found, [Some(0), Some(500), None, Some(7600), Some(7640), Some(7720)], "never backwards");
    }

    #[test]
    fn what_follows_a_loss_is_left_out_until_decoding_can_start_again() {
        let lost = Packet { after_loss: true, ..packet(1, 40, 40, Delta) };
        let rest = [(80, Delta), (200, Idr), (160, Delta), (240, Delta)].map(|(at, class)| packet(1, at, at, class));
        let found = placed([packet(1, 0, 0, Idr), lost].into_iter().chain(rest));
        assert_eq!(found, [Some(0), None, None, Some(200), None, Some(240)]);
    }

    #[test]
    fn a_camera_whose_time_stands_still_or_goes_back_a_little_goes_on_from_its_next_keyframe() {
        let frozen = |nth: u64| packet(1, 100, nth * 500, if nth % 2 == 0 { Idr } else { Delta });
        assert_eq!(placed((0..5).map(frozen)), [0, 0, 1000, 1000, 2000].map(Some));
        let back = [(0, 0, Idr), (4000, 4000, Delta), (1000, 5000, Idr), (1040, 5040, Delta)];
        let found = placed(back.map(|(pts, arrived, class)| packet(1, pts, arrived, class)));
        assert_eq!(found, [0, 4000, 5000, 5040].map(Some));
    }

    #[test]
    fn a_camera_that_sets_its_clock_goes_on_from_its_next_keyframe() {
        for pts in [3_600_000, 0] {
            let found = placed([
                packet(1, 100_000, 1000, Idr),
                packet(1, 111_000, 12_000, Delta),
                packet(1, pts, 12_040, Delta),
                packet(1, pts + 40, 13_000, Idr),
                packet(1, pts + 80, 13_040, Delta),
            ]);
            assert_eq!(found, [Some(0), Some(11_000), None, Some(12_000), Some(12_040)]);
        }
    }
}
