//! The integration tests: one binary, real parts.

mod receiver;
mod transport;
