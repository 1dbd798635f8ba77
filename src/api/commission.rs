//! What a client wants watched, in one piece: a stream, a condition, and a webhook for what happens.
//!
//! Owns the shape that all services of that kind come down to; refuses to know any of them and how it is carried out. Plain
//! data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::config::Format;
use crate::event::JobStatus;
use crate::name::Name;
use crate::secret::Secret;

/// An order for a monitor, and for the camera and the endpoint that it needs, if nobody has made them yet.
pub struct Commission {
    /// What is to be watched.
    pub stream: Stream,
    /// Where what happens is sent.
    pub webhook_url: String,
    /// How it is written.
    pub format: Format,
    /// Keys of `[[monitor]]`, but for its name, its camera and its endpoints.
    pub monitor: Map<String, Value>,
    /// What it is to the client.
    pub request: Request,
}

/// What is to be watched.
pub enum Stream {
    /// A URL, maybe with a login in it, or a camera's name or URL. One that nobody has named makes a camera.
    At(Secret),
    /// A camera, which must be there.
    Of(Name),
}

/// What a client asked for, without secrets, and for how long that counts. Equal ones are one and the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// A job: it ends for good, and fails where no frame ever comes. What it needed goes with it.
    Job(Value),
    /// A question that is asked until it is taken away.
    Subscription(Value),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commissioned {
    /// Which one it is now.
    pub monitor: Name,
    /// Its job. None: it is kept and doesn't run.
    pub job: Option<(Uuid, JobStatus)>,
    /// There was none like it.
    pub is_new: bool,
}

/// Which camera a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its name.
    pub camera: Name,
    /// There was none.
    pub is_new: bool,
}
