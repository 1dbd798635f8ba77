//! `stakeout test`: whether the monitors say of recordings what the user expects.

mod report;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exit::{Exit, Failure};
use super::plot::Trace;
use super::settings::ConfigFile;
use super::terminal::Look;
use super::{print, replay, timeline};
use crate::config::{self, Case, Config, Diagnostic, Diagnostics, Monitor};
use crate::expectation::{self, Came, Outcome};
use crate::model::Handle;
use crate::name::Name;
use crate::replay::{Kind, Played, Told};
use crate::time;
use crate::verdict::Answer;

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// File with cases
    cases: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    /// Only the case of this name; may be given several times
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Print JSON lines, one a case
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
A case plays a clip through monitors of the configuration:

  [[case]]
  name = \"one visit\"                   # the clip's, unless given
  clip = \"visits.mp4\"                  # relative to this file
  monitor = \"person-at-dock\"           # or monitors = [\"…\", \"…\"]; all of them, unless given
  expect = [                           # each has to come
    { type = \"triggered\", at = 6.2, within = 0.5 },     # within 1 s, unless given
    { type = \"cleared\", between = [20, \"0:23.5\"] },     # or by = 23, or after = 20
    { type = \"triggered\", after = \"30s\", count = 5 },
  ]
  forbid = [{ between = [23.5, 29] }]  # none may come, but for what is expected
  nothing_else = true                  # nothing may come that isn't expected

  [[case]]
  clip = \"empty-yard.mp4\"
  none = true                          # nothing may come

Times are seconds from the clip's first frame, durations, or minutes and seconds; without one it is
the whole clip. What is expected has a type and may have a monitor, what is forbidden may have both.
An event meets one expectation, and a repeated alert is an alert. A case that could never fail is an
error; one in which a monitor gets no answer at all fails, whatever it expects.

Exit codes: 0 every case passed, 1 one failed, 78 the configuration or the cases can't be used.";

/// A recording as monitors saw it.
struct Play {
    outcome: Outcome,
    /// Events only.
    told: Vec<Told>,
    traces: Vec<Trace>,
}

/// A case and what became of it.
struct Tried<'c> {
    case: &'c Case,
    clip: &'c Path,
    /// Or why the clip can't be played.
    play: Result<&'c Play, &'c str>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut parsed = args.file.load()?;
    let mut cases = read(&args.cases, &parsed.config)?;
    keep_only(&mut cases, &args.case)?;
    let config = &mut parsed.config;
    config.monitors.retain(|monitor| cases.iter().any(|case| case.monitors.contains(&monitor.name)));
    let models = replay::start(&mut parsed)?;
    let began = time::now();
    let mut plays = BTreeMap::new();
    let mut out = io::stdout().lock();
    let look = Look::of_stdout();
    let mut failed = 0;
    for case in &cases {
        let clip = place(&args.cases, &case.clip.value);
        let key = (clip.clone(), case.monitors.clone());
        // Cases that ask about the same play it once.
        let play = plays.entry(key).or_insert_with(|| play(&parsed.config, case, &models, &clip));
        let tried = Tried { case, clip: &clip, play: play.as_ref().map_err(String::as_str) };
        let passed = match args.json {
            true => report::json(&mut out, &tried)?,
            false => report::text(&mut out, &tried, look)?,
        };
        failed += usize::from(!passed);
        out.flush()?;
    }
    report::summary(&mut out, args.json, (cases.len(), failed), time::now().mono.since(began.mono))?;
    match failed {
        0 => Ok(()),
        failed => Err(Failure::plain(format_args!("{failed} of {} failed", counted(cases.len())))
            .hint("`stakeout replay CLIP --monitor NAME --verdicts` shows every check")),
    }
}

fn counted(cases: usize) -> String {
    if cases == 1 { "1 case".to_owned() } else { format!("{cases} cases") }
}

/// The cases of a file, whose clips are there.
fn read(file: &Path, config: &Config) -> Result<Vec<Case>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Exit::Configuration, format_args!("cannot read the cases `{}`: {error}", file.display()))
            .hint("`stakeout test --help` shows what stands in such a file")
    })?;
    let monitors: Vec<Name> = config.monitors.iter().map(|monitor| monitor.name.clone()).collect();
    let shown = file.display().to_string();
    let (cases, mut diagnostics) =
        config::parse_cases(&text, &shown, &monitors).map_err(|wrong| Failure::configuration(&wrong))?;
    if monitors.is_empty() {
        let nothing = Diagnostic::error("nothing can be tested: the configuration has no `[[monitor]]`");
        diagnostics.push(nothing.help("name another one with `--config`"));
    }
    find_clips(file, &cases, &mut diagnostics);
    if diagnostics.has_errors() {
        return Err(Failure::configuration(&diagnostics));
    }
    Ok(cases)
}

