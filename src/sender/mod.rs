//! The senders: one task per endpoint that takes what is due, signs it, posts it and settles it.
//!
//! Owns the loop, what is in flight (memory only: a crash means sending again) and the orderly end. Refuses to know when
//! to try again (`retry`), what a socket says (`transport/`), how anything is kept (`journal/`) and what a body says.
//! Runs in tasks of tokio; reading the journal and frames happens on its blocking threads.

mod check;
mod doorbell;
mod gate;
mod report;
mod request;
mod standing;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::config::Endpoint;
use crate::delivery::{Attempt, DeadReason, HoldReason, Outcome};
use crate::journal::{self, Due, Reader, Settlement, Standing, Writer};
use crate::retry::breaker::Passage;
use crate::retry::{self, Next, Progress};
use crate::sign::Key;
use crate::time::{Now, Wall, now};
use crate::transport::Client;
use gate::{Gate, Subject};
use report::Teller;

pub use check::{Checked, check};
pub use doorbell::Doorbells;
pub use report::{Report, advice};

/// The journal is looked at so often though nothing rings: whatever else goes wrong, nothing waits longer than this.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// … and so often while something is in flight, because then the journal cannot tell what becomes due next.
const LOOK_AGAIN_IN_FLIGHT: Duration = Duration::from_millis(500);
/// After an error of the journal.
const LOOK_AGAIN_AFTER_ERROR: Duration = Duration::from_secs(5);

/// Outcomes that wait for the journal, for each slot, before nothing more is sent: what cannot be recorded would be sent
/// again after a restart.
const UNSETTLED_PER_SLOT: usize = 8;

/// Sends to one endpoint.
pub struct Sender {
    endpoint: Arc<Endpoint>,
    keys: Arc<[Key]>,
    client: Client,
    writer: Writer,
    /// None while a blocking thread uses it.
    reader: Option<Reader>,
    bell: Arc<Notify>,
    gate: Gate,
    teller: Teller,
    report: watch::Sender<Report>,
    advice: Option<&'static str>,
    /// POSTs under way and outcomes on their way into the journal.
    work: JoinSet<Done>,
    /// What `work` is about; None: posted, not settled yet.
    in_flight: HashMap<Uuid, Option<Standing>>,
}

/// A delivery on its way, without its body.
struct Posted {
    subject: Subject,
    standing: Standing,
    started: Wall,
    attempt: Attempt,
}

enum Done {
    Posted(Posted),
    Settled(Uuid),
}

/// What a look into the journal found.
struct Look {
    reader: Reader,
    found: Result<Found, journal::Error>,
}

struct Found {
    /// With the bytes to send, or why there are none.
    due: Vec<(Due, std::io::Result<Vec<u8>>)>,
    next: Option<(Wall, Duration)>,
}

impl Sender {
    /// A sender for `endpoint`, which signs with `keys`, newest first. The receiver shows how it does.
    pub fn new(
        endpoint: Endpoint,
        keys: Vec<Key>,
        client: Client,
        writer: Writer,
        reader: Reader,
        bells: &Doorbells,
    ) -> (Sender, watch::Receiver<Report>) {
        let (report, seen) = watch::channel(Report::default());
        let sender = Sender {
            bell: bells.of(&endpoint.name),
            gate: Gate::new(&endpoint.retry),
            teller: Teller::new(endpoint.name.clone()),
            endpoint: Arc::new(endpoint),
            keys: keys.into(),
            client,
            writer,
            reader: Some(reader),
            report,
            advice: None,
            work: JoinSet::new(),
            in_flight: HashMap::new(),
        };
        (sender, seen)
    }

