//! Whether something moved: a small picture of light, compared with what a camera always shows.
//!
//! Owns the comparison; refuses to know decoders and what follows from it. Pure.

mod luma;
mod scene;

pub use luma::Luma;
pub use scene::{Look, Scene};
