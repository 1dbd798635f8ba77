//! The configuration: one TOML file, checked as a whole.
//!
//! Owns the file's grammar, its defaults and its cross-checks; refuses to touch the disk, the network or a clock (reading
//! the file, the secrets and the models is for floors above). Contract: contracts/config.md.

mod address;
mod appliance;
mod camera;
mod cases;
mod cautions;
mod cross;
mod definition;
mod destination;
mod diagnostic;
mod document;
mod endpoint;
mod events;
mod fitness;
mod headers;
mod mail;
mod manual;
mod mask;
mod metadata;
mod model;
mod monitor;
mod only_when;
mod provider;
mod read;
mod recording;
mod schema;
mod secret_url;
mod settings;
mod suggest;
mod value;
mod zone;

#[cfg(test)]
mod tests;

pub use cases::{Case, Pattern, Span, parse_cases};
pub use cautions::caution;
pub use definition::{Defined, Part, Unfit, add, complete, define};
pub use destination::{clip_url, secret_destination, shown_url};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use manual::{Section as ManualSection, manual};
pub use mask::{is_login, is_telling};
pub use only_when::OnlyWhen;
pub use provider::{Provider, Providers};
pub use schema::schema;
pub use secret_url::{NoSecretUrl, SecretUrl};
pub use settings::*;
pub use suggest::{closest, nearest, quoted};
pub use value::parse_duration;

/// The manual: every key at its default, commented. `stakeout config` prints it.
pub const MANUAL: &str = include_str!("../../packaging/stakeout.toml");

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What it says.
    pub config: Config,
    /// Warnings, if any. Checks that need the world add theirs here.
    pub diagnostics: Diagnostics,
}

/// Reads a configuration file's text. Problems are quoted as of the file `path_shown`, all at once.
///
/// # Errors
/// All problems, among them at least one [`Severity::Error`]; secrets in the text are masked.
pub fn parse(source: &str, path_shown: &str) -> Result<Parsed, Diagnostics> {
    document::parse(source, path_shown)
}
