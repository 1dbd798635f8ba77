//! Whether something moved: a small picture of light, compared with what a camera always shows.
//!
//! Owns the comparison; refuses to know decoders and what follows from it. Pure.

mod background;
mod blobs;
mod clutter;
mod light;
mod luma;
mod mask;
mod scene;

pub use luma::Luma;
pub use scene::{Look, Scene};
