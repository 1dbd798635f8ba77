//! `stakeout config`: the manual of the configuration.

use std::io::{self, Write};

use super::exit::Failure;
use crate::config::MANUAL;

pub(super) fn run() -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(MANUAL.as_bytes())?;
    Ok(out.flush()?)
}
