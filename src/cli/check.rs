//! `stakeout check`: whether the configuration can be used.

use std::io::{self, Write};

use super::endpoint;
use super::exit::Failure;
use super::print;
use super::settings::ConfigFile;
use crate::preflight;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Also send a signed check to every endpoint (asking cameras for a picture is not implemented yet)
    #[arg(long)]
    live: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut parsed = args.file.load()?;
    let Some(ready) = preflight::check(&parsed.config, &mut parsed.diagnostics) else {
        return Err(Failure::configuration(&parsed.diagnostics));
    };
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
    if args.live { endpoint::check_all(config, ready) } else { Ok(()) }
}

fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
