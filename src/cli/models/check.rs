//! `stakeout models check`: whether a model is whole, loads, and answers.

use std::io::{self, Write};

use serde::Serialize;

use super::tried::{self, Asking};
use crate::cli::exit::Failure;
use crate::cli::print;
use crate::cli::settings::ConfigFile;
use crate::config::{self, Config};
use crate::model::{self, Asked, Folder, Model};
use crate::name::Name;
use crate::trial::Trial;

#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// Name of the model [default: all that are here]
    #[arg(value_parser = Name::new)]
    name: Option<Name>,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// A line of `models check --json`.
#[derive(Serialize)]
struct Line {
    name: String,
    family: &'static str,
    licence: String,
    sha256: String,
    files: Vec<FileLine>,
    /// The provider, or how the graphs are spread over several.
    runs_on: String,
    /// Of models that know some.
    labels: Vec<String>,
    /// How many tokens a short question takes, of models that read them one by one.
    question_tokens: Option<usize>,
    /// What it said of a grey picture.
    trial: String,
}

/// A file, and how it was loaded.
#[derive(Serialize)]
struct FileLine {
    path: String,
    loaded: String,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.file.load_or_default()?.config;
    let names = args.name.clone().map_or_else(|| known(&config), |name| vec![name]);
    let mut out = io::stdout().lock();
    let mut failures = 0;
    for name in &names {
        match check(&config, name) {
            Ok(line) if args.json => print::json_line(&mut out, &line)?,
            Ok(line) => describe(&mut out, &line)?,
            Err(failure) if names.len() == 1 => return Err(failure),
            Err(failure) => {
                failures += 1;
                out.flush()?;
                failure.report();
            }
        }
    }
    out.flush()?;
    match (names.len(), failures) {
        (0, _) => {
            Err(Failure::plain("there are no models here").hint("`stakeout models list` shows which can be downloaded"))
        }
        (_, 0) => Ok(()),
        (_, 1) => Err(Failure::plain("1 model can't be used")),
        (_, n) => Err(Failure::plain(format_args!("{n} models can't be used"))),
    }
}

fn known(config: &Config) -> Vec<Name> {
    let mut names: Vec<Name> = config.models.iter().map(|model| model.name.clone()).collect();
    names.extend(model::available(&config.storage.path));
    names.sort();
    names.dedup();
    names
}

fn check(config: &Config, name: &Name) -> Result<Line, Failure> {
    let folder = tried::folder(config, name)?;
    let loaded = tried::load(config, &folder)?;
    let file = |(entry, rung): &(model::FileEntry, model::Rung)| FileLine {
        path: entry.path.display().to_string(),
        loaded: rung.to_string(),
    };
    let files = loaded.rungs.iter().map(file).collect();
    let mut trial = Trial::new(loaded);
    let runs_on = runs_on(trial.running());
    let (question_tokens, said) = attempt(&mut trial, name)?;
    let Folder { identity, manifest, labels, .. } = folder;
    Ok(Line {
        name: name.to_string(),
        family: manifest.family().as_str(),
        licence: manifest.licence,
        sha256: identity.sha256,
        files,
        runs_on,
        labels,
        question_tokens,
        trial: said,
    })
}

/// "cpu"; "cpu (cuda: no driver)".
fn runs_on(running: &model::Running) -> String {
    let passed_over: Vec<String> =
        running.passed_over.iter().map(|(provider, why)| format!("{provider}: {why}")).collect();
    match passed_over.as_slice() {
        [] => running.spread.to_string(),
        some => format!("{} ({})", running.spread, some.join("; ")),
    }
}

const QUESTION: &str = "Is there a person in the picture?";

/// A grey picture, and something that any model of its kind can be asked.
fn attempt(trial: &mut Trial, name: &Name) -> Result<(Option<usize>, String), Failure> {
    let monitor = tried::monitor(name, QUESTION, &asking(trial.model()))?;
    let tokens = match trial.model().question(&monitor) {
        Ok((_, Some(Asked::Text { tokens, .. }))) => Some(tokens.len()),
        _ => None,
    };
    let ready = tried::ready(trial, &monitor)?;
    let (verdict, _) = trial.explained(&tried::grey(), &ready).map_err(tried::advised)?;
    let said = match verdict.answer_mass {
        Some(mass) => format!("{}, {:.2} of the answer on yes or no", verdict.answer.as_str(), mass),
        None => verdict.explanation,
    };
    Ok((tokens, said))
}

/// All labels at once, or descriptions that every zero-shot model can compare.
pub(super) fn asking(model: &Model) -> Asking {
    let labels = model.labels().iter().take(8).cloned().collect();
    let negatives = match model.family() {
        model::Family::ZeroShot => vec!["a picture without people".to_owned()],
        _ => Vec::new(),
    };
    Asking { labels, negatives, threshold: 0.5, ..Asking::default() }
}

fn describe(out: &mut dyn Write, line: &Line) -> io::Result<()> {
    writeln!(out, "{}: {}, {}, sha256 {}", line.name, line.family, line.licence, line.sha256)?;
    let mut table = print::Table::new(["", "", ""]);
    for file in &line.files {
        table.row(["".into(), file.path.as_str().into(), file.loaded.as_str().into()]);
    }
    table.row(["".into(), "runs on".into(), line.runs_on.as_str().into()]);
    if !line.labels.is_empty() {
        let few = config::quoted(line.labels.iter().take(6).map(String::as_str));
        let more = if line.labels.len() > 6 { ", …" } else { "" };
        table.row(["".into(), "labels".into(), format!("{}: {few}{more}", line.labels.len()).into()]);
    }
    if let Some(tokens) = line.question_tokens {
        table.row(["".into(), "a short question".into(), format!("{tokens} tokens").into()]);
    }
    table.row(["".into(), "of a grey picture".into(), line.trial.as_str().into()]);
    table.print_rows(out, print::colour_on_stdout())
}
