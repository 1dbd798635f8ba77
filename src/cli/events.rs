//! `stakeout events`: what happened, and what happens.

mod show;

use std::io::{self, Write};
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
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
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
    /// Only events behind this `seq`, the oldest first
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
    /// At most N events, 1 to 1000 [default: the newest 100; all with --json or --after]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show one event, with all that it says
    Show(show::Args),
}

/// Events for a person who says nothing else.
const NEWEST: u32 = 100;

impl Args {
    fn query(&self, after: Option<i64>, limit: u32) -> EventQuery {
        EventQuery { after, limit: Some(limit), monitor: self.monitor.clone(), kind: None }
    }

    /// Whether every event is asked for, page after page.
    fn wants_all(&self) -> bool {
        self.limit.is_none() && (self.json || self.after.is_some())
    }

    fn print(&self, events: &[EventLine]) -> io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
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
    if let Some(Command::Show(one)) = &args.command {
        return show::run(one);
    }
    let config = args.file.load()?.config;
    let records = Records::open(&config)?;
    let last = list(args, &records)?;
    if args.follow {
        return follow(args, &config, last.or(args.after).unwrap_or(0), records.are_live());
    }
    if last.is_none() {
        print::say("no events yet");
    }
    Ok(())
}

/// Prints what there is; the `seq` of the last one.
fn list(args: &Args, records: &Records) -> Result<Option<i64>, Failure> {
    let all = args.wants_all();
    // Without an `after` the answer would be the newest ones.
    let mut after = if all { args.after.or(Some(0)) } else { args.after };
    let limit = args.limit.unwrap_or(if all { PAGE } else { NEWEST });
    let mut last = None;
    loop {
        let Page { items, next } = records.events(&args.query(after, limit))?;
        args.print(&items)?;
        last = items.last().map(|event| event.seq).or(last);
        match next.filter(|_| all) {
            Some(next) => after = Some(next),
            None => return Ok(last),
        }
    }
}

/// Asks for what came since, until nobody reads it any more. The daemon may come and go.
fn follow(args: &Args, config: &Config, mut after: i64, mut live: bool) -> Result<(), Failure> {
    let client = Client::new(&config.api.socket)?;
    loop {
        let page: Page<EventLine> = match client.get("/v1/events", &args.query(Some(after), PAGE)) {
            Ok(page) => page,
            Err(ClientError::Unreachable(unreachable)) if !unreachable.denied() => {
                if std::mem::replace(&mut live, false) {
                    print::say(&format!("note: {unreachable}; waiting for it"));
                }
                if print::reader_leaves_within(PAUSE) {
                    return Ok(());
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if !std::mem::replace(&mut live, true) {
            print::say("note: the daemon is back");
        }
        args.print(&page.items)?;
        after = page.items.last().map_or(after, |event| event.seq);
        if page.next.is_none() && print::reader_leaves_within(PAUSE) {
            return Ok(());
        }
    }
}

fn table(events: &[EventLine]) -> Table<7> {
    let now = now().wall;
    let mut table = Table::new(["when", "type", "monitor", "camera", "why", "deliveries", "id"]);
    for event in events {
        table.row([
            print::ago(event.observed_at.0, now).into(),
            event.kind.as_str().into(),
            name(event.monitor.as_ref()).into(),
            name(event.camera.as_ref()).into(),
            why(event).into(),
            Cell::tinted(deliveries(event), worst(&event.deliveries)),
            event.id.into(),
        ]);
    }
    table
}

/// Columns can't be aligned with what has not happened yet.
fn in_one_line(event: &EventLine) -> String {
    let EventLine { observed_at, kind, id, .. } = event;
    let place = match (&event.monitor, &event.camera) {
        (Some(monitor), Some(camera)) => format!("{monitor} on {camera}"),
        (None, Some(camera)) => format!("camera {camera}"),
        (_, None) => "this box".to_owned(),
    };
    let why = why(event);
    let shadow = shadow(event).map(|shadow| format!("  {shadow}")).unwrap_or_default();
    format!("{observed_at}  {kind:<17}  {place}  {why:>4}  {id}{shadow}")
}

/// Events of the whole box have neither monitor nor camera.
fn name(name: Option<&Name>) -> &str {
    name.map_or("", Name::as_str)
}

/// How sure it was, or why a camera was away.
fn why(event: &EventLine) -> String {
    match (event.confidence, &event.cause) {
        (Some(confidence), _) => format!("{confidence:.2}"),
        (None, Some(cause)) => print::one_line(cause),
        (None, None) => String::new(),
    }
}

fn deliveries(event: &EventLine) -> String {
    if let Some(shadow) = shadow(event) {
        return shadow;
    }
    let brief = |delivery: &DeliveryBriefLine| format!("{} {}", delivery.endpoint, delivery.state);
    event.deliveries.iter().map(brief).collect::<Vec<_>>().join(", ")
}

/// Who would have been told, of a monitor that only rehearses.
fn shadow(event: &EventLine) -> Option<String> {
    let names: Vec<&str> = event.shadow.as_ref()?.iter().map(Name::as_str).collect();
    Some(format!("shadow: {}", if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn event(more: serde_json::Value) -> EventLine {
        let mut line = serde_json::json!({
            "seq": 1, "id": "00000000-0000-0000-0000-000000000001", "type": "monitor.triggered",
            "observed_at": "2026-01-26T10:35:00.120Z", "camera": "yard", "monitor": null, "job_id": null,
            "confidence": null, "deliveries": [],
        });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn a_line_says_how_sure_it_was_or_why_a_camera_was_away() {
        let line = |more| in_one_line(&event(more));
        let id = "00000000-0000-0000-0000-000000000001";
        let at = "2026-01-26T10:35:00.120Z";
        assert_eq!(
            line(serde_json::json!({"type": "camera.offline", "cause": "stalled"})),
            format!("{at}  camera.offline     camera yard  stalled  {id}")
        );
        assert_eq!(
            line(serde_json::json!({"monitor": "person", "confidence": 0.91})),
            format!("{at}  monitor.triggered  person on yard  0.91  {id}")
        );
        assert_eq!(
            line(serde_json::json!({"type": "journal.reset", "camera": null})),
            format!("{at}  journal.reset      this box        {id}")
        );
        let mut out = Vec::new();
        table(&[event(serde_json::json!({"type": "camera.offline", "cause": "no\nroute"}))])
            .print(&mut out, false)
            .unwrap();
        assert!(String::from_utf8(out).unwrap().contains("no route"));
    }
}
