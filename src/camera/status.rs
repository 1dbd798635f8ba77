//! How a camera is, for those who ask.
//!
//! Owns the snapshot and the heartbeat; refuses to decide anything. Written by the camera's thread, read by any.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::cost::Saving;
use super::hardware::Report;
use super::policy::Decision;
use super::problem::Problem;
use crate::time::{Mono, Now};

/// Frame rates are told as the mean over this time.
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// Whether pictures come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Never connected so far.
    #[default]
    Connecting,
    /// Pictures come.
    Online,
    /// No pictures come, or always the same one; it is tried again for ever.
    Offline,
    /// A clip that does not loop is at its end.
    Ended,
}

impl State {
    /// As in `status --json`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Connecting => "connecting",
            State::Online => "online",
            State::Offline => "offline",
            State::Ended => "ended",
        }
    }
}

/// A camera at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Whether pictures come.
    pub state: State,
    /// Since when; None before its thread has begun.
    pub since: Option<Now>,
    /// Why none come: of the latest attempt, so it may change while the camera stays offline.
    pub cause: Option<Problem>,
    /// It went away together with all others: the network, or this box.
    pub common: bool,
    /// Which packets are decoded now, and why.
    pub decoding: Decision,
    /// Packets that came since the start; each holds one picture.
    pub packets: u64,
    /// Of these, so many that a decoder was fed with.
    pub packets_decoded: u64,
    /// The longest of the latest intervals between keyframes; None before the second one of a connection, and for codecs
    /// without.
    pub keyframe_interval: Option<Duration>,
    /// What a keyframe every second would save, where that was measured.
    pub saving: Option<Saving>,
    /// Pictures a second that the camera sends, a mean over some 2 s; 0 when offline.
    pub fps: f64,
    /// When the newest picture's packet arrived.
    pub last_frame: Option<Now>,
    /// Whole pictures decoded since the start.
    pub decoded: u64,
    /// Of these, so many that nobody wanted: their planes were not copied.
    pub skipped: u64,
    /// Connections that gave pictures, after the first one.
    pub reconnects: u64,
    /// Times that it was online and then no more.
    pub losses: u64,
    /// What decodes, and what should have but failed.
    pub decoder: Report,
}

impl Snapshot {
    /// How old the newest picture is.
    pub fn last_frame_age(&self, now: Now) -> Option<Duration> {
        self.last_frame.map(|at| now.mono.since(at.mono))
    }
}

/// Where the camera's thread writes and others read.
#[derive(Debug, Default)]
pub(super) struct Board {
    held: Mutex<(Snapshot, Rate)>,
    beat: AtomicU64,
}

#[derive(Debug, Default)]
struct Rate {
    since: Option<Mono>,
    packets: u64,
}

impl Board {
    pub(super) fn snapshot(&self) -> Snapshot {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Whether that is a change; `cause` may be another one all the same.
    pub(super) fn enter(&self, state: State, cause: Option<Problem>, now: Now) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = &mut held.0;
        let before = std::mem::replace(&mut snapshot.state, state);
        snapshot.cause = cause;
        if before == state {
            return false;
        }
        snapshot.since = Some(now);
        snapshot.losses += u64::from((before, state) == (State::Online, State::Offline));
        snapshot.reconnects += u64::from((before, state) == (State::Offline, State::Online) && snapshot.decoded > 1);
        true
    }

    /// The connection is gone: what comes next begins a new rate.
    pub(super) fn no_pictures(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.1 = Rate::default();
        held.0.fps = 0.0;
    }

    /// Counts decoded pictures, of which `wanted` became frames.
    pub(super) fn pictures(&self, arrived: Now, decoded: u64, wanted: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = &mut held.0;
        snapshot.decoded += decoded;
        snapshot.skipped += decoded.saturating_sub(wanted);
        snapshot.last_frame = Some(arrived);
    }

    /// What is decoded from now on.
    pub(super) fn decides(&self, decoding: Decision) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).0.decoding = decoding;
    }

    /// Counts packets that a decoder was fed with.
    pub(super) fn fed(&self, packets: u64) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).0.packets_decoded += packets;
    }

    /// What a keyframe every second would save.
    pub(super) fn saves(&self, saving: Option<Saving>) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).0.saving = saving;
    }

    /// Counts a packet, with what is known of the stream since.
    pub(super) fn packet(&self, arrived: Now, decoding: Decision, interval: Option<Duration>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (snapshot, rate) = &mut *held;
        snapshot.packets += 1;
        (snapshot.decoding, snapshot.keyframe_interval) = (decoding, interval);
        let since = *rate.since.get_or_insert(arrived.mono);
        let passed = arrived.mono.since(since);
        if passed >= RATE_WINDOW {
            snapshot.fps = rate.packets as f64 / passed.as_secs_f64();
            *rate = Rate { since: Some(arrived.mono), packets: 0 };
        }
        rate.packets += 1;
    }

    pub(super) fn beat(&self, now: Now) {
        self.beat.store(now.mono.0, Ordering::Relaxed);
    }

    pub(super) fn last_beat(&self) -> Mono {
        Mono(self.beat.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_rate_is_a_mean_and_falls_to_zero_with_the_connection() {
        let board = Board::default();
        for tick in 0..100 {
            let at = Now::in_clip(Duration::from_millis(tick * 100));
            board.packet(at, Decision::default(), None);
            board.pictures(at, 1, tick % 2);
        }
        let snapshot = board.snapshot();
        assert!((snapshot.fps - 10.0).abs() < 0.01, "{}", snapshot.fps);
        assert_eq!((snapshot.decoded, snapshot.skipped), (100, 50));
        assert_eq!(snapshot.last_frame_age(Now::in_clip(Duration::from_secs(10))), Some(Duration::from_millis(100)));
        board.no_pictures();
        assert_eq!(board.snapshot().fps, 0.0);
    }
}
