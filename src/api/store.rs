//! The journal, read from tasks.
//!
//! Owns the API's one connection for reading; refuses to know what is asked. Queries block, so they run on tokio's threads
//! for blocking calls, one at a time.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;

use super::refusal::Refusal;
use crate::journal::Reader;

/// The API's connection for reading. Cheap to clone.
#[derive(Clone)]
pub(super) struct Store(Arc<Mutex<Reader>>);

impl Store {
    pub(super) fn new(reader: Reader) -> Store {
        Store(Arc::new(Mutex::new(reader)))
    }

    /// Runs one or a few short queries.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let reader = self.0.clone();
        let work = move || query(&reader.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
            let error = format!("the journal could not be asked: {error}");
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error, "see `journalctl -u stakeout`"))
        })
    }
}
