//! The command line: one file per command, data on stdout, everything else on stderr.
//!
//! Owns the words of the commands and the way from a command to an exit code; refuses to know what commands do. Runs on
//! the main thread.

mod account;
mod ask;
mod check;
mod checked;
mod client;
mod clips;
mod completions;
mod config;
mod deliveries;
mod dlq;
mod doctor;
mod enable;
mod endpoint;
mod environment;
mod events;
mod exit;
mod help;
mod init;
mod jobs;
mod keygen;
mod line;
mod man;
mod models;
mod monitor;
mod plot;
mod print;
mod records;
mod replay;
mod run;
mod settings;
mod shown;
mod sightings;
mod snapshot;
mod status;
mod terminal;
mod test;
mod timeline;
mod verify;
mod which;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::telemetry;
use exit::{Exit, Failure};

/// Watches cameras, journals what it saw, and delivers signed webhooks that are never lost
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 ok, 1 failure, 2 usage, 3 the daemon is not reachable, 78 the configuration can't be used.
Commands read /etc/stakeout/stakeout.toml unless --config or STAKEOUT_CONFIG names another file.";

#[derive(Subcommand)]
enum Command {
    /// Set up a first camera, monitor and endpoint, and try them
    Init(Box<init::Args>),
    /// Check the configuration, and all that it leads to
    Check(check::Args),
    /// Check all that is needed of this machine, and say how to mend it
    Doctor(doctor::Args),
    /// Print the manual of the configuration: every key at its default
    Config(config::Args),
    /// Print a new secret, for webhooks or the API
    Keygen,
    /// Run the daemon
    Run(run::Args),
    /// Show cameras, monitors, endpoints and warnings of the daemon
    Status(status::Args),
    /// List events, or follow them
    Events(events::Args),
    /// List deliveries: what endpoints are owed, and what became of it
    Deliveries(deliveries::Args),
    /// List jobs, the runs of monitors; show, stop or start one
    Jobs(jobs::Args),
    /// List clips of alerts; show, save or delete one
    Clips(clips::Args),
    /// Save what a camera sees now, as JPEG
    Snapshot(snapshot::Args),
    /// Enable or disable a monitor while the daemon runs
    Monitor(monitor::Args),
    /// List endpoints, check one, or enable one that was gone
    Endpoint(endpoint::Args),
    /// Handle dead letters: deliveries that ended without success
    Dlq(dlq::Args),
    /// Play a recording through the monitors; print what they would say
    Replay(replay::Args),
    /// Assert what the monitors say about recordings, case by case
    Test(test::Args),
    /// Ask a model about a picture
    Ask(ask::Args),
    /// List, download, check, measure and calibrate models
    Models(models::Args),
    /// Check the signature of a webhook body, read from stdin
    Verify(verify::Args),
    /// Print what a shell needs to complete commands
    Completions(completions::Args),
    /// Print the man page, or write all of them
    Man(man::Args),
}

/// The commands and their options.
fn command() -> clap::Command {
    help::grouped(Cli::command())
}

/// Runs the command that was given; the binary's whole `main`.
pub fn main() -> ExitCode {
    let parsed = command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(wrong) => {
            // Help goes to stdout, errors go to stderr; nothing can be done when either is closed.
            let _ = wrong.print();
            return if wrong.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    telemetry::watch_panics();
    if cli.command.loads_models() {
        environment::insist();
    }
    match cli.command.run() {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => failure.report().into(),
    }
}

impl Command {
    fn loads_models(&self) -> bool {
        match self {
            Command::Run(_) | Command::Check(_) | Command::Replay(_) | Command::Test(_) | Command::Ask(_) => true,
            Command::Doctor(_) | Command::Init(_) => true,
            Command::Models(args) => args.loads_models(),
            _ => false,
        }
    }

    fn run(self) -> Result<(), Failure> {
        match self {
            Command::Ask(args) => ask::run(&args),
            Command::Init(args) => init::run(&args),
            Command::Run(args) => run::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Config(args) => config::run(&args),
            Command::Doctor(args) => doctor::run(&args),
            Command::Status(args) => status::run(&args),
            Command::Events(args) => events::run(&args),
            Command::Deliveries(args) => deliveries::run(&args),
            Command::Dlq(args) => dlq::run(args),
            Command::Jobs(args) => jobs::run(&args),
            Command::Clips(args) => clips::run(&args),
            Command::Snapshot(args) => snapshot::run(&args),
            Command::Endpoint(args) => endpoint::run(&args),
            Command::Monitor(args) => monitor::run(&args),
            Command::Replay(args) => replay::run(&args),
            Command::Test(args) => test::run(&args),
            Command::Models(args) => models::run(&args),
            Command::Verify(args) => verify::run(&args),
            Command::Keygen => keygen::run(),
            Command::Completions(args) => completions::run(&args),
            Command::Man(args) => man::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_commands_are_well_formed() {
        super::command().debug_assert();
    }
}
