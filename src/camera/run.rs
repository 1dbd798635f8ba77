//! A camera's life: connect, pull, decode, hand over, connect again.
//!
//! Owns the connection and its end; refuses to know what is decoded of it (`feed`) and what is wrong with it (`watchdog`).
//! Never waits for a model or a watch loop. Runs on the thread `camera-<name>`.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::backoff::{Attempt, Backoff};
use super::feed::{Feed, Seen};
use super::fleet::Member;
use super::mailbox::{Mailbox, Notice};
use super::outage::{Line, Outage};
use super::problem::Problem;
use super::source::Source;
use super::status::{Board, State};
use super::watchdog::{ABSENCE, Watchdog};
use crate::name::Name;
use crate::time::{self, Now};

/// The longest that the loop is deaf to a stop, and the longest between two beats.
const PATIENCE: Duration = Duration::from_millis(200);

/// What the thread works with.
pub(super) struct Run {
    pub(super) name: Name,
    pub(super) source: Box<dyn Source>,
    /// A clip that starts again at its end.
    pub(super) repeat: bool,
    /// Silence means trouble; a clip may have pictures far apart.
    pub(super) live: bool,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) board: Arc<Board>,
    /// Disconnected: stop.
    pub(super) stop: Receiver<()>,
    pub(super) feed: Feed,
    pub(super) member: Arc<Member>,
    pub(super) watchdog: Watchdog,
    /// Since pictures stopped, until they have stayed again.
    pub(super) outage: Option<Outage>,
    /// Whether the watch loop believes that pictures come; None: it was told nothing yet.
    pub(super) told: Option<bool>,
}

/// How a connection ended.
enum End {
    Stopped,
    Played,
    Lost(Problem),
}

