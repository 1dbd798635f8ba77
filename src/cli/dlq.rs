//! `stakeout dlq`: dead letters, looked at, sent again or dropped.

use std::io::{self, Write};

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use uuid::Uuid;

use super::client::{Client, ClientError};
use super::deliveries::print_all;
use super::exit::Failure;
use super::print::{self, Cell, Table, Tint};
use super::records::Records;
use super::settings::ConfigFile;
use super::shown::{self, One};
use super::which::Which;
use crate::api::{AttemptLine, DeadQuery, Deed, DeliveryDetail, DeliveryQuery, Dropped, Redriven, why_unchanged};
use crate::config::Config;
use crate::delivery::{DeadReason, State};
use crate::journal::{Journal, Keep, Reader};
use crate::time::now;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List dead letters
    List(List),
    /// Show a delivery with all its attempts
    Show(One),
    /// Send dead letters again: same id, same body, a fresh schedule
    Retry(Order),
    /// Drop dead letters: no longer listed, kept until `keep_dead` is over
    Drop(Order),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    which: Dead,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true)
    .args(["ids", "all", "state", "reason", "endpoint", "since", "until"]))]
struct Order {
    /// Ids of deliveries; only by its id comes back what was dropped
    #[arg(value_name = "ID", conflicts_with_all = ["all", "state", "reason", "endpoint", "since", "until"])]
    ids: Vec<Uuid>,
    /// All dead letters
    #[arg(long, conflicts_with_all = ["state", "reason", "endpoint", "since", "until"])]
    all: bool,
    #[command(flatten)]
    which: Dead,
    #[command(flatten)]
    file: ConfigFile,
}

/// All conditions must hold.
#[derive(clap::Args)]
struct Dead {
    /// Only those in this state
    #[arg(long, value_parser = PossibleValuesParser::new(DEAD))]
    state: Option<String>,
    /// Only those that are dead for this reason
    #[arg(long, value_parser = PossibleValuesParser::new(REASONS))]
    reason: Option<String>,
    #[command(flatten)]
    which: Which,
}

/// Why a dead letter that nobody dropped is dead.
const REASONS: [&str; 5] = [
    DeadReason::Exhausted.as_str(),
    DeadReason::Rejected.as_str(),
    DeadReason::TooLarge.as_str(),
    DeadReason::Config.as_str(),
    DeadReason::Poison.as_str(),
];

/// The states of dead letters.
const DEAD: [&str; 4] =
    [State::Dead.as_str(), State::Expired.as_str(), State::DroppedQuota.as_str(), State::SkippedGone.as_str()];

impl Order {
    /// One query for each id; one for the rest.
    fn queries(self) -> Vec<DeadQuery> {
        let DeliveryQuery { state, reason, endpoint, since, until, .. } = self.which.query();
        if self.ids.is_empty() {
            return vec![DeadQuery { id: None, state, reason, endpoint, since, until, after: None }];
        }
        self.ids.into_iter().map(DeadQuery::one).collect()
    }
}

impl Dead {
    fn query(&self) -> DeliveryQuery {
        self.which.query(self.state.as_ref(), self.reason.as_ref())
    }
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::List(args) => list(&args),
        Command::Show(args) => show(&args),
        Command::Retry(order) => obey(order, Deed::Retry),
        Command::Drop(order) => obey(order, Deed::Drop),
    }
}

fn list(args: &List) -> Result<(), Failure> {
    let config = args.file.load()?.config;
    let records = Records::open(&config)?;
    if !print_all(args.which.query(), args.json, |query| records.dead_letters(query))? {
        args.which.which.means_something(&config)?;
        print::say("no dead letters");
    }
    Ok(())
}

fn show(args: &One) -> Result<(), Failure> {
    let delivery = Records::open(&args.file.load()?.config)?.delivery(args.id)?;
    Ok(shown::one(&delivery, args.json, describe)?)
}

fn describe(delivery: &DeliveryDetail, out: &mut dyn Write) -> io::Result<()> {
    let now = now().wall;
    let line = &delivery.line;
    let reason = line.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    writeln!(out, "delivery  {}", line.id)?;
    writeln!(out, "event     {} (seq {})", line.event_id, delivery.event_seq)?;
    writeln!(out, "endpoint  {} (sequence {})", line.endpoint, line.sequence)?;
    writeln!(out, "state     {}{reason}", line.state)?;
    writeln!(out, "accepted  {} ({})", delivery.accepted_at, print::ago(delivery.accepted_at.0, now))?;
    if let Some(due) = line.due_at {
        writeln!(out, "due       {due} ({})", print::ahead(due.0, now))?;
    }
    if let Some(ended) = delivery.ended_at {
        writeln!(out, "ended     {ended} ({})", print::ago(ended.0, now))?;
    }
    writeln!(out, "attempts  {} ({} requests sent, re-driven {} times)", line.attempts, line.tries, delivery.redriven)?;
    if delivery.maybe_received {
        writeln!(out, "note      an earlier request may have arrived although no answer was seen")?;
    }
    let attempts = attempts(&delivery.attempt_log);
    if !attempts.is_empty() {
        writeln!(out)?;
        attempts.print(out, print::colour_on_stdout())?;
    }
    Ok(())
}

