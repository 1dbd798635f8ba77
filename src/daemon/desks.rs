//! The senders: one desk for each endpoint, opened and closed while the others work.
//!
//! Owns their tasks and what each tells of itself; refuses to know who opens them and what they send. Opened and closed on
//! threads that may wait.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch as flag;
use tokio::task::JoinHandle;

use super::StartError;
use crate::config::{Config, Endpoint, Format};
use crate::credentials::Credentials;
use crate::egress::Egress;
use crate::journal::{Reader, Writer};
use crate::name::Name;
use crate::retry::taxonomy::acts_on_endpoint;
use crate::sender::{Doorbells, Office, Outlet, Report, Sender};
use crate::transport::{self, Tls};

/// What is in flight when a desk closes is waited for, so long at most.
pub(super) const DRAIN: Duration = Duration::from_secs(6);

/// How often it is looked whether one is done.
const LOOK: Duration = Duration::from_millis(5);

/// All senders.
pub(super) struct Desks {
    /// Where their tasks run.
    pub(super) tokio: Handle,
    office: Office,
    bells: Doorbells,
    egress: Arc<Egress>,
    writer: Writer,
    /// Where the journal is: each reads for itself.
    journal: PathBuf,
    open: Mutex<BTreeMap<Name, Desk>>,
}

/// What sending to an endpoint takes, all of it there.
pub(super) struct Equipment {
    endpoint: Endpoint,
    credentials: Credentials,
    outlet: Outlet,
    reader: Reader,
}

/// One sender.
pub(super) struct Desk {
    stop: flag::Sender<bool>,
    task: JoinHandle<()>,
    report: flag::Receiver<Report>,
}

impl Desks {
    /// None is open yet.
    pub(super) fn new(tokio: &Runtime, office: Office, bells: Doorbells, config: &Config, writer: Writer) -> Desks {
        Desks {
            tokio: tokio.handle().clone(),
            office,
            bells,
            egress: Arc::new(config.egress.clone()),
            writer,
            journal: config.storage.path.clone(),
            open: Mutex::default(),
        }
    }

    /// Gets what sending to `endpoint` takes; nothing is sent yet.
    ///
    /// # Errors
    /// No client, or no connection to the journal.
    pub(super) fn equip(
        &self,
        endpoint: &Endpoint,
        credentials: Credentials,
        tls: Tls,
    ) -> Result<Equipment, StartError> {
        let keeps = acts_on_endpoint(&endpoint.retry) || endpoint.format == Format::Upload;
        let settings = transport::Settings {
            timeout: endpoint.timeout,
            // Where every failure costs an attempt, one that is only our having kept a connection must not come about. (Of a
            // clip it costs a question.)
            kept_connections: if keeps { endpoint.concurrency as usize } else { 0 },
            egress: Arc::clone(&self.egress),
            tls,
        };
        let outlet = Outlet::new(endpoint, &credentials, &settings)?;
        let reader = Reader::open(&self.journal)?;
        Ok(Equipment { endpoint: endpoint.clone(), credentials, outlet, reader })
    }

    /// Begins to send, in the place of whoever sent to an endpoint of that name. Blocks as [`Desks::close`]: whoever hurries
    /// leaves it to the next start.
    pub(super) fn open(&self, equipment: Equipment, hurries: impl Fn() -> bool) {
        let Equipment { endpoint, credentials, outlet, reader } = equipment;
        let name = endpoint.name.clone();
        if !self.close(&name, hurries) {
            return;
        }
        let (sender, report) = Sender::new(endpoint, credentials, outlet, self.writer.clone(), reader, &self.office);
        let (stop, stopped) = flag::channel(false);
        let task = self.tokio.spawn(sender.run(stopped, DRAIN));
        self.held().insert(name, Desk { stop, task, report });
    }

    /// Sends nothing more to `endpoint`, once what is in flight has come to its end. Blocks until then, or until somebody
    /// `hurries` (false): then [`Desks::close_all`] waits for the rest.
    pub(super) fn close(&self, endpoint: &Name, hurries: impl Fn() -> bool) -> bool {
        if let Some(desk) = self.held().get(endpoint) {
            let _ = desk.stop.send(true);
        }
        // A panic there has been reported by its own task.
        let is_done = || self.held().get(endpoint).is_none_or(|desk| desk.task.is_finished());
        while !is_done() {
            if hurries() {
                return false;
            }
            std::thread::park_timeout(LOOK);
        }
        if self.held().remove(endpoint).is_some() {
            self.bells.remove(endpoint);
        }
        true
    }

    /// Closes all of them at once.
    pub(super) async fn close_all(&self) {
        let desks: Vec<Desk> = std::mem::take(&mut *self.held()).into_values().collect();
        for desk in &desks {
            let _ = desk.stop.send(true);
        }
        for desk in desks {
            let _ = desk.task.await;
        }
    }

    /// How each of them does.
    pub(super) fn reports(&self) -> Vec<(Name, Report)> {
        self.held().iter().map(|(endpoint, desk)| (endpoint.clone(), desk.report.borrow().clone())).collect()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Name, Desk>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
