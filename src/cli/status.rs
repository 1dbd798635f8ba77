//! `stakeout status`: the box on one screen.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::client::{Client, ClientError};
use super::exit::Failure;
use super::print::{self, Cell, Table, Tint};
use super::settings::ConfigFile;
use crate::api::{Camera, CameraState, Clock, Endpoint, Library, Model, ModelState, Monitor, MonitorState, Status};
use crate::journal::Origin;

/// Between two looks with `--watch`.
const PAUSE: Duration = Duration::from_secs(1);

/// Clears the terminal and goes to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show it anew every second, across restarts of the daemon
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = Client::new(&args.file.load()?.config.api.socket)?;
    show(args, &look(&client)?)?;
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
    let stdout = io::stdout();
    let mut out = Vec::new();
    if args.json {
        print::json_line(&mut out, status)?;
    } else {
        if args.watch && stdout.is_terminal() {
            out.extend_from_slice(CLEAR.as_bytes());
        }
        screen(status, &mut out, print::colour_on_stdout())?;
    }
    let mut stdout = stdout.lock();
    stdout.write_all(&out)?;
    stdout.flush()
}

/// The whole screen: head, cameras, monitors, models, endpoints, warnings.
fn screen(status: &Status, out: &mut dyn Write, colour: bool) -> io::Result<()> {
    let Status { device, version, uptime_s, journal, .. } = status;
    let clock = match status.clock {
        Clock::Synced => "synced",
        Clock::Estimated => "not synced",
    };
    let up = print::span(Duration::from_secs(*uptime_s));
    writeln!(out, "{device}  stakeout {version}  up {up}  clock {clock}")?;
    let size = print::size(journal.bytes);
    writeln!(out, "journal  {} events, {size}, start number {}", journal.events, journal.generation)?;
    if let Some(Library { path, version }) = &status.onnxruntime {
        writeln!(out, "models   ONNX Runtime {version}, {path}")?;
    }
    print_table(&cameras(&status.cameras), out, colour)?;
    print_table(&monitors(&status.monitors), out, colour)?;
    print_table(&models(&status.models), out, colour)?;
    print_table(&endpoints(&status.endpoints), out, colour)?;
    for warning in &status.warnings {
        let (on, off) = if colour { ("\x1b[33m", "\x1b[0m") } else { ("", "") };
        writeln!(out, "\n{on}warning{off}: {}\n     do: {}", warning.what, warning.remedy)?;
    }
    Ok(())
}

fn print_table<const N: usize>(table: &Table<N>, out: &mut dyn Write, colour: bool) -> io::Result<()> {
    if table.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    table.print(out, colour)
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
            format!("{:.1}", camera.fps).into(),
            decode(camera).into(),
            decoder(camera),
            age.into(),
            camera.reconnects.into(),
            camera.cause.as_deref().unwrap_or(&camera.decode_why).into(),
        ]);
    }
    table
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
    Cell::tinted(camera.decoder.as_deref().unwrap_or_default(), tint)
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
        table.row([
            endpoint.name.as_str().into(),
            endpoint.pending.into(),
            Cell::tinted(endpoint.held, if endpoint.held > 0 { Tint::Odd } else { Tint::Plain }),
            oldest(endpoint).into(),
            Cell::tinted(endpoint.dead, if endpoint.dead > 0 { Tint::Bad } else { Tint::Plain }),
            endpoint.delivered_24h.into(),
            format!("{:.0} %", (endpoint.success_rate * 100.0).floor()).into(),
            format!("{:.0} ms", endpoint.p95_latency_ms).into(),
            Cell::tinted(endpoint.last_error.as_deref().unwrap_or_default(), Tint::Faint),
        ]);
    }
    table
}

/// How long the oldest that is owed has waited.
fn oldest(endpoint: &Endpoint) -> String {
    let age = endpoint.statistics.oldest_pending_age_s.and_then(|age| Duration::try_from_secs_f64(age).ok());
    age.map(print::span).unwrap_or_default()
}
