//! `models` in `/v1/status`: what inference runs on, and how the models are.
//!
//! Owns the fields; refuses to know where they come from. Plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// The ONNX Runtime that was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// The file.
    pub path: String,
    /// `1.31.1`
    pub version: String,
}

/// A model at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// As monitors name it.
    pub name: Name,
    /// Whether it can be asked.
    pub state: ModelState,
    /// What really runs it: `cpu`, `cuda (120 of 131 nodes, cpu 11)`.
    pub provider: String,
    /// What had to be switched off to load it: `with all optimisations`.
    pub rung: String,
    /// Runs since the daemon started.
    pub runs: u64,
    /// Their mean in milliseconds; 0 before the first.
    pub mean_ms: f64,
    /// Runs that were ended because they took too long.
    pub hangs: u64,
    /// Times that it was loaded again.
    pub reloads: u64,
    /// Why it can't be asked.
    pub cause: Option<String>,
}

/// Whether a model can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// It can.
    Ready,
    /// It is being loaded again, after it hung or failed.
    Loading,
}

impl fmt::Display for ModelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ModelState::Ready => "ready",
            ModelState::Loading => "loading",
        })
    }
}
