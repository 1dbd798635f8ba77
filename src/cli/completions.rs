//! `stakeout completions`: what a shell needs to complete our command line.

use std::io::{self, Write};

use clap_complete::Shell;

use super::exit::Failure;

const AFTER_HELP: &str = "\
Bash reads it from /usr/share/bash-completion/completions/stakeout, zsh from a file `_stakeout` in its
`fpath`, fish from ~/.config/fish/completions/stakeout.fish. The Debian package brings all three.";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Shell that completes
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    // Into memory first: the library panics when it can't write, as before a `| head`.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "stakeout", &mut script);
    let mut out = io::stdout().lock();
    out.write_all(&script)?;
    Ok(out.flush()?)
}
