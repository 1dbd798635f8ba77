//! Channels: server-sent events that lose nothing, messages over WebSocket that wait for nobody.

pub mod clients;
mod dual;
mod many;
mod resume;
mod stream;
pub mod websocket;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stakeout::api::{self, Parts, Socket};
use stakeout::broadcast::Broadcast;
use stakeout::event::{CameraOffline, Event, EventData, JobReason, JobReport, Metadata, Priority};
use stakeout::journal::{Accepted, Journal, Keep, Record};
use stakeout::name::Name;
use stakeout::time::{Boot, now};
use tempfile::TempDir;

use crate::cli::{Quiet, links};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The API over a journal, in this process: what happens is ours to say.
struct Station {
    folder: TempDir,
    journal: Journal,
    broadcast: Broadcast,
    tokio: tokio::runtime::Runtime,
    stop: tokio::sync::oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Station {
    fn start() -> Station {
        let folder = TempDir::new().unwrap();
        let keep = Keep { delivered: Duration::from_secs(3600), dead: Duration::from_secs(3600), max_size: 1 << 30 };
        let journal = Journal::open(&folder.path().join("state"), keep, now(), Box::new(|_| {})).unwrap();
        let tokio = tokio::runtime::Runtime::new().unwrap();
        let socket = Socket::bind(&folder.path().join("s.sock")).unwrap();
        let (reader, writer, broadcast) = (journal.reader().unwrap(), journal.writer(), Broadcast::default());
        let (site, registrar) = (Arc::new(Quiet), Arc::new(Quiet));
        let parts = Parts { site, reader, writer, registrar, broadcast: broadcast.clone(), links: links() };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio.spawn(api::serve(socket, None, parts, async move { drop(stopped.await) }));
        Station { folder, journal, broadcast, tokio, stop, serving }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s.sock")
    }

    /// So many events, one commit each; `monitor` is whose they are.
    fn record(&self, count: usize, monitor: &str) {
        for _ in 0..count {
            let report = JobReport { reason: JobReason::UserRequested, counters: Default::default() };
            self.record_one(Some(name(monitor)), EventData::JobStatus(report));
        }
    }

    /// A camera goes: an event of no monitor.
    fn record_offline(&self) {
        let offline = CameraOffline { cause: "timeout".into(), since: now().wall, common: false, flaps: 0 };
        self.record_one(None, EventData::CameraOffline(offline));
    }

    fn record_one(&self, monitor: Option<Name>, data: EventData) {
        let now = now();
        let event = Event {
            id: now.new_id(),
            observed: now,
            boot: Boot::current(),
            device: "box".into(),
            camera: Some(name("yard")),
            job: monitor.as_ref().map(|_| now.new_id()),
            monitor,
            priority: Priority::Normal,
            metadata: Metadata::new(),
            data,
        };
        let events = vec![Accepted { event, frame: None, owed: Vec::new() }];
        self.journal.writer().record(Record { at: now, events, machine: None, jobs: Vec::new() }).wait().unwrap();
    }

    /// Stops as the daemon does; how long that took.
    fn end(self) -> Duration {
        let began = std::time::Instant::now();
        drop(self.stop);
        self.tokio.block_on(self.serving).unwrap().unwrap();
        began.elapsed()
    }
}
