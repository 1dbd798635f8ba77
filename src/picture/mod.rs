//! Pictures: from a decoder's planes to what a model or a person looks at.
//!
//! Owns scaling, colour conversion and JPEG, each done once, at the size that is needed; refuses to know which model or
//! receiver wants it, and any file. Pure: runs on the caller's thread.

mod bilinear;
mod cutout;
mod filter;
mod jpeg;
mod placement;
mod plane;
mod scaler;
mod tensor;

pub use cutout::Cutout;
pub use filter::Filter;
pub use jpeg::{fit, jpeg, still};
pub use placement::{Placement, Resize};
pub use scaler::{Rgb, Scaler};
pub use tensor::{ColorOrder, Input, tensor, tensor_of};

/// Why a picture could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A plane is missing or too short for the size that the frame claims.
    #[error("a frame of {width}x{height} arrived without all of its samples; it is skipped")]
    Incomplete {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// Nothing to look at.
    #[error("a picture of {width}x{height} has no pixels; give one that has")]
    Empty {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// Scaling or conversion refused the planes.
    #[error("a frame can't be converted: {0}; it is skipped")]
    Convert(String),
    /// A file that is neither JPEG nor PNG, or a broken one.
    #[error("it isn't a JPEG or PNG picture that can be read: {0}; give another")]
    Unreadable(String),
    /// The encoder refused.
    #[error("a picture can't be written as JPEG: {0}; lower `[storage] snapshot_width`")]
    Encode(String),
}

#[cfg(test)]
mod tests;
