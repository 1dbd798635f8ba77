//! `stakeout monitor`: enable or disable a monitor of the running daemon.

use std::io::{self, Write};

use clap::Subcommand;

use super::client::Client;
use super::exit::Failure;
use super::print;
use super::settings::ConfigFile;
use crate::api::Switched;
use crate::name::Name;

const HELP: &str = "\
It holds across restarts, whatever `enabled` says in the configuration; `stakeout status` shows the
difference. A monitor that is disabled ends its job and clears its open event; one that is enabled
begins a new job, also where its last one had come to its end by itself.";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Watch again: a new job begins
    #[command(after_help = HELP)]
    Enable(Which),
    /// Watch no more: the job ends
    #[command(after_help = HELP)]
    Disable(Which),
}

#[derive(clap::Args)]
struct Which {
    /// Name of the monitor
    #[arg(value_parser = Name::new)]
    name: Name,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (which, verb) = match &args.order {
        Order::Enable(which) => (which, "enable"),
        Order::Disable(which) => (which, "disable"),
    };
    let client = Client::new(&which.file.load()?.config.api.socket)?;
    let switched: Switched = client.post(&format!("/v1/monitors/{}/{verb}", which.name), &serde_json::json!({}))?;
    let mut out = io::stdout().lock();
    if which.json {
        print::json_line(&mut out, &switched)?;
    } else {
        let how = if switched.enabled { "enabled" } else { "disabled" };
        writeln!(out, "monitor `{}` is {how}", which.name)?;
        if switched.differs_from_file {
            print::say("the configuration says otherwise: this holds until it is switched back");
        }
    }
    Ok(out.flush()?)
}
