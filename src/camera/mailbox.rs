//! What a camera hands to its watch loop.
//!
//! Owns the newest frames (newest wins), the notices about the camera's state, the bell that announces both, and the
//! demand that the watch loop puts up. Refuses to know decoders and checks. Written by the camera's thread, read by the
//! watch loop's; neither ever waits for the other.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::problem::Problem;
use super::tap::{Pipe, Tap, tap};
use crate::frame::{Frame, Motion};
use crate::time::Mono;

/// No demand may keep more frames than these: 16 of 1080p are 50 MB.
pub const MAX_BURST: usize = 16;

/// What is held for recordings covers so much of the way from a picture to the order; judging may take some of that …
const COVERED: Duration = Duration::from_secs(3);
/// … and no more than this: it costs memory.
const MAX_LAG: Duration = Duration::from_secs(30);

/// Notices that are kept for a watch loop that does not come; a pair of lost and online is dropped beyond.
const MAX_NOTICES: usize = 16;

/// Which frames the watch loop wants. Planes are copied out of the decoder only for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Frames that arrive from here on, which is when the earliest monitor is next due; None: no frame at all.
    pub from: Option<Mono>,
    /// Of frames that are decoded later than they arrived (a camera woke up), one in so long is wanted.
    pub every: Duration,
    /// So many frames that were slept through are kept until they are taken, the newest ones, 1 to [`MAX_BURST`]. Of live
    /// frames the newest is kept.
    pub burst: usize,
    /// Something is going on (an event is open, a check said neither yes nor no): every frame matters, don't sleep.
    pub awake: bool,
}

impl Demand {
    /// Nobody looks at this camera.
    pub const NOTHING: Demand = Demand { from: None, every: Duration::ZERO, burst: 1, awake: false };

    /// The newest frame that arrived at `from` or later.
    pub fn newest_from(from: Mono) -> Demand {
        Demand { from: Some(from), ..Demand::NOTHING }
    }

    fn wants(&self, arrived: Mono) -> bool {
        self.from.is_some_and(|from| arrived >= from)
    }

    /// At most so many frames that were slept through are kept.
    fn room(&self) -> usize {
        self.burst.clamp(1, MAX_BURST)
    }

    /// Of pictures that are decoded later than they `arrived`: the newest one, and one in every so long before it. Where
    /// that is more than may be kept they are further apart: what happened is somewhere in all of the time.
    fn choose(&self, arrived: &[Mono]) -> Vec<Mono> {
        let mut wanted: Vec<Mono> = arrived.iter().copied().filter(|arrived| self.wants(*arrived)).collect();
        wanted.sort_unstable();
        let (Some(first), Some(last)) = (wanted.first().copied(), wanted.last().copied()) else { return Vec::new() };
        let room = self.room();
        let steps = u32::try_from(room - 1).unwrap_or(u32::MAX);
        let every = last.since(first).checked_div(steps).map_or(Duration::MAX, |least| self.every.max(least));
        let mut chosen = vec![last];
        for candidate in wanted.into_iter().rev() {
            if chosen.len() < room && chosen.last().is_some_and(|later| later.since(candidate) >= every) {
                chosen.push(candidate);
            }
        }
        chosen.reverse();
        chosen
    }
}

/// A change of a camera's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Pictures come.
    Online,
    /// No pictures come; it is tried again for ever.
    Lost(Problem),
    /// A clip that does not loop is at its end.
    Ended,
}

/// What [`Mailbox::take`] found.
#[derive(Debug, Default)]
pub struct Mail {
    /// In the order in which they happened.
    pub notices: Vec<Notice>,
    /// In the order in which they were decoded; at most the demand's burst, and a live one.
    pub frames: Vec<Frame>,
    /// Pictures since the last call that nobody wanted, or that a newer one replaced: seen, but never to be checked.
    pub passed: u64,
}

/// The place where a camera leaves its frames.
#[derive(Debug)]
pub struct Mailbox {
    held: Mutex<Held>,
    ring: Sender<()>,
    bell: Receiver<()>,
}

