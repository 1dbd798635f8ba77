//! The integration tests: one binary, real parts.

mod model;
mod shared;