    /// Sends until `stop` turns true (or its other end is gone), then takes nothing more and waits for what is in flight,
    /// `drain` at most. A disabled endpoint gets nothing; what it is owed waits.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>, drain: Duration) {
        loop {
            let look_again = if self.endpoint.enabled { self.send_what_is_due().await } else { Duration::MAX };
            self.publish();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                Some(done) = self.work.join_next() => self.take_in(done),
                () = self.bell.notified() => {}
                () = sleep(look_again) => {}
            }
            while let Some(done) = self.work.try_join_next() {
                self.take_in(done);
            }
        }
        self.drain(Instant::now() + drain).await;
    }

    /// Starts as many POSTs as may be and are due. Answers when to look again though nothing happened.
    async fn send_what_is_due(&mut self) -> Duration {
        let now = now();
        let most = usize::try_from(self.endpoint.concurrency).unwrap_or(usize::MAX).max(1);
        let free = match self.gate.passage(now.mono) {
            _ if self.in_flight.len() >= most * UNSETTLED_PER_SLOT => 0,
            Passage::Free => most.saturating_sub(self.posting()),
            Passage::One => 1,
            Passage::Until(until) => return until.since(now.mono).min(LOOK_AGAIN),
            Passage::Probing => 0,
        };
        if free == 0 {
            return LOOK_AGAIN;
        }
        let found = match self.look(now.wall, free).await {
            Ok(found) => found,
            Err(error) => {
                self.complain("reading what is due", &error);
                return LOOK_AGAIN_AFTER_ERROR;
            }
        };
        let taken = found.due.len();
        for (due, bytes) in found.due {
            self.post(due, bytes, now);
        }
        if taken == free { LOOK_AGAIN } else { self.until_next(found.next, now).await }
    }

    /// Reads up to `free` deliveries that are due and not in flight.
    async fn look(&mut self, now: Wall, free: usize) -> Result<Found, journal::Error> {
        let reader = self.reader.take().expect("it is back before anybody looks again");
        let endpoint = Arc::clone(&self.endpoint);
        let in_flight: Vec<Uuid> = self.in_flight.keys().copied().collect();
        let look = move || {
            let found = find(&reader, &endpoint, now, free, &in_flight);
            Look { reader, found }
        };
        let look = tokio::task::spawn_blocking(look).await.expect("looking does not panic");
        self.reader = Some(look.reader);
        look.found
    }

    fn post(&mut self, due: Due, bytes: std::io::Result<Vec<u8>>, now: Now) {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return self.put_off(&due, unreadable(&error), now),
        };
        if matches!(self.gate.passage(now.mono), Passage::One) {
            self.gate.probing();
        }
        self.in_flight.insert(due.id, Some(due.standing.clone()));
        let request = request::delivery(&self.endpoint, &self.keys, &due, bytes, now);
        let client = self.client.clone();
        let subject = Subject { delivery: due.id, kind: due.kind };
        self.work.spawn(async move {
            let attempt = client.post(request).await;
            Done::Posted(Posted { subject, standing: due.standing, started: now.wall, attempt })
        });
    }

    /// Nothing can be posted, by no fault of the endpoint's nor of its settings: again when the schedule says so.
    fn put_off(&mut self, due: &Due, attempt: Attempt, now: Now) {
        let wait = retry::wait(&self.endpoint.retry, due.standing.attempts.saturating_add(1));
        let next = wait.map_or(Next::Dead(DeadReason::Exhausted), |delay| Next::RetryAfter { delay, burns: true });
        let why = attempt.error.as_deref().unwrap_or_default();
        tracing::error!(delivery = %due.id, endpoint = %self.endpoint.name, "put off: {why}");
        let standing = standing::after(&due.standing, &attempt.outcome, next, now.wall);
        self.in_flight.insert(due.id, None);
        let settlement = Settlement { delivery: due.id, at: now, attempt: Some((now.wall, attempt)), standing };
        self.work.spawn(settle(self.writer.clone(), settlement));
    }

    /// How long until something is due that is not yet.
    async fn until_next(&mut self, next: Option<(Wall, Duration)>, now: Now) -> Duration {
        let longest = if self.in_flight.is_empty() { LOOK_AGAIN } else { LOOK_AGAIN_IN_FLIGHT };
        let Some((due, delay)) = next else { return LOOK_AGAIN };
        let wait = due.since(now.wall);
        if wait > delay {
            // The wall clock was set back: nothing waits longer than it was meant to.
            if let Err(error) = self.writer.rein_in(now).await {
                self.complain("reining in deadlines", &error);
            }
        }
        if wait.is_zero() { longest } else { wait.min(delay).min(longest) }
    }

    fn take_in(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done.expect("posting and settling do not panic") {
            Done::Posted(posted) => self.judge(posted),
            Done::Settled(delivery) => {
                self.in_flight.remove(&delivery);
            }
        }
    }

    /// Decides what follows from an attempt and sends that to the journal.
    fn judge(&mut self, posted: Posted) {
        let Posted { subject, standing: before, started, attempt } = posted;
        let now = now();
        let progress = Progress {
            attempts: before.attempts,
            tries: before.tries,
            holds: before.holds,
            maybe_received: before.maybe_received,
            last_status: self.gate.last_status(subject.delivery),
        };
        let circumstances = self.gate.circumstances(now, subject, &attempt.outcome);
        let next = retry::next(&self.endpoint.retry, &progress, &attempt.outcome, &circumstances, fastrand::f64());
        self.gate.record(now.mono, subject, &attempt.outcome, next);
        match self.teller.attempt(&attempt, next) {
            Some(line) if next == Next::Delivered => tracing::info!("{line}"),
            Some(line) => tracing::warn!("{line}"),
            None => {}
        }
        self.advice = report::advice(&attempt.outcome);
        let standing = standing::after(&before, &attempt.outcome, next, now.wall);
        self.in_flight.insert(subject.delivery, None);
        let settlement =
            Settlement { delivery: subject.delivery, at: now, attempt: Some((started, attempt)), standing };
        self.work.spawn(settle(self.writer.clone(), settlement));
    }

    fn publish(&self) {
        let now = now().mono;
        let closed = if self.endpoint.enabled { self.gate.closed(now) } else { Some((HoldReason::Paused, None)) };
        let new = Report {
            held: closed.map(|(reason, _)| reason),
            until: closed.and_then(|(_, until)| until),
            in_flight: self.posting(),
            advice: self.advice,
        };
        self.report.send_if_modified(|report| {
            let changed = *report != new;
            *report = new;
            changed
        });
    }

    /// How many POSTs are under way.
    fn posting(&self) -> usize {
        self.in_flight.values().filter(|standing| standing.is_some()).count()
    }

    fn complain(&mut self, what: &str, error: &journal::Error) {
        if let Some(line) = self.teller.journal(what, error) {
            tracing::error!("{line}");
        }
    }

    /// Waits for what is in flight. What is cut off may have been received: that is noted, burns nothing, and is sent
    /// again by the next process.
    async fn drain(mut self, deadline: Instant) {
        while let Ok(Some(done)) = timeout_at(deadline, self.work.join_next()).await {
            self.take_in(done);
        }
        self.work.shutdown().await;
        let at = now();
        let cut_off =
            std::mem::take(&mut self.in_flight).into_iter().filter_map(|(id, standing)| Some((id, standing?)));
        let noted: Vec<_> = cut_off
            .map(|(delivery, standing)| {
                let standing = Standing { maybe_received: true, ..standing };
                self.writer.settle(Settlement { delivery, at, attempt: None, standing })
            })
            .collect();
        for reply in noted {
            if let Err(error) = reply.await {
                self.complain("noting what was cut off", &error);
            }
        }
    }
}

