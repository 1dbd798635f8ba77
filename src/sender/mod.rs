//! The senders: one task per endpoint that takes what is due, signs it, sends it and settles it.
//!
//! Owns the loop, what is in flight (memory only: a crash means sending again) and the orderly end. Refuses to know when
//! to try again (`retry`), what a socket says (`transport/`), how anything is kept (`journal/`) and what a body says.
//! Runs in tasks of tokio; reading the journal and frames happens on its blocking threads.
//!
//! Its rooms: `dispatch` sends what `parcel` makes through an `outlet`, and `judge` takes the answers in; they decide with `shelf` (what was read ahead), `lanes`
//! (what goes next), `pace` (how quickly), `gate` (what the endpoint lets through) and `uplink` (what holds the whole box).
//! Clips go another way (`upload`), and behind everything else (`traffic`).

mod check;
mod clock;
mod dispatch;
mod doorbell;
mod gate;
mod judge;
mod lanes;
mod office;
mod outlet;
mod pace;
mod parcel;
mod report;
mod request;
mod routes;
mod settle;
mod shelf;
mod standing;
mod traffic;
mod uplink;
mod upload;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::config::{Endpoint, Format};
use crate::credentials::Credentials;
use crate::delivery::HoldReason;
use crate::journal::{self, Reader, Settlement, Standing, Writer};
use crate::time::{Now, Wall};
use gate::{Gate, Subject};
use judge::Posted;
use lanes::{Lane, Lanes};
use pace::Pace;
use report::Teller;
use shelf::{Look, Shelf};
use traffic::Load;
use upload::Uploader;

pub use check::{Checked, Uncheckable, check};
pub use clock::{Clock, Driven};
pub use doorbell::Doorbells;
pub use office::Office;
pub use outlet::Outlet;
pub use report::{Report, advice};

/// Sends to one endpoint.
pub struct Sender {
    endpoint: Arc<Endpoint>,
    credentials: Arc<Credentials>,
    outlet: Outlet,
    /// Of an endpoint that gets clips.
    uploader: Option<Uploader>,
    /// What clips wait for. None: they don't wait for this endpoint, which gets clips.
    load: Option<Load>,
    /// Clips about which the endpoint talks with us.
    answered: UnboundedReceiver<Subject>,
    /// The latest attempt got no answer: nothing is worth waiting for it.
    is_silent: bool,
    writer: Writer,
    /// None while a blocking thread uses it.
    reader: Option<Reader>,
    office: Office,
    bell: Arc<Notify>,
    shelf: Shelf,
    lanes: Lanes,
    pace: Pace,
    gate: Gate,
    gone: Gone,
    /// Rows may be held in the journal for these.
    held_rows: Vec<HoldReason>,
    /// The clocks at the last turn, to notice when the wall clock is set back.
    before: Now,
    teller: Teller,
    report: watch::Sender<Report>,
    advice: Option<&'static str>,
    /// Looks into the journal, POSTs, and outcomes on their way into the journal.
    work: JoinSet<Done>,
    /// Deliveries that were taken off the shelf and are not settled yet.
    in_flight: HashMap<Uuid, InFlight>,
}

/// Whether an endpoint said that it is gone, and gets nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    No,
    /// The journal has yet to answer that it wrote it down: until then it knows no better.
    Said,
    /// The journal has it, until an operator takes it back.
    Noted,
}

/// A delivery that was taken off the shelf.
struct InFlight {
    n: i64,
    lane: Lane,
    suspect: bool,
    /// Where it stood; None: posted, not settled yet.
    standing: Option<Standing>,
    /// Of a clip.
    conversation: Option<AbortHandle>,
}

/// What comes back from a sender's work.
enum Done {
    /// From the journal.
    Looked(Look),
    /// From the endpoint, or from a disk that did not give back what to post.
    Posted(Posted),
    /// A delivery's outcome is in the journal.
    Settled {
        delivery: Uuid,
        /// When it is due again, and after which delay.
        again: Option<(Wall, Duration)>,
    },
    /// That the endpoint is gone is in the journal, or was refused there.
    GoneWritten(Result<(), journal::Error>),
    /// What a gone endpoint was owed is skipped, or should be tried again.
    Skipped(Result<(), journal::Error>),
}

