//! The end of the journal, as lines: read once for everybody who keeps up, page by page for whoever is behind.
//!
//! Owns the newest lines and the order of reading; refuses to know clients and protocols. Nothing is read while nobody asks,
//! and never by more than two at a time, however many do.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use super::super::lines::EventLine;
use super::super::refusal::Refusal;
use super::super::store::Store;
use crate::event::EventType;
use crate::journal::{EventFilter, EventRow};
use crate::name::Name;

/// Lines that are kept for those who keep up.
const KEPT: u32 = 256;

/// Lines of a page for those who are behind.
const PAGE: u32 = 100;

/// An event as `/v1/events` lists it.
#[derive(Debug)]
pub(super) struct Line {
    /// Its place in the order of everything.
    pub(super) seq: i64,
    /// Its type.
    pub(super) kind: EventType,
    monitor: Option<Name>,
    /// Its monitor only rehearses: no client hears of it.
    rehearsed: bool,
    /// JSON.
    pub(super) text: String,
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) monitor: Option<Name>,
    pub(super) kind: Option<EventType>,
}

impl Filter {
    fn lets_through(&self, line: &Line) -> bool {
        let of_monitor = self.monitor.as_ref().is_none_or(|wanted| line.monitor.as_ref() == Some(wanted));
        of_monitor && !line.rehearsed && self.kind.is_none_or(|wanted| line.kind == wanted)
    }
}

/// Some lines.
#[derive(Debug)]
pub(super) struct Batch {
    /// The oldest first.
    pub(super) lines: Vec<Arc<Line>>,
    /// Up to here nothing is missing: ask for what is behind it.
    pub(super) reached: i64,
}

/// See the top.
pub(super) struct Tail {
    store: Store,
    newest: watch::Receiver<i64>,
    kept: Mutex<Kept>,
    /// Held while somebody who is behind reads.
    catching_up: Mutex<()>,
}

/// Every event behind `floor` and up to `head`.
struct Kept {
    lines: VecDeque<Arc<Line>>,
    floor: i64,
    head: i64,
}

impl Tail {
    /// `newest` tells the place of the newest event.
    pub(super) fn new(store: Store, newest: watch::Receiver<i64>) -> Tail {
        let head = *newest.borrow();
        let kept = Mutex::new(Kept { lines: VecDeque::new(), floor: head, head });
        Tail { store, newest, kept, catching_up: Mutex::default() }
    }

    /// The place of the newest event, and a bell for the next one.
    pub(super) fn newest(&self) -> watch::Receiver<i64> {
        self.newest.clone()
    }

    /// Some of the events behind `after` that `filter` lets through, the oldest first.
    ///
    /// # Errors
    /// The journal can't be read.
    pub(super) async fn behind(&self, after: i64, filter: &Filter) -> Result<Batch, Refusal> {
        let mut kept = self.kept.lock().await;
        self.refresh(&mut kept).await?;
        if after >= kept.floor {
            return Ok(kept.behind(after, filter));
        }
        let head = kept.head;
        drop(kept);
        let _alone = self.catching_up.lock().await;
        self.page(after, filter, head).await
    }

    /// Reads what came since the last time; after a long pause only the newest of it.
    async fn refresh(&self, kept: &mut Kept) -> Result<(), Refusal> {
        let newest = *self.newest.borrow();
        if kept.head >= newest {
            return Ok(());
        }
        let filter = EventFilter { after: kept.head, limit: KEPT, monitor: None, kind: None };
        let lines = self.store.read(move |reader| lines(reader.latest_events(&filter)?)).await?;
        kept.add(lines);
        // What was purged before anybody read it is behind us, too.
        kept.head = kept.head.max(newest);
        Ok(())
    }

    /// A page from the journal. `head`: an event that is known to be there.
    async fn page(&self, after: i64, filter: &Filter, head: i64) -> Result<Batch, Refusal> {
        let filter = EventFilter { after, limit: PAGE, monitor: filter.monitor.clone(), kind: filter.kind };
        let mut lines = self.store.read(move |reader| lines(reader.events(&filter)?)).await?;
        let last = lines.last().map(|line| line.seq);
        let reached = match last {
            Some(last) if lines.len() >= PAGE as usize => last,
            _ => head.max(last.unwrap_or(0)),
        };
        lines.retain(|line| !line.rehearsed);
        Ok(Batch { lines, reached })
    }
}

impl Kept {
    fn behind(&self, after: i64, filter: &Filter) -> Batch {
        let behind = self.lines.iter().filter(|line| line.seq > after && filter.lets_through(line));
        Batch { lines: behind.cloned().collect(), reached: self.head.max(after) }
    }

    fn add(&mut self, lines: Vec<Arc<Line>>) {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return };
        self.head = last.seq;
        if lines.len() >= KEPT as usize {
            // There may be more between these and what was kept.
            self.floor = first.seq - 1;
            self.lines.clear();
        }
        self.lines.extend(lines);
        while self.lines.len() > KEPT as usize {
            self.floor = self.lines.pop_front().map_or(self.floor, |line| line.seq);
        }
    }
}

fn lines(rows: Vec<EventRow>) -> Result<Vec<Arc<Line>>, Refusal> {
    rows.into_iter().map(|row| line(row).map(Arc::new)).collect()
}

fn line(row: EventRow) -> Result<Line, Refusal> {
    let (seq, kind, monitor) = (row.seq, row.event.data.kind(), row.event.monitor.clone());
    let rehearsed = row.shadow.is_some();
    let text = serde_json::to_string(&EventLine::from(row)).map_err(|error| {
        let error = format!("event {seq} can't be put into words: {error}");
        Refusal::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, error, "see `journalctl -u stakeout`")
    })?;
    Ok(Line { seq, kind, monitor, rehearsed, text })
}