impl Run {
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::default();
        for number in 1.. {
            let began = time::now();
            let mut first_picture = None;
            let end = self.connection(number, &mut first_picture);
            self.source.close();
            if matches!(end, End::Lost(_)) {
                self.feed.lost(time::now());
            }
            self.feed.disconnected();
            self.board.no_pictures();
            let problem = match end {
                End::Stopped => break,
                End::Played if self.repeat => continue,
                End::Played => return self.ended(),
                End::Lost(problem) => problem,
            };
            let now = time::now();
            self.lost(&problem, now);
            let flowed = first_picture.map_or(Duration::ZERO, |first: Now| now.mono.since(first.mono));
            let took = now.mono.since(began.mono);
            let attempt = Attempt { took, flowed, refused: problem == Problem::Auth };
            if !self.pause(backoff.after(attempt, self.member.spread(), fastrand::f64(), now)) {
                break;
            }
        }
        self.member.leave();
    }

    /// One connection from its start to its end, and when its first picture came.
    fn connection(&mut self, number: u64, first_picture: &mut Option<Now>) -> End {
        let began = time::now();
        self.board.beat(began);
        self.watchdog.open(began);
        if let Err(problem) = self.source.open(number) {
            return End::Lost(problem);
        }
        while !self.stopped() {
            let pulled = self.source.next(PATIENCE);
            let now = time::now();
            self.come_by(now);
            let seen = match pulled {
                Ok(Some(packet)) => {
                    self.watchdog.packet(packet.class, now);
                    self.feed.packet(packet, now)
                }
                Ok(None) => Ok(Seen::default()),
                Err(Problem::EndOfClip) => return self.finish(first_picture, now),
                Err(problem) => Err(problem),
            };
            match seen.and_then(|seen| self.seen(&seen, first_picture, now)) {
                Ok(()) => {}
                Err(problem) => return End::Lost(problem),
            }
        }
        End::Stopped
    }

    fn finish(&mut self, first_picture: &mut Option<Now>, now: Now) -> End {
        match self.feed.finish(now).and_then(|seen| self.seen(&seen, first_picture, now)) {
            Err(problem) => End::Lost(problem),
            // A clip without a single picture must not be played again and again at full speed.
            Ok(()) if first_picture.is_none() => End::Lost(Problem::NoPictures(Duration::ZERO)),
            Ok(()) => End::Played,
        }
    }

    /// Signs of life go out, and if it was us that stood still nobody is blamed for it.
    fn come_by(&mut self, now: Now) {
        // Catching up takes a while, with beats in between.
        let stood_still = now.mono.since(self.board.last_beat()) >= ABSENCE;
        self.board.beat(now);
        if let Some(away) = self.watchdog.come_by(now).filter(|_| self.live && stood_still) {
            let away_s = away.as_secs_f64();
            tracing::warn!(camera = %self.name, away_s, "this process stood still; the camera is not blamed for it");
        }
        if self.outage.as_ref().is_some_and(|outage| outage.is_over(now)) {
            self.over(now);
        }
    }

    fn seen(&mut self, seen: &Seen, first_picture: &mut Option<Now>, now: Now) -> Result<(), Problem> {
        self.watchdog.seen(seen, now);
        if seen.pictures > 0 {
            first_picture.get_or_insert(now);
            match self.watchdog.is_frozen() && self.live {
                true => self.frozen(now),
                false => self.online(now),
            }
        }
        if self.live { self.watchdog.check(now) } else { Ok(()) }
    }

    fn online(&mut self, now: Now) {
        if !self.board.enter(State::Online, None, now) {
            return;
        }
        self.member.online();
        if self.outage.as_mut().is_none_or(|outage| outage.returned(now)) {
            let away_s = self.outage.as_ref().map_or(0, |outage| outage.lasted(now).as_secs());
            tracing::info!(camera = %self.name, away_s, "camera online");
        }
        self.tell(true, Notice::Online);
    }

    /// Pictures have come for a while again.
    fn over(&mut self, now: Now) {
        if let Some(outage) = self.outage.take().filter(Outage::ends_untold) {
            let (returns, lasted_s) = (outage.returns(), outage.lasted(now).as_secs());
            tracing::info!(camera = %self.name, returns, lasted_s, "camera online and steady again");
        }
    }

    /// The connection stays: a new one has just brought the same picture. Its monitors go on with what they see.
    fn frozen(&mut self, now: Now) {
        if self.board.enter(State::Offline, Some(Problem::Frozen), now) {
            self.log(&Problem::Frozen, now);
        }
    }

    fn lost(&mut self, problem: &Problem, now: Now) {
        self.board.enter(State::Offline, Some(problem.clone()), now);
        self.log(problem, now);
        if let Some(together) = self.member.lost(problem.is_silence(), now) {
            tracing::warn!(
                together,
                "all cameras fell silent together; look at this box's network, or at what they all hang on, before the cameras"
            );
        }
        self.tell(false, Notice::Lost(problem.clone()));
    }

    fn tell(&mut self, online: bool, notice: Notice) {
        if self.told.replace(online) != Some(online) {
            self.mailbox.notify(notice);
        }
    }

    fn log(&mut self, problem: &Problem, now: Now) {
        let (camera, cause) = (&self.name, problem.code());
        let outage = self.outage.get_or_insert_with(|| Outage::new(now));
        let line = outage.failed(cause, now);
        let (away_s, attempts) = (outage.lasted(now).as_secs(), outage.attempts());
        match line {
            Some(Line::Offline) => tracing::warn!(%camera, cause, "camera offline: {problem}"),
            Some(Line::OtherCause) => tracing::warn!(%camera, cause, away_s, "camera still offline, now: {problem}"),
            Some(Line::Summary) => tracing::warn!(%camera, cause, away_s, attempts, "camera still offline: {problem}"),
            None => tracing::debug!(%camera, cause, "camera still offline"),
        }
    }

    /// Says so, and waits to be stopped: a thread that is gone would look like one that hangs.
    fn ended(&self) {
        self.board.enter(State::Ended, None, time::now());
        tracing::info!(camera = %self.name, "clip ended");
        self.mailbox.notify(Notice::Ended);
        while self.pause(PATIENCE) {}
    }

    fn stopped(&self) -> bool {
        self.stop.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Waits; false when it was stopped meanwhile.
    fn pause(&self, delay: Duration) -> bool {
        let until = time::now().mono.plus(delay);
        loop {
            let now = time::now();
            self.board.beat(now);
            let left = until.since(now.mono);
            if left.is_zero() {
                return !self.stopped();
            }
            if self.stop.recv_timeout(left.min(PATIENCE)) == Err(RecvTimeoutError::Disconnected) {
                return false;
            }
        }
    }
}