fn find(
    reader: &Reader,
    endpoint: &Endpoint,
    now: Wall,
    free: usize,
    in_flight: &[Uuid],
) -> Result<Found, journal::Error> {
    let limit = u32::try_from(free + in_flight.len()).unwrap_or(u32::MAX);
    let due = reader.due(&endpoint.name, now, limit)?.into_iter();
    let due = due.filter(|due| !in_flight.contains(&due.id)).take(free);
    let due = due.map(|due| {
        let bytes = due.bytes();
        (due, bytes)
    });
    Ok(Found { due: due.collect(), next: reader.next_due(&endpoint.name)? })
}

/// A delivery whose frame the disk does not give back.
fn unreadable(error: &std::io::Error) -> Attempt {
    Attempt {
        outcome: Outcome::OurFault,
        took: Duration::ZERO,
        error: Some(format!("the frame cannot be read: {error}; check the journal's disk")),
        snippet: None,
    }
}

/// Writes an outcome into the journal, however long that takes: until then the delivery counts as in flight, because the
/// journal would hand it out again.
async fn settle(writer: Writer, settlement: Settlement) -> Done {
    let delivery = settlement.delivery;
    let mut pause = Duration::from_secs(1);
    loop {
        match writer.settle(settlement.clone()).await {
            Ok(()) | Err(journal::Error::NoSuchDelivery(_) | journal::Error::Closed) => return Done::Settled(delivery),
            Err(error) => {
                tracing::error!("the outcome of delivery `{delivery}` is not recorded yet: {error}");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(30));
            }
        }
    }
}