#[derive(Debug)]
struct Held {
    demand: Demand,
    asker: Option<Asker>,
    notices: VecDeque<Notice>,
    frames: VecDeque<Frame>,
    passed: u64,
    /// See [`Mailbox::watch_within`], until the camera's thread has heard it.
    within: Option<Option<Duration>>,
    /// See [`Mailbox::hold`].
    pre_roll: Duration,
    /// See [`Mailbox::lags`].
    lag: Duration,
    /// Taps that the camera's thread has not begun to fill.
    pipes: Vec<Pipe>,
}

impl Held {
    /// How far back the ring is to reach; zero: nothing is recorded.
    fn reach(&self) -> Duration {
        let more = if self.pre_roll.is_zero() { Duration::ZERO } else { self.lag.saturating_sub(COVERED) };
        self.pre_roll + more
    }
}

/// Somebody beside the watch loop who wants to see one picture. Dropped without one: none came.
pub struct Asker(Box<dyn FnOnce(Frame) + Send>);

impl Asker {
    /// `tell` gets the picture, on the camera's thread: it must not wait for anything.
    pub fn new(tell: impl FnOnce(Frame) + Send + 'static) -> Asker {
        Asker(Box::new(tell))
    }

    pub(super) fn tell(self, frame: Frame) {
        (self.0)(frame);
    }
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asker")
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        let (ring, bell) = crossbeam_channel::bounded(1);
        let (notices, frames) = (VecDeque::new(), VecDeque::new());
        let held = Held {
            demand: Demand::NOTHING,
            asker: None,
            notices,
            frames,
            passed: 0,
            within: None,
            pre_roll: Duration::ZERO,
            lag: Duration::ZERO,
            pipes: Vec::new(),
        };
        Mailbox { held: Mutex::new(held), ring, bell }
    }
}

impl Mailbox {
    /// Receives something whenever there is mail: for `select!`. [`Mailbox::take`] after it may still find nothing.
    pub fn bell(&self) -> &Receiver<()> {
        &self.bell
    }

    /// Everything that came since the last call.
    pub fn take(&self) -> Mail {
        let mut held = self.held();
        let passed = std::mem::take(&mut held.passed);
        Mail { notices: held.notices.drain(..).collect(), frames: held.frames.drain(..).collect(), passed }
    }

    /// Says which frames are wanted, until it is said anew. To begin with nobody wants any.
    pub fn demand(&self, demand: Demand) {
        self.held().demand = demand;
    }

    /// Asks for the next picture, whatever the watch loop wants. Who asked before gets none any more.
    pub fn ask(&self, asker: Asker) {
        self.held().asker = Some(asker);
    }

    /// Who asked, to be told.
    pub(super) fn take_asker(&self) -> Option<Asker> {
        self.held().asker.take()
    }

    /// Says how late the strictest of those who watch now may notice something; None: nobody watches. It takes the place of
    /// what the camera was set to.
    pub fn watch_within(&self, within: Option<Duration>) {
        self.held().within = Some(within);
    }

    /// What was said by [`Mailbox::watch_within`] since the last call.
    pub(super) fn heard_within(&self) -> Option<Option<Duration>> {
        self.held().within.take()
    }

    /// Says from how long before an alert on clips show it; the camera's ring holds so much from then on.
    pub fn hold(&self, pre_roll: Duration) {
        self.held().pre_roll = pre_roll;
    }

    /// A picture was judged so long after it came. The ring reaches back so much further from then on: what a clip shows before
    /// its alert counts from the picture.
    pub fn lags(&self, latency: Duration) {
        let mut held = self.held();
        held.lag = held.lag.max(latency.min(MAX_LAG));
    }

    /// Everything that the camera sends, beginning with a keyframe at or before `from`, as far as that is still held.
    pub fn tap(&self, from: Mono) -> Tap {
        let mut held = self.held();
        let (pipe, tap) = tap(from, held.reach());
        held.pipes.push(pipe);
        tap
    }

    /// What [`Mailbox::hold`] said last, and taps that were asked for since the last call.
    pub(super) fn recordings(&self) -> (Duration, Vec<Pipe>) {
        let mut held = self.held();
        (held.reach(), std::mem::take(&mut held.pipes))
    }

    /// Whether somebody wants a picture that is decoded when it arrives.
    pub fn wants(&self, arrived: Mono) -> bool {
        let held = self.held();
        held.asker.is_some() || held.demand.wants(arrived)
    }

    /// Which of the pictures that are decoded later than they arrived somebody wants, oldest first.
    pub fn choose(&self, arrived: &[Mono]) -> Vec<Mono> {
        self.held().demand.choose(arrived)
    }