impl Sender {
    /// A sender for `endpoint`, with its `credentials`. The receiver shows how it does.
    pub fn new(
        endpoint: Endpoint,
        credentials: Credentials,
        outlet: Outlet,
        writer: Writer,
        reader: Reader,
        office: &Office,
    ) -> (Sender, watch::Receiver<Report>) {
        let (report, seen) = watch::channel(Report::default());
        let now = office.clock.now();
        let (endpoint, credentials) = (Arc::new(endpoint), Arc::new(credentials));
        let gets_clips = endpoint.format == Format::Upload;
        let (answers, answered) = unbounded_channel();
        let uploader =
            gets_clips.then(|| Uploader::new(reader.folder(), (&endpoint, &credentials), &outlet, office, answers));
        let sender = Sender {
            bell: office.bells.of(&endpoint.name),
            gate: Gate::new(&endpoint.retry),
            pace: Pace::new(endpoint.rate, now.mono),
            teller: Teller::new(endpoint.name.clone()),
            load: (!gets_clips).then(|| office.traffic.load()),
            uploader,
            answered,
            is_silent: false,
            endpoint,
            credentials,
            outlet,
            writer,
            reader: Some(reader),
            office: office.clone(),
            shelf: Shelf::new(),
            lanes: Lanes::default(),
            gone: Gone::No,
            // Those of an earlier process.
            held_rows: vec![HoldReason::Offline, HoldReason::Clock],
            before: now,
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
        self.recall().await;
        let clock = self.office.clock.clone();
        loop {
            let look_again = if self.endpoint.enabled { self.turn() } else { Duration::MAX };
            self.publish();
            let idle = self.work.is_empty();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                Some(done) = self.work.join_next() => self.take_in(done),
                Some(subject) = self.answered.recv() => self.answered(subject),
                () = self.bell.notified() => self.shelf.is_stale(),
                () = clock.sleep(look_again, idle) => {}
            }
            while let Some(done) = self.work.try_join_next() {
                self.take_in(done);
            }
        }
        self.drain(Instant::now() + drain).await;
    }

    /// Before anything is sent: what the endpoint said to an earlier process.
    async fn recall(&mut self) {
        let Some(reader) = self.reader.take() else { return };
        let endpoint = Arc::clone(&self.endpoint);
        let read = tokio::task::spawn_blocking(move || {
            let standing = reader.endpoint_standing(&endpoint.name);
            (reader, standing)
        });
        let (reader, standing) = read.await.expect("reading does not panic");
        self.reader = Some(reader);
        match standing {
            Ok((gone, paused_until)) => {
                self.gone = if gone { Gone::Noted } else { Gone::No };
                if let Some(until) = paused_until {
                    self.gate.resume_pause(self.office.clock.now(), until);
                }
            }
            Err(error) => self.complain("reading how the endpoint stands", &error),
        }
    }

    fn take_in(&mut self, done: Result<Done, JoinError>) {
        match done.expect("looking, posting and settling do not panic") {
            Done::Looked(look) => self.looked(look),
            Done::Posted(posted) => self.judge(posted),
            Done::Settled { delivery, again } => self.settled(delivery, again),
            Done::GoneWritten(written) => self.gone_written(written),
            Done::Skipped(Ok(())) => {}
            Done::Skipped(Err(error)) => self.complain("skipping what a gone endpoint is owed", &error),
        }
    }

    fn settled(&mut self, delivery: Uuid, again: Option<(Wall, Duration)>) {
        self.in_flight.remove(&delivery);
        // Not before: a look would have passed it over as being in flight.
        match again {
            Some((due, delay)) => self.shelf.expect(self.office.clock.now(), due, delay),
            // Its end may have waited for it.
            None if self.endpoint.format.is_told_in_order() => self.shelf.is_stale(),
            None => {}
        }
        self.office.survived_one();
    }

    fn publish(&mut self) {
        let has_alerts = self.posting() > 0 && !self.is_silent;
        if let Some(load) = &mut self.load {
            load.set(has_alerts);
        }
        let now = self.office.clock.now().mono;
        let of_box =
            || self.office.uplink.closed(now, &self.endpoint.name).map(|(reason, until)| (reason, Some(until)));
        let closed = match self.endpoint.enabled {
            true => of_box().or_else(|| self.gate.closed(now)),
            false => Some((HoldReason::Paused, None)),
        };
        let new = Report {
            held: closed.map(|(reason, _)| reason),
            until: closed.and_then(|(_, until)| until),
            gone: self.gone != Gone::No,
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
        self.in_flight.values().filter(|one| one.standing.is_some()).count()
    }

    fn complain(&mut self, what: &str, error: &journal::Error) {
        self.writer.report(error);
        if let Some(line) = self.teller.journal(what, error) {
            tracing::error!(endpoint = %self.endpoint.name, "{line}");
        }
    }

    /// Waits for what is in flight. What is cut off may have been received: that is noted, burns nothing, and is sent
    /// again by the next process.
    async fn drain(mut self, deadline: Instant) {
        // A clip takes its time, and goes on where it was cut off.
        self.in_flight.values().filter_map(|one| one.conversation.as_ref()).for_each(AbortHandle::abort);
        while let Ok(Some(done)) = timeout_at(deadline, self.work.join_next()).await {
            if !done.as_ref().is_err_and(JoinError::is_cancelled) {
                self.take_in(done);
            }
        }
        self.work.shutdown().await;
        let at = self.office.clock.now();
        let cut_off = std::mem::take(&mut self.in_flight).into_iter();
        let cut_off = cut_off.filter_map(|(id, one)| Some((id, one.standing?)));
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
