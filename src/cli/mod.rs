//! The command line: one file per command, data on stdout, everything else on stderr.
//!
//! Owns the words of the commands and the way from a command to an exit code; refuses to know what commands do. Runs on
//! the main thread.

mod ask;
mod check;
mod checked;
mod client;
mod config;
mod deliveries;
mod dlq;
mod enable;
mod endpoint;
mod environment;
mod events;
mod exit;
mod jobs;
mod keygen;
mod line;
mod models;
mod monitor;
mod print;
mod records;
mod replay;
mod run;
mod settings;
mod shown;
mod sightings;
mod snapshot;
mod status;
mod verify;
mod which;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Run the daemon
    Run(run::Args),
    /// Check the configuration: syntax, references, secrets, models and labels
    Check(check::Args),
    /// Print the manual of the configuration: every key at its default
    Config,
    /// Show cameras, monitors, endpoints and warnings of the running daemon
    Status(status::Args),
    /// List events, or follow them
    Events(events::Args),
    /// List deliveries: what is owed to endpoints, and what became of it
    Deliveries(deliveries::Args),
    /// List jobs, the runs of monitors, and show one
    Jobs(jobs::Args),
    /// Save what a camera sees now, as JPEG
    Snapshot(snapshot::Args),
    /// List endpoints, check whether one works, take back that one is gone
    Endpoint(endpoint::Args),
    /// Enable or disable a monitor while the daemon runs
    Monitor(monitor::Args),
    /// Handle dead letters: deliveries that ended without success
    Dlq(dlq::Args),
    /// Play a recording through the monitors and print what they would have reported
    Replay(replay::Args),
    /// Ask a model about a picture
    Ask(ask::Args),
    /// List, download, check, measure and calibrate models
    Models(models::Args),
    /// Check the signature of a webhook body, read from stdin
    Verify(verify::Args),
    /// Print a new webhook secret
    Keygen,
}

/// Runs the command that was given; the binary's whole `main`.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
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
            Command::Run(_) | Command::Check(_) | Command::Replay(_) | Command::Ask(_) => true,
            Command::Models(args) => args.loads_models(),
            _ => false,
        }
    }

    fn run(self) -> Result<(), Failure> {
        match self {
            Command::Ask(args) => ask::run(&args),
            Command::Run(args) => run::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Config => config::run(),
            Command::Status(args) => status::run(&args),
            Command::Events(args) => events::run(&args),
            Command::Deliveries(args) => deliveries::run(&args),
            Command::Dlq(args) => dlq::run(args),
            Command::Jobs(args) => jobs::run(&args),
            Command::Snapshot(args) => snapshot::run(&args),
            Command::Endpoint(args) => endpoint::run(&args),
            Command::Monitor(args) => monitor::run(&args),
            Command::Replay(args) => replay::run(&args),
            Command::Models(args) => models::run(&args),
            Command::Verify(args) => verify::run(&args),
            Command::Keygen => keygen::run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_well_formed() {
        super::Cli::command().debug_assert();
    }
}