    /// Whether something is going on, so that the camera must not sleep.
    pub fn wants_all(&self) -> bool {
        self.held().demand.awake
    }

    /// So many pictures were decoded that nobody wanted.
    pub fn pass(&self, pictures: u64) {
        self.held().passed += pictures;
    }

    /// Leaves a frame. A live one takes the place of the live one before; of those that were slept through the oldest beyond
    /// the demand's burst give way.
    pub fn put(&self, frame: Frame) {
        let mut held = self.held();
        let is_late = |frame: &Frame| frame.motion == Motion::SleptThrough;
        let late = is_late(&frame);
        if let Some(asker) = held.asker.take_if(|_| !late) {
            let demanded = held.demand.wants(frame.arrived.mono);
            held.passed += u64::from(!demanded);
            if !demanded {
                return asker.tell(frame);
            }
            asker.tell(frame.clone());
        }
        let room = if late { held.demand.room() } else { 1 };
        while held.frames.iter().filter(|other| is_late(other) == late).count() >= room {
            let oldest = held.frames.iter().position(|other| is_late(other) == late);
            oldest.map(|at| held.frames.remove(at));
            held.passed += 1;
        }
        held.frames.push_back(frame);
        drop(held);
        self.announce();
    }

    /// Leaves a notice.
    pub fn notify(&self, notice: Notice) {
        let mut held = self.held();
        if held.notices.len() >= MAX_NOTICES {
            held.notices.drain(..2);
        }
        held.notices.push_back(notice);
        drop(held);
        self.announce();
    }

    fn announce(&self) {
        // A full bell already rings.
        let _ = self.ring.try_send(());
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Color, Matrix, PixelFormat};
    use crate::time::Now;

    fn frame(at: u64) -> Frame {
        let pts = Duration::from_nanos(at);
        Frame {
            width: 0,
            height: 0,
            format: PixelFormat::I420,
            color: Color { matrix: Matrix::Bt601, full_range: false },
            planes: Vec::new(),
            arrived: Now::in_clip(pts),
            pts,
            connection: 1,
            motion: Motion::Moved,
        }
    }

    fn late(at: u64) -> Frame {
        Frame { motion: Motion::SleptThrough, ..frame(at) }
    }

    fn times(mail: &Mail) -> Vec<u64> {
        mail.frames.iter().map(|frame| frame.arrived.mono.0).collect()
    }

    #[test]
    fn the_newest_frame_wins_and_the_bell_rings_once() {
        let mailbox = Mailbox::default();
        mailbox.demand(Demand::newest_from(Mono(0)));
        for at in 1..=3 {
            mailbox.put(frame(at));
        }
        assert_eq!(mailbox.bell().try_iter().count(), 1);
        let mail = mailbox.take();
        assert_eq!((times(&mail), mail.passed), (vec![3], 2));
        assert_eq!(mailbox.take().passed, 0, "told once");
        assert_eq!(times(&mailbox.take()), [] as [u64; 0]);
    }

    #[test]
    fn a_burst_keeps_the_newest_in_order_and_is_bounded() {
        let mailbox = Mailbox::default();
        mailbox.demand(Demand { burst: 3, ..Demand::newest_from(Mono(0)) });
        (1..=5).for_each(|at| mailbox.put(late(at)));
        assert_eq!(times(&mailbox.take()), [3, 4, 5]);
        mailbox.demand(Demand { burst: usize::MAX, ..Demand::newest_from(Mono(0)) });
        (0..100).for_each(|at| mailbox.put(late(at)));
        assert_eq!(mailbox.take().frames.len(), MAX_BURST);
    }

    #[test]
    fn of_live_frames_the_newest_waits_whatever_was_slept_through() {
        let mailbox = Mailbox::default();
        mailbox.demand(Demand { burst: 2, ..Demand::newest_from(Mono(0)) });
        for at in 1..=3 {
            mailbox.put(late(at));
            mailbox.put(frame(10 * at));
        }
        let mail = mailbox.take();
        assert_eq!((times(&mail), mail.passed), (vec![2, 3, 30], 3));
    }

