//! What of a camera's packets is decoded, and why.
//!
//! Owns the decision; refuses to know packets, decoders and clocks: what is known comes as [`Facts`], the time as an
//! argument. Pure.
//!
//! A camera sleeps on its keyframes while nothing happens. Whatever stirs it (movement, an open event, an undecided
//! monitor) wakes it at once, and it falls asleep only [`QUIET`] after the last of that: it can't flutter.

use std::fmt;
use std::time::Duration;

use super::cadence::Cadence;
use super::codec::Codec;
use super::ring::MAX_BYTES;
use super::settings::Settings;
use crate::config::Decode;
use crate::time::Mono;

/// A camera falls asleep after so long without movement and demand. It is about as long as somebody stands still on the
/// way through a picture, and costs less than a wake (two GOPs are decoded again) that follows at once.
pub const QUIET: Duration = Duration::from_secs(5);

/// No camera sleeps on keyframes much further apart, however late an event may be noticed: what lies between two of them
/// must fit into the ring.
const LONGEST: Duration = Duration::from_secs(10);

/// After so long in which the ring held everything, it is believed to suffice again.
const ROOMY: Duration = Duration::from_secs(60);

/// Asleep, keyframes that come more often than this are not all decoded.
const DENSE: Duration = Duration::from_secs(1);

/// Which packets are decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Every one, always.
    #[default]
    All,
    /// Asleep: keyframes only.
    Keyframes,
    /// Every one, for now.
    Awake,
}

impl Mode {
    /// Every mode there is.
    pub const ALL: [Mode; 3] = [Mode::All, Mode::Keyframes, Mode::Awake];

    /// As in `status --json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::All => "all",
            Mode::Keyframes => "keyframes",
            Mode::Awake => "awake",
        }
    }
}

/// Why that is so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// `decode` says so.
    #[default]
    Configured,
    /// No enabled monitor looks at the camera.
    Unwatched,
    /// Keyframes come too rarely.
    TooRare {
        /// Between two of them, or since the latest one if that is longer.
        interval: Duration,
        /// The strictest `notice_within`, but no more than any camera sleeps.
        within: Duration,
    },
    /// What comes between two keyframes doesn't fit into the ring.
    TooMuch,
    /// Its pictures can't be decoded alone: there is an open GOP or an intra refresh where a keyframe should be.
    NotAlone,
    /// How often keyframes come isn't known yet.
    Measuring,
    /// Something moved a moment ago.
    Moved,
    /// An event is open, or a check said neither yes nor no.
    Demanded,
    /// Nothing moves.
    Quiet,
    /// Nothing moves; each picture of MJPEG stands alone, so that one in a while will do.
    Mjpeg,
}

/// In an operator's words.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Configured => f.write_str("as configured"),
            Why::Unwatched => f.write_str("nobody watches"),
            Why::TooRare { interval, within } if *within >= LONGEST => {
                let (interval, longest) = (interval.as_secs_f64(), LONGEST.as_secs());
                write!(f, "a keyframe only every {interval:.1} s, no camera sleeps for longer than {longest} s")
            }
            Why::TooMuch => write!(f, "more comes between two keyframes than is kept: {} MiB", MAX_BYTES / 1024 / 1024),
            Why::TooRare { interval, within } => {
                let (interval, within) = (interval.as_secs_f64(), within.as_secs_f64());
                write!(f, "a keyframe only every {interval:.1} s, `notice_within` is {within:.1} s")
            }
            Why::NotAlone => f.write_str("keyframes can't be decoded alone (open GOP or intra refresh)"),
            Why::Measuring => f.write_str("measuring the keyframe interval"),
            Why::Moved => f.write_str("something moved"),
            Why::Demanded => f.write_str("an event is open, or a check undecided"),
            Why::Quiet => f.write_str("nothing moves"),
            Why::Mjpeg => f.write_str("nothing moves, and MJPEG needs no picture but the newest"),
        }
    }
}

/// What is decoded, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Which packets are decoded.
    pub mode: Mode,
    /// Why.
    pub why: Why,
}

