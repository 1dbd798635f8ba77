//! Which decoder decodes: hardware where it works, software where it doesn't.
//!
//! Owns what is installed (`inventory`), the order of preference (`choose`, pure), the trial that a decoder has to pass
//! (`trial`), whether a named one passes it (`named`), and what came of it for one camera (`lineup`). Refuses to know cameras and packets' ways. Runs on the
//! caller's thread; a trial has one of its own, because a driver may hang.

mod choose;
mod inventory;
mod lineup;
mod named;
mod trial;

use choose::{Why, choose};
pub use inventory::hardware_decoders;
pub(super) use lineup::Rung;
pub use lineup::{Fallen, Lineup, Report, Running};
pub use named::{Unusable, named};
pub use trial::{Drain, Failure};
