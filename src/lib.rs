//! Stakeout watches cameras, journals what it saw, and delivers signed webhooks that are never lost.
//!
//! The modules stand on floors and import only downward (`tests/it/layers.rs` holds the table, ARCHITECTURE.md explains
//! it). This file only lists them, from the ground up.

// Floor 0, vocabulary: plain data.
pub mod delivery;
pub mod event;
pub mod frame;
pub mod gate;
pub mod meter;
pub mod name;
pub mod redact;
pub mod secret;
pub mod time;
pub mod verdict;

// Floor 1, decisions: pure functions of their arguments.
pub mod calibration;
pub mod catalogue;
pub mod condition;
pub mod config;
pub mod credentials;
pub mod egress;
pub mod expectation;
pub mod heartbeat;
pub mod judge;
pub mod payload;
pub mod picture;
pub mod presence;
pub mod recording;
pub mod retry;
pub mod sign;

// Floor 2, drivers: each owns one outside thing.
pub mod broadcast;
pub mod camera;
pub mod journal;
pub mod model;
pub mod secrets;
pub mod systemd;
pub mod telemetry;
pub mod transport;

// Floor 3, loops: they compose.
pub mod api;
pub mod preflight;
pub mod pull;
pub mod recorder;
pub mod sender;
pub mod watch;

// Floor 4, wiring.
pub mod daemon;
pub mod replay;
pub mod trial;

// Floor 5, edge.
pub mod cli;