/// What is known of a camera.
#[derive(Clone, Debug)]
pub struct Facts {
    /// As configured.
    pub decode: Decode,
    /// The strictest of those who watch; None: nobody watches.
    pub notice_within: Option<Duration>,
    /// How pictures are encoded.
    pub codec: Codec,
    /// How often keyframes come.
    pub cadence: Cadence,
    /// When something last moved.
    pub moved: Option<Mono>,
    /// When the watch loop last had an open event or an undecided monitor.
    pub demanded: Option<Mono>,
    /// When the ring last could not hold what came between two keyframes.
    pub overflowed: Option<Mono>,
    /// Keyframes came too rarely a moment ago: they must come a little more often than otherwise.
    pub rare: bool,
}

impl Facts {
    /// Of a camera that has sent nothing yet.
    pub(super) fn of(settings: &Settings) -> Facts {
        Facts {
            decode: settings.decode,
            notice_within: settings.notice_within,
            codec: Codec::H264,
            cadence: Default::default(),
            moved: None,
            demanded: None,
            overflowed: None,
            rare: false,
        }
    }

    /// What is to be decoded at `now`.
    pub fn decide(&self, now: Mono) -> Decision {
        let (mode, why) = match self.decode {
            Decode::All => (Mode::All, Why::Configured),
            _ if self.keyframes_are_no_use() => (Mode::All, Why::NotAlone),
            Decode::Keyframes => (Mode::Keyframes, Why::Configured),
            Decode::Auto => match self.notice_within {
                None => (Mode::Keyframes, Why::Unwatched),
                Some(within) => self.cheapest(within, now),
            },
        };
        Decision { mode, why }
    }

    fn cheapest(&self, within: Duration, now: Mono) -> (Mode, Why) {
        if self.codec != Codec::Mjpeg {
            if self.waits_longer_than(within) {
                let interval = self.cadence.interval().unwrap_or_default().max(self.cadence.age());
                return (Mode::All, Why::TooRare { interval, within: within.min(LONGEST) });
            }
            if self.overflowed.is_some_and(|at| now.since(at) < ROOMY) {
                return (Mode::All, Why::TooMuch);
            }
            if self.cadence.interval().is_none() {
                return (Mode::Awake, Why::Measuring);
            }
        }
        let lately = |at: Option<Mono>| at.is_some_and(|at| now.since(at) < QUIET);
        if lately(self.demanded) {
            (Mode::Awake, Why::Demanded)
        } else if lately(self.moved) {
            (Mode::Awake, Why::Moved)
        } else if self.codec == Codec::Mjpeg {
            (Mode::Keyframes, Why::Mjpeg)
        } else {
            (Mode::Keyframes, Why::Quiet)
        }
    }

    /// There are none, or next to none, but there are places in between where decoding may start.
    fn keyframes_are_no_use(&self) -> bool {
        let unheard_of = self.cadence.interval().is_none();
        let too_rare = self.waits_longer_than(LONGEST);
        self.cadence.joins() && (unheard_of || too_rare)
    }

    /// Whether keyframes come too rarely, or the one that is due is overdue: a quarter late is what networks do.
    fn waits_longer_than(&self, within: Duration) -> bool {
        let within = within.min(LONGEST);
        // 30 pictures at 14.9 a second are not 2 s, and nobody means that. Nor do encoders count well: what was too rare a
        // moment ago must be clearly better.
        let tolerance = within / if self.rare { 20 } else { 10 };
        let overdue = self.cadence.age() > within + within / 4;
        overdue || self.cadence.interval().is_some_and(|interval| interval > within + tolerance)
    }

    /// Asleep: how long after a keyframe was decoded the next one is worth it. A little early is in time.
    pub fn pace(&self) -> Duration {
        if self.decode == Decode::Keyframes && self.codec != Codec::Mjpeg {
            return Duration::ZERO;
        }
        self.notice_within.map_or(DENSE, |within| within.min(DENSE)) * 3 / 4
    }
}

#[cfg(test)]
mod tests;
