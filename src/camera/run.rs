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
use super::packet::Packet;
use super::problem::Problem;
use super::source::Source;
use super::status::{Board, State};
use super::watchdog::{ABSENCE, Watchdog};
use crate::name::Name;
use crate::time::{self, Now};

/// The longest that the loop is deaf to a stop, and the longest between two beats.
const PATIENCE: Duration = Duration::from_millis(200);
/// From one start of a repeated clip to the next at least: a clip of one picture must not spin.
const SHORTEST_ROUND: Duration = Duration::from_secs(1);
/// From one line about this process standing still to the next.
const ABSENCE_TOLD: Duration = Duration::from_secs(60 * 60);

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
    pub(super) absences: Absences,
}

/// A connection so far.
struct Course {
    began: Now,
    /// A packet came.
    fed: bool,
    /// When the first picture came, and the last one.
    pictures: Option<(Now, Now)>,
    /// For so long since the loop last came by we decoded, or connected.
    busy: Duration,
}

impl Course {
    fn begin(now: Now) -> Course {
        Course { began: now, fed: false, pictures: None, busy: Duration::ZERO }
    }

    fn picture(&mut self, now: Now) {
        self.pictures = Some((self.pictures.map_or(now, |(first, _)| first), now));
    }

    /// A packet wasn't decoded. After a picture it counts as one: asleep, the next look may be many seconds away.
    fn slept_through(&mut self, now: Now) {
        self.pictures = self.pictures.map(|(first, _)| (first, now));
    }

    /// For how long pictures came.
    fn flowed(&self) -> Duration {
        self.pictures.map_or(Duration::ZERO, |(first, last)| last.mono.since(first.mono))
    }
}

/// What was said of time in which this process didn't run.
#[derive(Debug, Default)]
pub(super) struct Absences {
    told: Option<Now>,
}

impl Absences {
    /// A machine that is always too busy must not fill the log.
    fn is_worth_a_line(&mut self, away: Duration, now: Now) -> bool {
        let lately = self.told.is_some_and(|told| now.mono.since(told.mono) < ABSENCE_TOLD);
        let is_worth = away >= ABSENCE && !lately;
        if is_worth {
            self.told = Some(now);
        }
        is_worth
    }
}

