//! `stakeout config`: the manual of the configuration, or its schema for editors.

use std::io::{self, Write};

use super::exit::Failure;
use crate::config::{MANUAL, schema};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Print its JSON Schema instead, for editors that know TOML (Taplo, Even Better TOML)
    #[arg(long)]
    schema: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if args.schema {
        writeln!(out, "{:#}", schema())?;
    } else {
        out.write_all(MANUAL.as_bytes())?;
    }
    Ok(out.flush()?)
}
