//! The integration tests: one binary, real parts.

mod receiver;
mod sending;
mod transport;