fn since(then: Now) -> Duration {
    time::now().mono.since(then.mono)
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
            let mut course = Course::begin(time::now());
            let end = self.connection(number, &mut course);
            // Who asked at the last moment gets what there is.
            self.feed.tend();
            self.source.close();
            if matches!(end, End::Lost(_)) {
                self.feed.lost(time::now());
            }
            self.feed.disconnected();
            self.board.no_pictures();
            let now = time::now();
            let took = now.mono.since(course.began.mono);
            let problem = match end {
                End::Stopped => break,
                End::Played if !self.repeat => return self.ended(),
                End::Played if self.pause(SHORTEST_ROUND.saturating_sub(took)) => continue,
                End::Played => break,
                End::Lost(problem) => problem,
            };
            self.lost(&problem, &course, now);
            let attempt = Attempt { took, flowed: course.flowed(), refused: problem == Problem::Auth };
            if !self.pause(backoff.after(attempt, self.member.spread(), fastrand::f64(), now)) {
                break;
            }
        }
        self.member.leave();
    }

    /// One connection from its start to its end.
    fn connection(&mut self, number: u64, course: &mut Course) -> End {
        self.board.beat(course.began);
        self.watchdog.open(course.began);
        if let Err(problem) = self.source.open(number) {
            return End::Lost(problem);
        }
        course.busy = since(course.began);
        while !self.stopped() {
            let asked = time::now();
            let pulled = self.source.next(PATIENCE);
            let now = time::now();
            if !course.fed {
                // Until packets come, the source may be asking the camera for another way.
                course.busy += now.mono.since(asked.mono);
            }
            self.come_by(std::mem::take(&mut course.busy), now);
            let seen = match pulled {
                Ok(Some(packet)) => self.packet(packet, course, now),
                Ok(None) => Ok(Seen::default()),
                Err(Problem::EndOfClip) => return self.finish(course, now),
                Err(problem) => Err(problem),
            };
            match seen.and_then(|seen| self.seen(&seen, course, now)) {
                Ok(()) => {}
                Err(problem) => return End::Lost(problem),
            }
        }
        End::Stopped
    }

    fn packet(&mut self, packet: Packet, course: &mut Course, now: Now) -> Result<Seen, Problem> {
        self.watchdog.packet(packet.class, now);
        let seen = self.feed.packet(packet, now);
        course.fed = true;
        course.busy = since(now);
        if seen.as_ref().is_ok_and(|seen| !seen.tried) {
            course.slept_through(now);
        }
        seen
    }

    fn finish(&mut self, course: &mut Course, now: Now) -> End {
        match self.feed.finish(now).and_then(|seen| self.seen(&seen, course, now)) {
            Err(problem) => End::Lost(problem),
            // A clip without a single picture must not be played again and again at full speed.
            Ok(()) if course.pictures.is_none() => End::Lost(Problem::NoPictures(Duration::ZERO)),
            Ok(()) => End::Played,
        }
    }

    /// Signs of life go out, and if it was us that stood still nobody is blamed for it. For `busy` of the time since the
    /// last visit we were at work.
    fn come_by(&mut self, busy: Duration, now: Now) {
        self.board.beat(now);
        self.feed.tend();
        let away = self.watchdog.come_by(now).map(|away| away.saturating_sub(busy)).filter(|_| self.live);
        if let Some(away) = away.filter(|away| self.absences.is_worth_a_line(*away, now)) {
            let away_s = away.as_secs_f64();
            tracing::warn!(camera = %self.name, away_s, "this process stood still; the camera is not blamed for it");
        }
    }

    fn seen(&mut self, seen: &Seen, course: &mut Course, now: Now) -> Result<(), Problem> {
        self.watchdog.seen(seen, now);
        if seen.pictures > 0 {
            course.picture(now);
            match self.watchdog.is_frozen() && self.live {
                true => self.frozen(now),
                false => self.online(now),
            }
            if self.outage.as_ref().is_some_and(|outage| outage.is_over(now)) {
                self.over(now);
            }
        }
        if self.live { self.watchdog.check(now) } else { Ok(()) }
    }

    fn online(&mut self, now: Now) {
        self.flowing();
        if !self.board.enter(State::Online, None, now) {
            return;
        }
        if self.outage.as_mut().is_none_or(|outage| outage.returned(now)) {
            let away_s = self.outage.as_ref().map_or(0, |outage| outage.lasted(now).as_secs());
            tracing::info!(camera = %self.name, away_s, "camera online");
        }
    }

    /// Pictures come, whatever they show. Whether that is news to the others.
    fn flowing(&mut self) -> bool {
        if self.told.replace(true) == Some(true) {
            return false;
        }
        self.member.online();
        self.mailbox.notify(Notice::Online);
        true
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
        if self.flowing() | self.board.enter(State::Offline, Some(Problem::Frozen), now) {
            self.log(&Problem::Frozen, now, now);
        }
    }

    /// It is away since its last picture, not since we noticed.
    fn lost(&mut self, problem: &Problem, course: &Course, now: Now) {
        let since = course.pictures.map_or(now, |(_, last)| last);
        self.board.enter(State::Offline, Some(problem.clone()), since);
        self.log(problem, since, now);
        if let Some(together) = self.member.lost(problem.is_silence(), now) {
            tracing::warn!(
                together,
                "all cameras fell silent together; look at this box's network, or at what they all hang on, before the cameras"
            );
        }
        if self.told.replace(false) != Some(false) {
            self.mailbox.notify(Notice::Lost(problem.clone()));
        }
    }

    fn log(&mut self, problem: &Problem, since: Now, now: Now) {
        let (camera, cause) = (&self.name, problem.code());
        let outage = self.outage.get_or_insert_with(|| Outage::new(since));
        let line = outage.failed(problem.line(), now);
        let (away_s, attempts) = (outage.lasted(now).as_secs(), outage.attempts());
        match line {
            Some(Line::Offline) => tracing::warn!(%camera, cause, "camera offline: {problem}"),
            Some(Line::OtherCause) => tracing::warn!(%camera, cause, away_s, "camera still offline, now: {problem}"),
            Some(Line::Summary) => tracing::warn!(%camera, cause, away_s, attempts, "camera still offline: {problem}"),
            None => tracing::debug!(%camera, cause, "camera still offline"),
        }
    }

    /// Says so, and waits to be stopped: a thread that is gone would look like one that hangs.
    fn ended(&mut self) {
        self.board.enter(State::Ended, None, time::now());
        tracing::info!(camera = %self.name, "clip ended");
        self.mailbox.notify(Notice::Ended);
        while self.pause(PATIENCE) {}
    }

    fn stopped(&self) -> bool {
        self.stop.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Waits; false when it was stopped meanwhile.
    fn pause(&mut self, delay: Duration) -> bool {
        let until = time::now().mono.plus(delay);
        loop {
            let now = time::now();
            self.board.beat(now);
            self.feed.tend();
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

#[cfg(test)]
mod tests;
