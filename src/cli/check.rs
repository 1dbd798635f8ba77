//! `stakeout check`: whether the configuration can be used.

use std::io::{self, Write};

use super::endpoint;
use super::exit::Failure;
use super::print;
use super::settings::ConfigFile;
use super::sightings;
use crate::config::{self, Config};
use crate::preflight::{self, Ready};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Also look at every camera for some seconds, and send a signed check to every endpoint
    #[arg(long)]
    live: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut parsed = args.file.load()?;
    let Some(ready) = preflight::check(&parsed.config, &mut parsed.diagnostics) else {
        return Err(Failure::configuration(&parsed.diagnostics));
    };
    config::caution(&parsed.config, &mut parsed.diagnostics);
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
    if args.live { live(config, ready) } else { Ok(()) }
}

/// What doesn't work has been told by then, each with what to do about it.
fn live(config: &Config, ready: Ready) -> Result<(), Failure> {
    let cameras = sightings::look_at_all(config, &ready)?;
    let endpoints = endpoint::check_all(config, ready)?;
    let counts = [(cameras, "camera"), (endpoints, "endpoint")];
    let failed: Vec<String> =
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, thing)| counted(count, thing)).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let verb = if cameras + endpoints == 1 { "does" } else { "do" };
    let failure = Failure::plain(format_args!("{} {verb} not work", failed.join(" and ")));
    Err(match endpoints {
        0 => failure,
        _ => failure.hint("`stakeout endpoint check NAME` shows how far a check came"),
    })
}

pub(super) fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
