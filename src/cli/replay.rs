//! `stakeout replay`: what the monitors would have reported about a recording.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::print;
use super::settings::ConfigFile;
use crate::config::{self, Monitor};
use crate::model;
use crate::name::Name;
use crate::preflight;
use crate::replay::{self, ReplayError, Style};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Video file with H.264, H.265 or MJPEG in it
    clip: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    /// Play it through this monitor only
    #[arg(long, value_name = "NAME", value_parser = Name::new)]
    monitor: Option<Name>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
    /// Print every verdict, too
    #[arg(long)]
    verdicts: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut parsed = args.file.load()?;
    if let Some(wanted) = &args.monitor {
        let known: Vec<String> = parsed.config.monitors.iter().map(|monitor| monitor.name.to_string()).collect();
        parsed.config.monitors.retain(|monitor| monitor.name == *wanted);
        if parsed.config.monitors.is_empty() {
            let known = config::quoted(known.iter().map(String::as_str));
            return Err(Failure::new(Exit::Usage, format_args!("unknown monitor `{wanted}`"))
                .hint(format_args!("monitors known here: {known}")));
        }
    }
    let Some(loaded) = preflight::models(&parsed.config, &mut parsed.diagnostics) else {
        return Err(Failure::configuration(&parsed.diagnostics));
    };
    if !parsed.diagnostics.is_empty() {
        print::say(&parsed.diagnostics.render(print::colour_on_stderr()));
    }
    let start = |(name, loaded)| Ok((name, model::start(loaded, model::Limits::default())?));
    let models: BTreeMap<_, _> = loaded
        .into_iter()
        .map(start)
        .collect::<io::Result<_>>()
        .map_err(|error| Failure::plain(format_args!("cannot start the model's thread: {error}")))?;
    let monitors: Vec<&Monitor> = parsed.config.monitors.iter().collect();
    let style = Style { json: args.json, verdicts: args.verdicts };
    let mut out = io::stdout().lock();
    replay::run(&parsed.config, &monitors, &models, &args.clip, style, &mut out).map_err(|error| match error {
        ReplayError::Output(error) => error.into(),
        other => Failure::plain(other),
    })
}
