//! `stakeout events`: what happened, and what happens.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use super::client::{Client, ClientError};
use super::exit::Failure;
use super::print::{self, Cell, Table, Tint};
use super::records::{PAGE, Records};
use super::settings::ConfigFile;
use crate::api::{DeliveryBriefLine, EventLine, EventQuery, Page};
use crate::config::Config;
use crate::delivery::State;
use crate::name::Name;
use crate::time::now;

/// Between two looks while following.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Go on with events as they happen, across restarts of the daemon
    #[arg(short, long)]
    follow: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
    /// Only events of this monitor
    #[arg(long, value_name = "NAME", value_parser = Name::new)]
    monitor: Option<Name>,
    /// The newest N events, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

impl Args {
    fn query(&self, after: Option<i64>, limit: u32) -> EventQuery {
        EventQuery { after, limit: Some(limit), monitor: self.monitor.clone(), kind: None }
    }

    fn print(&self, events: &[EventLine]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            events.iter().try_for_each(|event| print::json_line(&mut out, event))?;
        } else if self.follow {
            events.iter().try_for_each(|event| writeln!(out, "{}", in_one_line(event)))?;
        } else {
            table(events).print(&mut out, print::colour_on_stdout())?;
        }
        out.flush()
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.file.load()?.config;
    let records = Records::open(&config)?;
    let newest = records.events(&args.query(None, args.limit))?.items;
    if newest.is_empty() && !args.follow {
        print::say("no events yet");
        return Ok(());
    }
    args.print(&newest)?;
    if args.follow {
        return follow(args, &config, newest.last().map_or(0, |event| event.seq), records.are_live());
    }
    Ok(())
}

/// Asks for what came since, for ever. The daemon may come and go.
fn follow(args: &Args, config: &Config, mut after: i64, mut live: bool) -> Result<(), Failure> {
    let client = Client::new(&config.api.socket)?;
    loop {
        let page: Page<EventLine> = match client.get("/v1/events", &args.query(Some(after), PAGE)) {
            Ok(page) => page,
            Err(ClientError::Unreachable(unreachable)) if !unreachable.denied() => {
                if std::mem::replace(&mut live, false) {
                    print::say(&format!("note: {unreachable}; waiting for it"));
                }
                thread::park_timeout(PAUSE);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if !std::mem::replace(&mut live, true) {
            print::say("note: the daemon is back");
        }
        args.print(&page.items)?;
        after = page.items.last().map_or(after, |event| event.seq);
        if page.next.is_none() {
            thread::park_timeout(PAUSE);
        }
    }
}

fn table(events: &[EventLine]) -> Table<7> {
    let now = now().wall;
    let mut table = Table::new(["when", "type", "monitor", "camera", "confidence", "deliveries", "id"]);
    for event in events {
        table.row([
            print::ago(event.observed_at.0, now).into(),
            event.kind.as_str().into(),
            event.monitor.as_str().into(),
            event.camera.as_str().into(),
            confidence(event).into(),
            Cell::tinted(deliveries(event), worst(&event.deliveries)),
            event.id.into(),
        ]);
    }
    table
}

/// Columns can't be aligned with what has not happened yet.
fn in_one_line(event: &EventLine) -> String {
    let EventLine { observed_at, kind, monitor, camera, id, .. } = event;
    let confidence = confidence(event);
    format!("{observed_at}  {kind:<17}  {monitor} on {camera}  {confidence:>4}  {id}")
}

fn confidence(event: &EventLine) -> String {
    event.confidence.map_or_else(String::new, |confidence| format!("{confidence:.2}"))
}

fn deliveries(event: &EventLine) -> String {
    let brief = |delivery: &DeliveryBriefLine| format!("{} {}", delivery.endpoint, delivery.state);
    event.deliveries.iter().map(brief).collect::<Vec<_>>().join(", ")
}

fn worst(deliveries: &[DeliveryBriefLine]) -> Tint {
    let tints = deliveries.iter().map(|delivery| tint(&delivery.state));
    tints
        .max_by_key(|tint| [Tint::Good, Tint::Plain, Tint::Odd, Tint::Bad].iter().position(|known| known == tint))
        .unwrap_or(Tint::Plain)
}

/// What a delivery's state means to a person.
pub(super) fn tint(state: &str) -> Tint {
    match State::parse(state) {
        Some(State::Delivered) => Tint::Good,
        Some(State::Pending) | None => Tint::Plain,
        Some(State::RetryWait | State::Held) => Tint::Odd,
        Some(State::Dead | State::Expired | State::DroppedQuota | State::SkippedGone) => Tint::Bad,
    }
}