    #[test]
    fn only_what_arrives_when_somebody_is_due_is_wanted() {
        let mailbox = Mailbox::default();
        assert!(!mailbox.wants(Mono(u64::MAX)), "nobody asked yet");
        mailbox.demand(Demand { awake: true, ..Demand::newest_from(Mono(100)) });
        assert!(!mailbox.wants(Mono(99)));
        assert!(mailbox.wants(Mono(100)));
        assert!(mailbox.wants_all());
        mailbox.demand(Demand::NOTHING);
        assert!(!mailbox.wants(Mono(100)));
        mailbox.pass(3);
        assert_eq!(mailbox.take().passed, 3);
    }

    #[test]
    fn who_asks_gets_the_next_live_picture_and_the_watch_loop_what_it_wanted() {
        let mailbox = Mailbox::default();
        let ask = || {
            let (tell, told) = crossbeam_channel::bounded(1);
            mailbox.ask(Asker::new(move |frame| tell.send(frame.arrived.mono.0).unwrap()));
            told
        };
        let told = ask();
        assert!(mailbox.wants(Mono(1)), "though the watch loop wants none");
        mailbox.put(late(1));
        assert!(told.is_empty(), "what was slept through is not what is to be seen now");
        mailbox.put(frame(2));
        assert_eq!(told.recv(), Ok(2));
        assert!(!mailbox.wants(Mono(3)), "once");
        let mail = mailbox.take();
        assert_eq!((times(&mail), mail.passed), (vec![1], 1), "it was seen, but not to be checked");

        mailbox.demand(Demand::newest_from(Mono(0)));
        let (replaced, told) = (ask(), ask());
        mailbox.put(frame(4));
        assert_eq!((replaced.recv().ok(), told.recv()), (None, Ok(4)));
        assert_eq!(times(&mailbox.take()), [4], "both get it");
    }

    #[test]
    fn what_is_held_for_recordings_reaches_back_over_what_judging_takes() {
        let mailbox = Mailbox::default();
        let reach = |lag: u64| {
            mailbox.lags(Duration::from_secs(lag));
            mailbox.recordings().0.as_secs()
        };
        assert_eq!(reach(20), 0, "nothing is recorded");
        mailbox.hold(Duration::from_secs(10));
        assert_eq!([reach(1), reach(25), reach(600)], [27, 32, 37]);
        let quick = Mailbox::default();
        quick.hold(Duration::from_secs(10));
        quick.lags(Duration::from_secs(2));
        assert_eq!(quick.recordings().0.as_secs(), 10);
    }

    #[test]
    fn of_late_pictures_one_in_so_long_is_wanted() {
        let late: Vec<Mono> = (0..=20).map(|nth| Mono(nth * 100)).collect();
        let chosen = |from: u64, every: u64, burst: usize| {
            let every = Duration::from_nanos(every);
            let demand = Demand { every, burst, ..Demand::newest_from(Mono(from)) };
            demand.choose(&late).iter().map(|arrived| arrived.0).collect::<Vec<_>>()
        };
        assert_eq!(chosen(1, 1000, 16), [1000, 2000]);
        assert_eq!(chosen(0, 550, 16), [200, 800, 1400, 2000], "never closer than that");
        assert_eq!(chosen(0, 0, 5), [0, 500, 1000, 1500, 2000], "further apart where there is no room");
        assert_eq!(chosen(0, 0, 1), [2000]);
        assert_eq!(chosen(0, 0, usize::MAX).len(), 11);
        assert_eq!(chosen(2001, 0, 16), [] as [u64; 0]);
        assert_eq!(Demand::NOTHING.choose(&late), []);
        let mixed = Demand { burst: 16, ..Demand::newest_from(Mono(0)) }.choose(&[Mono(30), Mono(10), Mono(20)]);
        assert_eq!(mixed, [Mono(10), Mono(20), Mono(30)], "whatever order they are decoded in");
    }

    #[test]
    fn notices_come_in_order_and_the_latest_state_is_never_lost() {
        let mailbox = Mailbox::default();
        for _ in 0..100 {
            mailbox.notify(Notice::Online);
            mailbox.notify(Notice::Lost(Problem::Refused));
        }
        let notices = mailbox.take().notices;
        assert_eq!(notices.len(), MAX_NOTICES);
        assert_eq!(notices[0], Notice::Online);
        assert_eq!(notices.last(), Some(&Notice::Lost(Problem::Refused)));
    }
}
