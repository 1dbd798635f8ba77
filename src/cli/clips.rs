//! `stakeout clips`: what was recorded of alerts; how to see it, save it, and be rid of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use uuid::Uuid;

use super::client::Client;
use super::exit::Failure;
use super::print::{self, Cell, Table, Tint};
use super::records::Records;
use super::settings::ConfigFile;
use super::shown::{self, One};
use crate::api::{ClipLine, ClipQuery};
use crate::journal::{ClipState, clip_hash};
use crate::name::Name;
use crate::time::now;

const DELETE_HELP: &str = "\
What was recorded is gone for good, and its links open nothing any more; events and what is owed
because of them stay.";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List clips, the newest first
    List(List),
    /// Show one clip, and the links that open it
    Show(One),
    /// Save a clip as a file
    Export(Export),
    /// Delete what was recorded
    #[command(after_help = DELETE_HELP)]
    Delete(One),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// Only clips of this camera
    #[arg(long, value_name = "NAME", value_parser = Name::new)]
    camera: Option<Name>,
    /// Only clips in this state
    #[arg(long, value_parser = state_parser())]
    state: Option<ClipState>,
    /// At most N clips, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Export {
    /// Its id, as `list` shows it
    id: Uuid,
    #[command(flatten)]
    file: ConfigFile,
    /// Where to save it [default: ID.mp4]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn state_parser() -> impl TypedValueParser<Value = ClipState> {
    PossibleValuesParser::new(ClipState::ALL.map(ClipState::as_str))
        .try_map(|text| ClipState::parse(&text).ok_or("it is none of the states"))
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Show(args) => show(args),
        Command::Export(args) => {
            let to = args.output.clone().unwrap_or_else(|| format!("{}.mp4", args.id).into());
            export(&Records::open(&args.file.load()?.config)?, args.id, &to)
        }
        Command::Delete(args) => delete(args),
    }
}

fn list(args: &List) -> Result<(), Failure> {
    let records = Records::open(&args.file.load()?.config)?;
    let state = args.state.map(|state| state.as_str().to_owned());
    let query = ClipQuery { camera: args.camera.clone(), state, before: None, limit: args.limit };
    let clips = records.clips(&query)?.clips;
    if clips.is_empty() {
        print::say("no such clips");
    }
    Ok(shown::many(&clips, args.json, table)?)
}

fn show(args: &One) -> Result<(), Failure> {
    let clip = Records::open(&args.file.load()?.config)?.clip(args.id)?;
    Ok(shown::one(&clip, args.json, |clip, out| facts(clip).print_rows(out, print::colour_on_stdout()))?)
}

/// Saves what there is of a clip as `to`, which is not there before it is whole.
pub(super) fn export(records: &Records, clip: Uuid, to: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::plain(format_args!("`{}` can't be written: {error}", to.display()));
    let mut partial = to.as_os_str().to_owned();
    partial.push(".part");
    let saved = File::create(&partial).map_err(failed).and_then(|mut file| {
        records.save_clip(clip, &mut file)?;
        verify(&records.clip(clip)?, Path::new(&partial))?;
        file.sync_all().and_then(|()| std::fs::rename(&partial, to)).map_err(failed)
    });
    if saved.is_err() {
        // It may never have been made.
        let _ = std::fs::remove_file(&partial);
    }
    saved?;
    print::say(&format!("saved as `{}`", to.display()));
    Ok(())
}

/// Whether a file is what was recorded. Of one that is still being recorded nobody can say yet.
fn verify(clip: &ClipLine, saved: &Path) -> Result<(), Failure> {
    let Some(sha256) = &clip.sha256 else { return Ok(()) };
    let hash = File::open(saved).and_then(|file| clip_hash(&file)).map_err(Failure::plain)?;
    if hash == *sha256 {
        return Ok(());
    }
    let id = clip.id;
    let wrong = format_args!("the file of clip `{id}` is not what was recorded any more: its SHA-256 is another");
    Err(Failure::plain(wrong).hint("look after who else writes into `[storage] path`, and after the disk"))
}

fn delete(args: &One) -> Result<(), Failure> {
    let client = Client::new(&args.file.load()?.config.api.socket)?;
    let clip: ClipLine = client.delete(&format!("/v1/clips/{}", args.id))?;
    Ok(shown::one(&clip, args.json, |clip, out| writeln!(out, "clip `{}` is gone", clip.id))?)
}

fn table(clips: &[ClipLine]) -> Table<7> {
    let now = now().wall;
    let mut table = Table::new(["begun", "state", "camera", "lasts", "size", "alerts", "id"]);
    for clip in clips {
        table.row([
            print::ago(clip.asked_at.0, now).into(),
            state(clip),
            clip.camera.as_str().into(),
            lasts(clip).into(),
            print::size(clip.bytes).into(),
            clip.alerts.len().into(),
            clip.id.into(),
        ]);
    }
    table
}

fn facts(clip: &ClipLine) -> Table<2> {
    let mut table = Table::new(["", ""]);
    let mut fact = |what: &str, cell: Cell| table.row([what.into(), cell]);
    fact("clip", clip.id.into());
    fact("state", state(clip));
    fact("camera", clip.camera.as_str().into());
    fact("begun", clip.asked_at.into());
    if let Some(started) = clip.started_at {
        fact("first picture", started.into());
    }
    fact("lasts", lasts(clip).into());
    fact("size", print::size(clip.bytes).into());
    for (what, text) in
        [("sha256", &clip.sha256), ("page", &clip.player_url), ("stream", &clip.stream_url), ("file", &clip.file_url)]
    {
        if let Some(text) = text {
            fact(what, text.into());
        }
    }
    for alert in &clip.alerts {
        fact("alert", (*alert).into());
    }
    table
}

fn state(clip: &ClipLine) -> Cell {
    let tint = match clip.state.as_str() {
        "recording" => Tint::Good,
        "failed" => Tint::Bad,
        _ => Tint::Plain,
    };
    match &clip.why {
        Some(why) => Cell::tinted(format!("{} ({why})", clip.state), tint),
        None => Cell::tinted(&clip.state, tint),
    }
}

fn lasts(clip: &ClipLine) -> String {
    clip.duration_s.map_or_else(|| "-".to_owned(), |seconds| print::span(Duration::from_secs_f64(seconds.max(0.0))))
}
