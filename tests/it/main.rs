//! The integration tests: one binary, real parts.

#![allow(clippy::disallowed_methods, reason = "tests use real clocks, sleeps and processes")]

mod camera;
mod cli;
mod layers;
mod model;
mod preflight;
mod receiver;
mod sending;
mod shared;
mod transport;
