//! `stakeout check`: whether the configuration can be used.

use std::io::{self, Write};

use super::exit::Failure;
use super::print;
use super::settings::ConfigFile;
use crate::preflight;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Also ask every camera for a picture and every endpoint for an answer (not implemented yet)
    #[arg(long)]
    live: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if args.live {
        return Err(Failure::plain("`check --live` is not implemented yet")
            .hint("`stakeout check` checks everything but the network; `stakeout status` shows the rest at work"));
    }
    let mut parsed = args.file.load()?;
    if preflight::check(&parsed.config, &mut parsed.diagnostics).is_none() {
        return Err(Failure::configuration(&parsed.diagnostics));
    }
    if !parsed.diagnostics.is_empty() {
        print::say(&parsed.diagnostics.render(print::colour_on_stderr()));
    }
    let config = &parsed.config;
    let counts = [
        counted(config.cameras.len(), "camera"),
        counted(config.monitors.len(), "monitor"),
        counted(config.endpoints.len(), "endpoint"),
    ];
    writeln!(io::stdout(), "{}: ok ({})", args.file.path().display(), counts.join(", "))?;
    Ok(())
}

fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
