//! The journal, read from tasks.
//!
//! Owns the API's one connection for reading; refuses to know what is asked. Queries block, so they run on tokio's threads
//! for blocking calls, one at a time.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;

use super::refusal::Refusal;
use crate::journal::{self, Reader, Writer};

/// The API's connection for reading. Cheap to clone.
#[derive(Clone)]
pub(super) struct Store {
    reader: Arc<Mutex<Reader>>,
    writer: Writer,
}

impl Store {
    /// `writer` is told of damage that a query finds.
    pub(super) fn new(reader: Reader, writer: Writer) -> Store {
        Store { reader: Arc::new(Mutex::new(reader)), writer }
    }

    /// Runs one or a few short queries. Damage that they find ends the process: the next start heals it.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let reader = self.reader.clone();
        let work = move || query(&reader.lock().unwrap_or_else(PoisonError::into_inner));
        let answer = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
            let error = format!("the journal could not be asked: {error}");
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error, "see `journalctl -u stakeout`"))
        });
        if let Err(Refusal { damage: Some(why), .. }) = &answer {
            self.writer.report(&journal::Error::Corrupt(why.clone()));
        }
        answer
    }
}
