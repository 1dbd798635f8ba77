//! `stakeout models`: what models there are, getting one, and finding out what one is worth.
//!
//! Owns the words of the commands; refuses to know what they do.

mod bench;
mod calibrate;
mod check;
mod labelled;
mod list;
mod pull;
mod reliability;
pub(super) mod tried;

use clap::Subcommand;

use super::exit::Failure;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the models that are here, and those that can be downloaded
    List(list::Args),
    /// Download a model of the catalogue, or the files that a model's folder lacks
    Pull(pull::Args),
    /// Check that a model is whole, loads and answers
    Check(check::Args),
    /// Measure how long a model takes, step by step, and what further conditions cost
    Bench(bench::Args),
    /// Fit a model's confidence to labelled pictures, and show how far it is to be trusted
    Calibrate(calibrate::Args),
}

impl Args {
    /// Whether ONNX Runtime will be loaded.
    pub(super) fn loads_models(&self) -> bool {
        !matches!(self.command, Command::List(_) | Command::Pull(_))
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List(args) => list::run(args),
        Command::Pull(args) => pull::run(args),
        Command::Check(args) => check::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Calibrate(args) => calibrate::run(args),
    }
}
