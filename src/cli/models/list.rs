//! `stakeout models list`: the models that are here and whether their files are right, and what can be downloaded.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::catalogue::{self, Described};
use crate::cli::exit::Failure;
use crate::cli::print::{self, Cell, Table, Tint};
use crate::cli::settings::ConfigFile;
use crate::config::Config;
use crate::model;
use crate::pull::{FileState, state_of};

#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// A line of `models list --json`.
#[derive(Serialize)]
struct Line {
    name: String,
    family: String,
    licence: String,
    /// In bytes on this disk; null for what isn't here, or not whole.
    size: Option<u64>,
    state: State,
    /// What is wrong with it, or what else is known.
    detail: String,
    /// Null for what isn't here.
    path: Option<PathBuf>,
}

/// Whether a model can be used.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// All of its files are those that its manifest means.
    Ok,
    /// A file is another one.
    HashMismatch,
    /// A file isn't there.
    MissingFile,
    /// Its manifest, or a file of it, can't be read.
    Unreadable,
    /// It isn't here, and can be downloaded.
    Catalogue,
}

impl State {
    fn words(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::HashMismatch => "hash mismatch",
            State::MissingFile => "missing file",
            State::Unreadable => "unreadable",
            State::Catalogue => "catalogue only",
        }
    }

    fn tint(self) -> Tint {
        match self {
            State::Ok => Tint::Good,
            State::HashMismatch | State::Unreadable => Tint::Bad,
            State::MissingFile => Tint::Odd,
            State::Catalogue => Tint::Faint,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.file.load_or_default()?.config;
    let mut lines: Vec<Line> = folders(&config).iter().map(|(name, path)| line(name, path)).collect();
    let here: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
    lines.extend(
        catalogue::entries()
            .iter()
            .filter(|entry| !here.iter().any(|name| *name == *entry.name.as_str()))
            .map(published),
    );
    let mut out = io::stdout().lock();
    if args.json {
        lines.iter().try_for_each(|line| print::json_line(&mut out, line))?;
        return Ok(out.flush()?);
    }
    let mut table = Table::new(["model", "family", "size", "licence", "state", ""]);
    for line in lines {
        let size = line.size.map(print::size).unwrap_or_default();
        let state = Cell::tinted(line.state.words(), line.state.tint());
        let detail = Cell::tinted(line.detail, Tint::Faint);
        table.row([line.name.into(), line.family.into(), size.into(), line.licence.into(), state, detail]);
    }
    table.print(&mut out, print::colour_on_stdout())?;
    Ok(out.flush()?)
}

/// The folders of the configuration first, under its names; then whatever is found, each name once, as a search would.
fn folders(config: &Config) -> Vec<(String, PathBuf)> {
    let mut folders: Vec<(String, PathBuf)> = Vec::new();
    for entry in &config.models {
        if let Some(path) = &entry.path {
            folders.push((entry.name.to_string(), path.value.clone()));
        }
    }
    for name in model::available(&config.storage.path) {
        let is_new = folders.iter().all(|(known, _)| known != name.as_str());
        if let Some(path) = model::place(&name, &config.storage.path).filter(|_| is_new) {
            folders.push((name.to_string(), path));
        }
    }
    folders.sort();
    folders
}

fn line(name: &str, path: &Path) -> Line {
    let wrong = |detail: String| Line {
        name: name.to_owned(),
        family: String::new(),
        licence: String::new(),
        size: None,
        state: State::Unreadable,
        detail,
        path: Some(path.to_owned()),
    };
    let text = match std::fs::read_to_string(path.join("manifest.toml")) {
        Ok(text) => text,
        Err(error) => return wrong(format!("manifest.toml: {error}")),
    };
    let Some(described) = Described::parse(&text) else {
        return wrong("manifest.toml doesn't say which files it has".to_owned());
    };
    let (state, detail) = state(path, &described);
    let state_and_detail = match model::Manifest::parse(&text) {
        Err(error) if state == State::Ok => (State::Unreadable, error.to_string()),
        _ => (state, detail),
    };
    let size = described.files.iter().filter_map(|file| path.join(&file.path).metadata().ok()).map(|file| file.len());
    Line {
        name: name.to_owned(),
        family: described.family,
        licence: described.licence,
        size: (state_and_detail.0 != State::MissingFile).then(|| size.sum()),
        state: state_and_detail.0,
        detail: state_and_detail.1,
        path: Some(path.to_owned()),
    }
}

/// The worst that is true of any of its files.
fn state(folder: &Path, described: &Described) -> (State, String) {
    let mut worst = (State::Ok, String::new());
    for file in &described.files {
        match state_of(folder, file) {
            Ok(FileState::Right) => {}
            Ok(FileState::Other { .. }) => return (State::HashMismatch, file.path.clone()),
            Ok(FileState::Missing) => worst = (State::MissingFile, file.path.clone()),
            Err(error) => return (State::Unreadable, format!("{}: {error}", file.path)),
        }
    }
    worst
}

fn published(entry: &catalogue::Entry) -> Line {
    let verified = if entry.verified { "verified" } else { "unverified" };
    Line {
        name: entry.name.to_string(),
        family: entry.family.clone(),
        licence: entry.licence.clone(),
        size: None,
        state: State::Catalogue,
        detail: format!("{verified}: {}", entry.title),
        path: None,
    }
}
