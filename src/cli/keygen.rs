//! `stakeout keygen`: a new webhook secret, in one line.

use std::fs::File;
use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use super::exit::Failure;
use crate::sign::{SECRET_BYTES, new_secret};

/// The system's random source.
const RANDOM: &str = "/dev/urandom";

pub(super) fn run() -> Result<(), Failure> {
    writeln!(io::stdout(), "{}", *make()?)?;
    Ok(())
}

/// A new secret.
pub(super) fn make() -> Result<Zeroizing<String>, Failure> {
    let mut random = Zeroizing::new([0; SECRET_BYTES]);
    File::open(RANDOM)
        .and_then(|mut source| source.read_exact(&mut *random))
        .map_err(|error| Failure::plain(format_args!("cannot read `{RANDOM}`: {error}")))?;
    Ok(new_secret(&random))
}
