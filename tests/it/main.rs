//! The integration tests: one binary, real parts.

mod layers;
mod model;
mod shared;
