//! `stakeout deliveries`: what is owed to endpoints, and what became of it.

use clap::builder::PossibleValuesParser;

use super::events::tint;
use super::exit::Failure;
use super::print::{self, Cell, Table, Tint};
use super::records::{PAGE, Records};
use super::settings::ConfigFile;
use super::shown;
use super::which::Which;
use crate::api::{DeliveryLine, DeliveryQuery, Page, reasons, states};
use crate::time::now;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Only those in this state; owed: all that are not over
    #[arg(long, value_parser = PossibleValuesParser::new(states()))]
    state: Option<String>,
    /// Only those held or dead for this reason
    #[arg(long, value_parser = PossibleValuesParser::new(reasons()))]
    reason: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.file.load()?.config;
    let records = Records::open(&config)?;
    if !print_all(args.which.query(args.state.as_ref(), args.reason.as_ref()), args.json, |query| {
        records.deliveries(query)
    })? {
        args.which.means_something(&config)?;
        print::say("no such deliveries");
    }
    Ok(())
}

/// Prints page after page, so that a million rows need no memory. False when there is nothing to print.
pub(super) fn print_all(
    mut query: DeliveryQuery,
    json: bool,
    ask: impl Fn(&DeliveryQuery) -> Result<Page<DeliveryLine>, Failure>,
) -> Result<bool, Failure> {
    query.limit = Some(PAGE);
    loop {
        let Page { items, next } = ask(&query)?;
        shown::many(&items, json, table)?;
        let printed = query.after.is_some() || !items.is_empty();
        if next.is_none() {
            return Ok(printed);
        }
        query.after = next;
    }
}

fn table(lines: &[DeliveryLine]) -> Table<8> {
    let now = now().wall;
    let mut table = Table::new(["id", "endpoint", "sequence", "state", "attempts", "due", "status", "error"]);
    for line in lines {
        let state = match &line.reason {
            Some(reason) => format!("{} ({reason})", line.state),
            None => line.state.clone(),
        };
        table.row([
            line.id.into(),
            line.endpoint.as_str().into(),
            line.sequence.into(),
            Cell::tinted(state, tint(&line.state)),
            line.attempts.into(),
            line.due_at.map_or_else(String::new, |due| print::ahead(due.0, now)).into(),
            line.last_status.map_or_else(String::new, |status| status.to_string()).into(),
            Cell::tinted(line.last_error.as_deref().unwrap_or_default(), Tint::Faint),
        ]);
    }
    table
}
