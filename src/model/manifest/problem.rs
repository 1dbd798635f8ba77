//! Why a manifest can't be used.
//!
//! Owns the words; refuses to know the grammar.

/// Why a manifest can't be used. Every message goes on after "model `x`: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, an unknown key, a missing one, a wrong type.
    #[error("`manifest.toml`, line {line}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// The parser's own words; it names the key.
        message: String,
    },
    /// Part of the contract that comes later.
    #[error("`manifest.toml`: {what} `{value}` is not implemented yet; this version knows {known}")]
    NotYet {
        /// `family` or `head`.
        what: &'static str,
        /// As written.
        value: String,
        /// What may be written.
        known: &'static str,
    },
    /// Not part of the contract.
    #[error("`manifest.toml`: unknown {what} `{value}`; this version knows {known}")]
    Unknown {
        /// `family` or `head`.
        what: &'static str,
        /// As written.
        value: String,
        /// What may be written.
        known: &'static str,
    },
    /// Two values that exclude each other.
    #[error("`manifest.toml`: head `{head}` is for a {of}, but the family is `{family}`; correct one of them")]
    HeadOfOtherFamily {
        /// As written.
        head: &'static str,
        /// What it is for.
        of: &'static str,
        /// As written.
        family: &'static str,
    },
    /// A value outside of what makes sense.
    #[error("`manifest.toml`: `{key}` must be {must}")]
    Value {
        /// With its table.
        key: String,
        /// What would be right.
        must: &'static str,
    },
}
