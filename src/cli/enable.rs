//! `stakeout endpoint enable`: an endpoint that said that it is gone is sent events again.

use std::io::{self, Write};

use super::client::Client;
use super::exit::Failure;
use super::print;
use super::settings::ConfigFile;
use crate::api::Enabled;
use crate::name::Name;

const HELP: &str = "\
An endpoint that answers 410 twice, a minute apart, is sent nothing more, and its events are skipped. Once it is
enabled it is sent new events; `stakeout dlq retry --endpoint NAME` also sends those that were skipped.
An endpoint with `enabled = false` in the configuration is enabled there.";

#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Name of the endpoint
    #[arg(value_parser = Name::new)]
    name: Name,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = Client::new(&args.file.load()?.config.api.socket)?;
    let enabled: Enabled = client.post(&format!("/v1/endpoints/{}/enable", args.name), &serde_json::json!({}))?;
    let mut out = io::stdout().lock();
    if args.json {
        print::json_line(&mut out, &enabled)?;
    } else if enabled.was_gone {
        writeln!(out, "endpoint `{}` is sent events again", args.name)?;
        print::say(&format!("what was skipped: `stakeout dlq retry --endpoint {}`", args.name));
    } else {
        writeln!(out, "endpoint `{}` was not gone", args.name)?;
    }
    Ok(out.flush()?)
}
