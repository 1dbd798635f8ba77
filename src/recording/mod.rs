//! What a recorded clip is: its bytes on disk.
//!
//! Owns the file format ([`mp4`]); refuses to know cameras, threads, disks and clocks. Pure.

pub mod mp4;