fn find_clips(file: &Path, cases: &[Case], diagnostics: &mut Diagnostics) {
    for case in cases {
        let clip = place(file, &case.clip.value);
        if clip.is_file() {
            continue;
        }
        let title = format!("case `{}`: there is no clip `{}`", case.name, clip.display());
        let label = "a file, relative to this one";
        diagnostics.push(Diagnostic::error(title).at(case.clip.at.clone(), label));
    }
}

/// Where a clip is that the cases in `file` name.
fn place(file: &Path, clip: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(clip)
}

fn keep_only(cases: &mut Vec<Case>, wanted: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = wanted.iter().find(|name| cases.iter().all(|case| case.name != **name)) {
        let known = config::quoted(cases.iter().map(|case| case.name.as_str()));
        return Err(Failure::new(Exit::Usage, format_args!("unknown case `{unknown}`"))
            .hint(format_args!("cases known here: {known}")));
    }
    cases.retain(|case| wanted.is_empty() || wanted.contains(&case.name));
    Ok(())
}

/// Plays a clip as `case` wants it. The error is told as that of the case.
fn play(config: &Config, case: &Case, models: &BTreeMap<Name, Handle>, clip: &Path) -> Result<Play, String> {
    let chosen = |monitor: &&Monitor| case.monitors.contains(&monitor.name);
    let monitors: Vec<&Monitor> = config.monitors.iter().filter(chosen).collect();
    let mut traces = timeline::traces(&monitors);
    let mut told = Vec::new();
    let mut checks: Vec<(Name, u64, u64)> = monitors.iter().map(|monitor| (monitor.name.clone(), 0, 0)).collect();
    let mut listen = |it: Told| {
        timeline::remember(&mut traces, &it);
        if it.kind != Kind::Verdict {
            told.push(it);
        } else if let Some((_, asked, answered)) = checks.iter_mut().find(|(name, ..)| *name == it.monitor) {
            *asked += 1;
            *answered += u64::from(it.answer != Some(Answer::Abstain));
        }
        Ok(())
    };
    let Played { length, .. } = crate::replay::run(config, &monitors, models, clip, &mut listen)
        .map_err(|error| print::one_line(&error.to_string()))?;
    let outcome = Outcome { events: told.iter().filter_map(came).collect(), checks, length };
    Ok(Play { outcome, told, traces })
}

fn came(told: &Told) -> Option<Came> {
    match told.kind {
        Kind::Verdict => None,
        Kind::Event(kind) => Some(Came { kind, monitor: told.monitor.clone(), at: told.at }),
    }
}

impl<'c> Tried<'c> {
    /// What is wrong with it, if it could be played.
    fn complaints(&self) -> Vec<expectation::Complaint<'c>> {
        self.play.map_or_else(|_| Vec::new(), |play| expectation::complaints(self.case, &play.outcome))
    }
}

/// A time of a clip, as in the timeline.
fn seconds(at: Duration) -> String {
    format!("{:.3} s", at.as_secs_f64())
}
