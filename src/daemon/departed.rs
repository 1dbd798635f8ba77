//! Endpoints that were taken away: what they were still owed ends as `skipped_gone`, listed and re-drivable.
//!
//! Owns which ones these are, and that a name is free again only once that is over; refuses to take any away (`orders` does,
//! and marks them as gone in the same transaction). Runs on tokio; who waits does so on a thread that may.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::config::{Config, Part};
use crate::journal::{self, Reader, Writer};
use crate::name::Name;
use crate::time;

use super::roster::has;

/// A journal that refused is asked again after so long.
const REFUSED: Duration = Duration::from_secs(30);

/// So long it is waited for one that is still being taken away, when another one is to have its name.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether it is over.
const LOOK: Duration = Duration::from_millis(10);

/// Those whose end is under way.
#[derive(Default)]
pub(super) struct Departures(Mutex<BTreeMap<Name, JoinHandle<()>>>);

impl Departures {
    /// Begins to end what `endpoint`, which is marked as gone, is owed.
    pub(super) fn begin(&self, tokio: &Handle, writer: Writer, endpoint: Name) {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, task| !task.is_finished());
        under_way.insert(endpoint.clone(), tokio.spawn(skip(writer, endpoint)));
    }

    /// Waits until what was owed to the last one of that name has ended: what a new one is owed must not end with it, nor
    /// may the new one get what was the old one's. False: it takes too long, or somebody `hurries`.
    pub(super) fn is_over(&self, endpoint: &Name, hurries: impl Fn() -> bool) -> bool {
        let deadline = time::now().mono.plus(PATIENCE);
        while self.is_under_way(endpoint) {
            if hurries() || time::now().mono >= deadline {
                return false;
            }
            std::thread::park_timeout(LOOK);
        }
        true
    }

    fn is_under_way(&self, endpoint: &Name) -> bool {
        let under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.get(endpoint).is_some_and(|task| !task.is_finished())
    }
}

/// Those that are gone and not in `config`: the last process came to its end over it.
///
/// # Errors
/// The journal can't be read.
pub(super) fn all(reader: &Reader, config: &Config) -> Result<Vec<Name>, journal::Error> {
    let counts = reader.endpoint_counts(time::now())?;
    let gone = counts.into_iter().filter(|it| it.gone).map(|it| it.endpoint);
    Ok(gone.filter(|endpoint| !has(config, Part::Endpoint, endpoint)).collect())
}

/// Ends what `endpoint` is owed, batch by batch.
async fn skip(writer: Writer, endpoint: Name) {
    loop {
        match writer.skip_owed(endpoint.clone(), time::now().wall).await {
            // The next one of that name is another one.
            Ok(0) => return drop(writer.set_gone(endpoint, false)),
            Ok(_) => {}
            Err(journal::Error::Closed) => return,
            Err(error) => {
                tracing::error!(%endpoint, %error, "what it was owed is not skipped yet");
                tokio::time::sleep(REFUSED).await;
            }
        }
    }
}