fn attempts(log: &[AttemptLine]) -> Table<5> {
    let mut table = Table::new(["started", "took", "outcome", "status", "answer"]);
    for attempt in log {
        let answer = attempt.error.as_deref().or(attempt.snippet.as_deref()).unwrap_or_default();
        table.row([
            attempt.started_at.into(),
            format!("{} ms", attempt.took_ms).into(),
            attempt.outcome.as_str().into(),
            attempt.status.map_or_else(String::new, |status| status.to_string()).into(),
            Cell::tinted(answer, Tint::Faint),
        ]);
    }
    table
}

/// Through the daemon or, when it is down, by the journal itself.
fn obey(order: Order, deed: Deed) -> Result<(), Failure> {
    let config = order.file.load()?.config;
    let which = order.which.which.clone();
    let queries = order.queries();
    let client = Client::new(&config.api.socket)?;
    let done = match client.probe() {
        Ok(()) => ask(&client, queries, deed)?,
        Err(unreachable) if unreachable.denied() => return Err(ClientError::Unreachable(unreachable).into()),
        Err(unreachable) => {
            print::say(&format!("note: {unreachable}; the journal is changed directly"));
            write(&config, queries, deed)?
        }
    };
    let Done { changed: done, without_body, without_endpoint } = done;
    if done + without_body + without_endpoint == 0 {
        which.means_something(&config)?;
    }
    if without_body > 0 {
        print::say(&format!("note: {without_body} can't be sent again: their bodies had to make room"));
    }
    if without_endpoint > 0 {
        print::say(&format!("note: {without_endpoint} stay dead letters: their endpoints are no more"));
    }
    let letters = if done == 1 { "1 dead letter".to_owned() } else { format!("{done} dead letters") };
    match deed {
        Deed::Retry => writeln!(io::stdout(), "sent {letters} back into the queue")?,
        Deed::Drop => writeln!(io::stdout(), "dropped {letters}")?,
    }
    Ok(())
}

/// What came of an order.
#[derive(Default)]
struct Done {
    changed: u64,
    /// Meant, but not to be sent again.
    without_body: u64,
    /// Meant, but for endpoints that are no more.
    without_endpoint: u64,
}

/// An order about very many is given again until nothing is left.
fn ask(client: &Client, queries: Vec<DeadQuery>, deed: Deed) -> Result<Done, Failure> {
    let mut done = Done::default();
    for mut query in queries {
        loop {
            let base = query.id.map_or_else(|| "/v1/dlq".to_owned(), |id| format!("/v1/deliveries/{id}"));
            query.after = match deed {
                Deed::Retry => {
                    let answer: Redriven = client.post(&format!("{base}/retry"), &query)?;
                    done.changed += answer.retried;
                    done.without_body += answer.without_body;
                    done.without_endpoint += answer.without_endpoint;
                    answer.next
                }
                Deed::Drop => {
                    let answer: Dropped = client.post(&format!("{base}/drop"), &query)?;
                    done.changed += answer.dropped;
                    answer.next
                }
            };
            if query.after.is_none() {
                break;
            }
        }
    }
    Ok(done)
}

/// The lock keeps a daemon from starting meanwhile.
fn write(config: &Config, queries: Vec<DeadQuery>, deed: Deed) -> Result<Done, Failure> {
    let storage = &config.storage;
    let keep = Keep { delivered: storage.keep_delivered, dead: storage.keep_dead, max_size: storage.max_size };
    let journal = Journal::open_for_repair(&storage.path, keep)?;
    let reader = journal.reader()?;
    let mut done = Done::default();
    for query in queries {
        let before = done.changed;
        write_one(&journal, &reader, query.clone(), deed, &mut done)?;
        if let (true, Some(id)) = (done.changed == before, query.id) {
            return Err(unchanged(&reader, id));
        }
    }
    journal.close()?;
    Ok(done)
}

fn write_one(
    journal: &Journal,
    reader: &Reader,
    mut query: DeadQuery,
    deed: Deed,
    done: &mut Done,
) -> Result<(), Failure> {
    let writer = journal.writer();
    loop {
        let (ids, next) = query.batch(reader).map_err(ClientError::Refused)?;
        let replies: Vec<_> = ids.into_iter().map(|id| deed.order(&writer, id)).collect();
        for reply in replies {
            let changed = reply.wait()?;
            done.changed += changed;
            done.without_body += 1 - changed.min(1);
        }
        query.after = next;
        if next.is_none() {
            return Ok(());
        }
    }
}

fn unchanged(reader: &Reader, id: Uuid) -> Failure {
    match reader.delivery(id) {
        Ok(Some((row, _))) => ClientError::Refused(why_unchanged(id, row.standing.state.as_str())).into(),
        Ok(None) => crate::journal::Error::NoSuchDelivery(id).into(),
        Err(error) => error.into(),
    }
}
