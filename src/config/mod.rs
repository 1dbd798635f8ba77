//! The configuration: one TOML file, checked as a whole.
//!
//! Owns the file's grammar, its defaults and its cross-checks; refuses to touch the disk, the network or a clock (reading
//! the file, the secrets and the models is for floors above).

mod settings;

pub use settings::*;
