//! `stakeout status`: the box on one screen.
//!
//! Owns the command and its tables; refuses to know how they become a page (`page`) and how that stays in place (`live`).

mod live;
mod overview;
mod page;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::client::{Client, ClientError};
use super::exit::Failure;
use super::line::Line;
use super::print::{self, Cell, Table, Tint};
use super::settings::ConfigFile;
use crate::api::{Camera, CameraState, Endpoint, Model, ModelState, Monitor, MonitorState, Status};
use crate::journal::Origin;
use page::{Page, Room, Row, Section};

/// Between two looks with `--watch`.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show it anew every second, in place on a terminal, across restarts of the daemon
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = Client::new(&args.file.load()?.config.api.socket)?;
    let first = look(&client)?;
    if args.watch && !args.json && live::is_possible() {
        return live::watch(client, first);
    }
    show(args, &first)?;
    if !args.watch {
        return Ok(());
    }
    let mut live = true;
    while !print::reader_leaves_within(PAUSE) {
        match look(&client) {
            Ok(status) => {
                live = true;
                show(args, &status)?;
            }
            Err(ClientError::Unreachable(unreachable)) if !unreachable.denied() => {
                if std::mem::replace(&mut live, false) {
                    print::say(&format!("note: {unreachable}; waiting for it"));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn look(client: &Client) -> Result<Status, ClientError> {
    client.get("/v1/status", &())
}

fn show(args: &Args, status: &Status) -> io::Result<()> {
    let mut out = Vec::new();
    if args.json {
        print::json_line(&mut out, status)?;
    } else {
        let colour = print::colour_on_stdout();
        // Whoever does not watch can scroll.
        let room = Room { rows: None, ..live::room() };
        for line in page(status, None, room) {
            writeln!(out, "{}", line.written(colour))?;
        }
        if args.watch {
            writeln!(out)?;
        }
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(&out)?;
    stdout.flush()
}

/// The page, cut to `room`; `note`: why it is not the latest.
fn page(status: &Status, note: Option<&str>, room: Room) -> Vec<Line> {
    let columns = room.columns;
    let sections = vec![
        section(
            "cameras",
            &cameras(&status.cameras),
            columns,
            &["decoder", "reconnects", "decode", "fps", "last frame"],
        ),
        section(
            "monitors",
            &monitors(&status.monitors),
            columns,
            &["model", "triggers", "checks", "confidence", "camera"],
        ),
        section("models", &models(&status.models), columns, &["loaded", "mean", "runs", "runs on"]),
        section(
            "endpoints",
            &endpoints(&status.endpoints),
            columns,
            &["p95", "success", "delivered 24 h", "oldest", "held"],
        ),
    ];
    Page::new(status, note, sections, room).lines(room)
}

fn section<const N: usize>(what: &'static str, table: &Table<N>, columns: Option<usize>, spare: &[&str]) -> Section {
    let (head, rows) = table.lines(columns, spare);
    Section { what, head, rows: rows.into_iter().map(|(line, tint)| Row { line, tint }).collect() }
}

fn cameras(cameras: &[Camera]) -> Table<8> {
    let mut table = Table::new(["camera", "state", "fps", "decode", "decoder", "last frame", "reconnects", "notes"]);
    for camera in cameras {
        let tint = match camera.state {
            CameraState::Online => Tint::Good,
            CameraState::Connecting | CameraState::Ended => Tint::Odd,
            CameraState::Offline => Tint::Bad,
        };
        let age = camera.last_frame_age_s.map_or_else(|| "never".to_owned(), |age| format!("{age:.1} s ago"));
        table.row([
            camera.name.as_str().into(),
            Cell::tinted(camera.state, tint),
            if_it_comes(camera, format!("{:.1}", camera.fps)).into(),
            if_it_comes(camera, decode(camera)).into(),
            decoder(camera),
            age.into(),
            camera.reconnects.into(),
            why(camera).into(),
        ]);
    }
    table
}

/// Of a camera without pictures nothing is decoded, whatever was.
fn if_it_comes(camera: &Camera, text: String) -> String {
    if camera.state == CameraState::Online { text } else { String::new() }
}

/// Why none come, without what to do about it: a warning says that. Otherwise why so much is decoded.
fn why(camera: &Camera) -> &str {
    match (&camera.cause, camera.state) {
        (Some(cause), _) => cause.split_once("; ").map_or(cause, |(what, _)| what),
        (None, CameraState::Online) => &camera.decode_why,
        (None, _) => "",
    }
}

/// What is decoded, and the share of packets that were, since the start.
fn decode(camera: &Camera) -> String {
    match camera.packets {
        0 => camera.decode.clone(),
        packets => format!("{} ({:.0} %)", camera.decode, camera.packets_decoded as f64 * 100.0 / packets as f64),
    }
}

fn decoder(camera: &Camera) -> Cell {
    let tint = if camera.degraded.is_some() { Tint::Odd } else { Tint::Plain };
    Cell::tinted(if_it_comes(camera, camera.decoder.clone().unwrap_or_default()), tint)
}

fn monitors(monitors: &[Monitor]) -> Table<8> {
    let mut table = Table::new(["monitor", "camera", "model", "state", "confidence", "checks", "triggers", "notes"]);
    for monitor in monitors {
        let tint = match monitor.state {
            MonitorState::Open => Tint::Bad,
            MonitorState::Waiting => Tint::Odd,
            MonitorState::Idle => Tint::Good,
            MonitorState::Stopped | MonitorState::Disabled => Tint::Faint,
        };
        table.row([
            monitor.name.as_str().into(),
            monitor.camera.as_str().into(),
            monitor.model.as_str().into(),
            Cell::tinted(monitor.state, tint),
            monitor.last_confidence.map_or_else(String::new, |confidence| format!("{confidence:.2}")).into(),
            monitor.checks.into(),
            monitor.triggers.into(),
            notes(monitor).into(),
        ]);
    }
    table
}

fn models(models: &[Model]) -> Table<7> {
    let mut table = Table::new(["model", "state", "runs on", "loaded", "runs", "mean", "notes"]);
    for model in models {
        let tint = if model.state == ModelState::Ready { Tint::Good } else { Tint::Bad };
        let notes = match (&model.cause, model.reloads) {
            (Some(cause), _) => cause.clone(),
            (None, 0) => String::new(),
            (None, reloads) => format!("loaded again {reloads} times, {} hangs", model.hangs),
        };
        table.row([
            model.name.as_str().into(),
            Cell::tinted(model.state, tint),
            model.provider.as_str().into(),
            model.rung.as_str().into(),
            model.runs.into(),
            format!("{:.1} ms", model.mean_ms).into(),
            notes.into(),
        ]);
    }
    table
}

fn notes(monitor: &Monitor) -> String {
    let mut notes = String::new();
    if monitor.cooldown_left_s > 0.0 {
        let _ = write!(notes, "cooldown {:.0} s  ", monitor.cooldown_left_s.ceil());
    }
    if monitor.verdict_errors > 0 {
        let _ = write!(notes, "{} checks failed  ", monitor.verdict_errors);
    }
    if monitor.spared > 0 {
        let _ = write!(notes, "{} checks spared the model  ", monitor.spared);
    }
    if let Some(job) = monitor.job.as_ref().filter(|_| monitor.state == MonitorState::Stopped) {
        let reason = job.reason.map_or("", |reason| reason.as_str());
        let _ = write!(notes, "job {} {reason}  ", job.status.as_str());
    }
    if let Some(shadow) = monitor.shadow {
        let _ = write!(notes, "shadow: {} would have been sent in 24 h  ", shadow.withheld_24h);
    }
    if monitor.origin == Origin::Api {
        notes.push_str("made over the API  ");
    }
    if monitor.alerts > 0 {
        let _ = write!(notes, "alerts over the API: {}  ", monitor.alerts);
    }
    if monitor.switched {
        let switched = if monitor.state == MonitorState::Disabled { "disabled" } else { "enabled" };
        let _ = write!(notes, "{switched} by hand");
    }
    notes.trim_end().to_owned()
}

fn endpoints(endpoints: &[Endpoint]) -> Table<9> {
    let mut table =
        Table::new(["endpoint", "pending", "held", "oldest", "dead", "delivered 24 h", "success", "p95", "last error"]);
    for endpoint in endpoints {
        let takes_nothing = endpoint.pending > 0 && endpoint.delivered_24h == 0 && endpoint.last_error.is_some();
        let measured = |figure: String| if has_figures(endpoint) { figure } else { "-".to_owned() };
        table.row([
            endpoint.name.as_str().into(),
            Cell::tinted(endpoint.pending, if takes_nothing { Tint::Odd } else { Tint::Plain }),
            Cell::tinted(endpoint.held, if endpoint.held > 0 { Tint::Odd } else { Tint::Plain }),
            oldest(endpoint).into(),
            Cell::tinted(endpoint.dead, if endpoint.dead > 0 { Tint::Bad } else { Tint::Plain }),
            endpoint.delivered_24h.into(),
            measured(format!("{:.0} %", (endpoint.success_rate * 100.0).floor())).into(),
            measured(format!("{:.0} ms", endpoint.p95_latency_ms)).into(),
            Cell::tinted(endpoint.last_error.as_deref().unwrap_or_default(), Tint::Faint),
        ]);
    }
    table
}

/// Whether any delivery ended in the last 24 h: the contract's figures without one are 1 and 0.
fn has_figures(endpoint: &Endpoint) -> bool {
    endpoint.delivered_24h > 0 || endpoint.success_rate < 1.0
}

/// How long the oldest that is owed has waited.
fn oldest(endpoint: &Endpoint) -> String {
    let age = endpoint.statistics.oldest_pending_age_s.and_then(|age| Duration::try_from_secs_f64(age).ok());
    age.map(print::span).unwrap_or_default()
}
