//! Recording: what of a camera's stream becomes a clip, what bytes that is, and how it is found.
//!
//! Owns the decisions; refuses to touch packets, files and rows. Pure: runs wherever it is called.

pub mod link;
pub mod mp4;
mod plan;
pub mod playlist;

pub use plan::{Alerted, Order, Plan, Sequel};
