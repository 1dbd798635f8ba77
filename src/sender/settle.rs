//! Writing down what became of a delivery, however long that takes.
//!
//! Owns the patience; refuses to decide what is written. Until it is written the delivery counts as in flight, because
//! the journal would hand it out again. Runs in tasks of tokio.

use std::time::Duration;

use crate::journal::{self, Settlement, Writer};

/// An error of the journal is waited out for so long at first, …
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// … and for so long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Writes `settlement` into the journal.
pub(super) async fn settle(writer: &Writer, settlement: Settlement) {
    let mut pause = FIRST_PAUSE;
    loop {
        match writer.settle(settlement.clone()).await {
            Ok(()) | Err(journal::Error::NoSuchDelivery(_) | journal::Error::Closed) => return,
            Err(error) => {
                let delivery = settlement.delivery;
                tracing::error!(%delivery, %error, "the outcome of a delivery is not recorded yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
