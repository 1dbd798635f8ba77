//! Endpoints that were taken away: what they were still owed ends as `skipped_gone`, listed and re-drivable.
//!
//! Owns which ones these are; refuses to take any away (`orders` does, and marks them as gone in the same transaction). Runs
//! on tokio.

use std::time::Duration;

use crate::config::{Config, Part};
use crate::journal::{self, Reader, Writer};
use crate::name::Name;
use crate::time;

use super::roster::has;

/// A journal that refused is asked again after so long.
const REFUSED: Duration = Duration::from_secs(30);

/// Those that are gone and not in `config`: the last process came to its end over it.
///
/// # Errors
/// The journal can't be read.
pub(super) fn all(reader: &Reader, config: &Config) -> Result<Vec<Name>, journal::Error> {
    let counts = reader.endpoint_counts(time::now())?;
    let gone = counts.into_iter().filter(|it| it.gone).map(|it| it.endpoint);
    Ok(gone.filter(|endpoint| !has(config, Part::Endpoint, endpoint)).collect())
}

/// Ends what `endpoint` is owed, batch by batch. The journal does nothing once it is no longer gone.
pub(super) async fn skip(writer: Writer, endpoint: Name) {
    loop {
        match writer.skip_owed(endpoint.clone(), time::now().wall).await {
            // Should there be one of that name again, it is another one.
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
