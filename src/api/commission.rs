//! What a client wants watched, in one piece: a stream, a condition, and a webhook for what happens.
//!
//! Owns the shape that all services of that kind come down to; refuses to know any of them and how it is carried out. Plain
//! data.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::config::Format;
use crate::event::JobStatus;
use crate::secret::Secret;

/// An order for a monitor, and for the camera and the endpoint that it needs, if nobody has made them yet.
pub struct Commission {
    /// A URL, maybe with a login in it, or a camera's name or URL.
    pub stream: Secret,
    /// Where what happens is sent.
    pub webhook_url: String,
    /// How it is written.
    pub format: Format,
    /// Keys of `[[monitor]]`, but for its name, its camera and its endpoints.
    pub monitor: Map<String, Value>,
    /// What the client asked for, without secrets: its job ends for good. Equal ones are one job.
    pub request: Value,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commissioned {
    /// Its job.
    pub job: Uuid,
    /// Where that stands.
    pub status: JobStatus,
    /// There was none like it.
    pub is_new: bool,
}
