//! `stakeout events show`: one event, and the clip that shows it.

use std::path::PathBuf;

use serde_json::Value;
use uuid::Uuid;

use super::super::clips;
use super::super::exit::Failure;
use super::super::print::{self, Cell, Table};
use super::super::records::Records;
use super::super::settings::ConfigFile;
use super::super::shown;
use super::{deliveries, name};
use crate::api::EventDetail;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Its id, as `stakeout events` shows it
    id: Uuid,
    #[command(flatten)]
    file: ConfigFile,
    /// Save the clip that shows it as FILE [default: it is only named]
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let records = Records::open(&args.file.load()?.config)?;
    let event = records.event(args.id)?;
    shown::one(&event, args.json, |event, out| facts(event).print_rows(out, print::colour_on_stdout()))?;
    match (&args.clip, event.clip) {
        (None, _) => Ok(()),
        (Some(to), Some(clip)) => clips::export(&records, clip, to),
        (Some(_), None) => Err(Failure::plain(format_args!("no clip shows event `{}`", args.id))
            .hint("only alerts of monitors with `clip` are recorded")),
    }
}

fn facts(event: &EventDetail) -> Table<2> {
    let mut table = Table::new(["", ""]);
    let mut fact = |what: &str, cell: Cell| table.row([what.into(), cell]);
    let line = &event.line;
    fact("event", line.id.into());
    fact("type", line.kind.as_str().into());
    fact("observed", line.observed_at.into());
    for (what, who) in [("monitor", &line.monitor), ("camera", &line.camera)] {
        if who.is_some() {
            fact(what, name(who.as_ref()).into());
        }
    }
    fact("priority", event.priority.as_str().into());
    if let Some(confidence) = line.confidence {
        fact("confidence", format!("{confidence:.2}").into());
    }
    for (what, said) in event.data.as_object().into_iter().flatten().filter(|(_, said)| !said.is_null()) {
        // What was found where, and other lists, are for scripts.
        let text = said.as_str().map_or_else(|| said.to_string(), print::one_line);
        if !matches!(said, Value::Array(_) | Value::Object(_)) && !text.is_empty() {
            fact(&what.replace('_', " "), text.into());
        }
    }
    if let Some(clip) = event.clip {
        fact("clip", clip.into());
    }
    fact("deliveries", deliveries(line).into());
    table
}
