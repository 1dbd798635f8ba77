//! A camera's life: connect, pull, decode, hand over, connect again.
//!
//! Owns the connection and its end; refuses to know what is decoded of it (`feed`). Never waits for a model or a watch
//! loop. Runs on the thread `camera-<name>`.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::backoff::Backoff;
use super::feed::{Feed, Seen};
use super::mailbox::{Mailbox, Notice};
use super::problem::Problem;
use super::source::Source;
use super::status::{Board, State};
use super::watchdog::Watchdog;
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
}

/// How a connection ended.
enum End {
    Stopped,
    Played,
    Lost(Problem),
}

/// One connection while it lasts.
struct Connection {
    watchdog: Watchdog,
    first_picture: Option<Now>,
}

impl Run {
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::default();
        for number in 1.. {
            let began = time::now();
            let (end, flowed) = self.connection(number);
            self.source.close();
            self.feed.disconnected();
            self.board.no_pictures();
            match end {
                End::Stopped => return,
                End::Played if self.repeat => continue,
                End::Played => {
                    self.ended();
                    return;
                }
                End::Lost(problem) => self.lost(problem),
            }
            let took = time::now().mono.since(began.mono);
            if !self.pause(backoff.after(took, flowed, fastrand::f64())) {
                return;
            }
        }
    }

    /// One connection from its start to its end, and for how long pictures came.
    fn connection(&mut self, number: u64) -> (End, Duration) {
        let began = time::now();
        self.board.beat(began);
        let mut connection = Connection { watchdog: Watchdog::new(began), first_picture: None };
        let end = match self.source.open(number) {
            Ok(()) => self.play(&mut connection),
            Err(problem) => End::Lost(problem),
        };
        let flowed = connection.first_picture.map_or(Duration::ZERO, |first| time::now().mono.since(first.mono));
        (end, flowed)
    }

    fn play(&mut self, connection: &mut Connection) -> End {
        while !self.stopped() {
            let pulled = self.source.next(PATIENCE);
            let now = time::now();
            self.board.beat(now);
            let step = match pulled {
                Ok(Some(packet)) => {
                    connection.watchdog.packet(now);
                    self.feed.packet(packet, now).map(|seen| self.seen(connection, seen, now))
                }
                Ok(None) => Ok(()),
                Err(Problem::EndOfClip) => return self.finish(connection, now),
                Err(problem) => Err(problem),
            };
            let healthy = if self.live { connection.watchdog.check(now) } else { Ok(()) };
            if let Err(problem) = step.and(healthy) {
                return End::Lost(problem);
            }
        }
        End::Stopped
    }

    fn finish(&mut self, connection: &mut Connection, now: Now) -> End {
        match self.feed.finish(now) {
            Ok(seen) => self.seen(connection, seen, now),
            Err(problem) => return End::Lost(problem),
        }
        // A clip without a single picture must not be played again and again at full speed.
        if connection.first_picture.is_some() { End::Played } else { End::Lost(Problem::NoPictures(Duration::ZERO)) }
    }

    fn seen(&self, connection: &mut Connection, seen: Seen, now: Now) {
        if seen.pictures == 0 {
            if !seen.slept {
                connection.watchdog.decoded_in_vain();
            }
            return;
        }
        connection.watchdog.picture(now);
        if connection.first_picture.is_none() {
            connection.first_picture = Some(now);
            self.online();
        }
    }

    fn online(&self) {
        let mut before = State::Connecting;
        self.board.change(|status| {
            before = std::mem::replace(&mut status.state, State::Online);
            status.cause = None;
            status.reconnects += u64::from(before == State::Offline && status.decoded > 1);
        });
        if before != State::Online {
            tracing::info!(camera = %self.name, "camera online");
            self.mailbox.notify(Notice::Online);
        }
    }

    fn lost(&self, problem: Problem) {
        let mut before = State::Offline;
        self.board.change(|status| {
            before = std::mem::replace(&mut status.state, State::Offline);
            status.cause = Some(problem.clone());
        });
        if before == State::Offline {
            tracing::debug!(camera = %self.name, cause = problem.code(), "camera still offline");
            return;
        }
        tracing::warn!(camera = %self.name, cause = problem.code(), "camera offline: {problem}");
        self.mailbox.notify(Notice::Lost(problem));
    }

    /// Says so, and waits to be stopped: a thread that is gone would look like one that hangs.
    fn ended(&self) {
        self.board.change(|status| status.state = State::Ended);
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
