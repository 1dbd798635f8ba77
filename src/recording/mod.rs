//! Clips.

pub mod playlist;
