//! The integration tests: one binary, real parts.

mod camera;
mod journal;
mod layers;
mod model;
mod preflight;
mod receiver;
mod sending;
mod shared;
mod transport;
