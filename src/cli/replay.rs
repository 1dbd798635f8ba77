//! `stakeout replay`: what the monitors would have reported about a recording.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::exit::{Exit, Failure};
use super::settings::ConfigFile;
use super::terminal::{self, Look};
use super::{plot, print, timeline};
use crate::config::{self, Config, Monitor, Parsed};
use crate::model::{self, Handle};
use crate::name::Name;
use crate::preflight;
use crate::replay::{self, Kind, ReplayError, Told};

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Video file with H.264, H.265 or MJPEG in it
    clip: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    /// Play it through this monitor only
    #[arg(long, value_name = "NAME", value_parser = Name::new)]
    monitor: Option<Name>,
    /// Print JSON lines
    #[arg(long, conflicts_with = "plot")]
    json: bool,
    /// Print every verdict, too
    #[arg(long)]
    verdicts: bool,
    /// Draw confidence over time below the events: on a terminal, always, or never
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    plot: When,
}

const AFTER_HELP: &str = "\
Times are those of the clip, in seconds from its first frame; cooldown and clearing go by them, too.
Nothing is journaled and nothing is sent, and monitors play whether they are enabled or not. The plot
(--plot auto, always or never) is as wide as the terminal, or as COLUMNS says. `stakeout test` asserts
what should come.";

/// When there is a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// On a terminal.
    Auto,
    /// Also in a pipe.
    Always,
    /// Not at all.
    Never,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut parsed = args.file.load()?;
    if let Some(wanted) = &args.monitor {
        keep_only(&mut parsed.config, wanted)?;
    }
    let models = start(&mut parsed)?;
    let monitors: Vec<&Monitor> = parsed.config.monitors.iter().collect();
    let mut traces = timeline::traces(&monitors);
    let mut out = io::stdout().lock();
    let mut tell = |told: Told| {
        timeline::remember(&mut traces, &told);
        match told.kind {
            Kind::Verdict if !args.verdicts => Ok(()),
            _ if args.json => timeline::json(&mut out, &told),
            _ => writeln!(out, "{}", timeline::line(&told)),
        }
    };
    let played =
        replay::run(&parsed.config, &monitors, &models, &args.clip, &mut tell).map_err(|error| match error {
            ReplayError::Output(error) => error.into(),
            other => Failure::plain(other),
        })?;
    if args.json {
        return Ok(timeline::json_summary(&mut out, &played)?);
    }
    let drawn = match args.plot {
        When::Auto => terminal::is_watched(),
        When::Always => true,
        When::Never => false,
    };
    if drawn {
        write!(out, "\n{}\n", plot::draw(&traces, &(Duration::ZERO..=played.length), Look::of_stdout()))?;
    }
    Ok(writeln!(out, "{}", timeline::summary(&played))?)
}

/// Forgets all monitors but `wanted`.
fn keep_only(config: &mut Config, wanted: &Name) -> Result<(), Failure> {
    let known: Vec<String> = config.monitors.iter().map(|monitor| monitor.name.to_string()).collect();
    config.monitors.retain(|monitor| monitor.name == *wanted);
    if config.monitors.is_empty() {
        let known = config::quoted(known.iter().map(String::as_str));
        return Err(Failure::new(Exit::Usage, format_args!("unknown monitor `{wanted}`"))
            .hint(format_args!("monitors known here: {known}")));
    }
    Ok(())
}

/// Starts the models that the monitors name.
pub(super) fn start(parsed: &mut Parsed) -> Result<BTreeMap<Name, Handle>, Failure> {
    let Some(loaded) = preflight::models(&parsed.config, &mut parsed.diagnostics) else {
        return Err(Failure::configuration(&parsed.diagnostics));
    };
    if !parsed.diagnostics.is_empty() {
        print::say(&parsed.diagnostics.render(print::colour_on_stderr()));
    }
    let start = |(name, loaded)| Ok((name, model::start(loaded, model::Limits::default())?));
    loaded
        .into_iter()
        .map(start)
        .collect::<io::Result<_>>()
        .map_err(|error| Failure::plain(format_args!("cannot start the model's thread: {error}")))
}
