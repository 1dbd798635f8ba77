//! The integration tests: one binary, real parts.

#![allow(clippy::disallowed_methods, reason = "tests use real clocks, sleeps and processes")]

mod announcements;
mod appliance;
mod asked;
mod camera;
mod certificates;
mod classifiers;
mod cli;
mod clock;
mod detectors;
mod dlq;
mod endpoint;
mod faults;
mod gone;
mod journal;
mod kills;
mod layers;
mod metrics;
mod model;
mod models_cli;
mod neighbours;
mod network_camera;
mod owing;
mod poison;
mod preflight;
mod providers;
mod published;
mod pull;
mod pull_hub;
mod receiver;
mod rtsp;
mod scheduling;
mod secrecy;
mod sending;
mod service;
mod shared;
mod statistics;
mod transport;
mod verifiers;
mod visits;
mod vlm;
mod vlm_bad;
mod vlm_parity;
mod yard;
mod zero_shot;
