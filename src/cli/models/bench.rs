//! `stakeout models bench`: how long a look takes, step by step, and what further conditions cost.
//!
//! Owns the choice of what is measured; medians, on this machine, of the very steps that a camera's frame goes through.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::check::asking;
use super::tried;
use crate::cli::exit::Failure;
use crate::cli::print;
use crate::cli::settings::ConfigFile;
use crate::frame::Frame;
use crate::model::{Family, Model};
use crate::name::Name;
use crate::trial::{Ready, Took, Trial, TrialError};

#[derive(clap::Args)]
pub(in crate::cli) struct Args {
    /// Name of the model
    #[arg(value_parser = Name::new)]
    name: Name,
    /// Picture to look at, JPEG or PNG [default: a grey one of 640x360]
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// How often it looks; medians are printed
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `models bench --json` prints; times in milliseconds.
#[derive(Serialize)]
struct Measured {
    model: Name,
    family: &'static str,
    picture: String,
    runs: u32,
    /// From the picture to tensors.
    prepare: f64,
    /// In the model, with one condition.
    run: f64,
    /// From numbers to a verdict.
    interpret: f64,
    /// All of it.
    whole: f64,
    frames_a_second: f64,
    /// Of `run`: looking at the picture, without any question (vlm).
    #[serde(skip_serializing_if = "Option::is_none")]
    look: Option<f64>,
    /// Of `run`: one question (vlm).
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<f64>,
    /// On top of `run`: an answer that is explained (vlm).
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<f64>,
    /// Each of the 2nd to 8th condition on the same picture.
    further_condition: f64,
    /// The same, as a share of the whole first one.
    further_condition_share: f64,
}

/// As many conditions as a camera may have.
const CONDITIONS: usize = 8;
/// Not measured: the first looks allocate.
const WARM_UP: u32 = 3;

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.file.load_or_default()?.config;
    let folder = tried::folder(&config, &args.name)?;
    let mut trial = Trial::new(tried::load(&config, &folder)?);
    let frame = args.image.as_deref().map_or_else(|| Ok(tried::grey()), tried::picture)?;
    let conditions = conditions(&trial, &args.name)?;
    let measured = measure(args, &mut trial, &frame, &conditions).map_err(tried::advised)?;
    let mut out = io::stdout().lock();
    if args.json {
        print::json_line(&mut out, &measured)?;
    } else {
        describe(&mut out, &measured)?;
    }
    Ok(out.flush()?)
}

/// Different ones, so that nothing is answered from memory that a camera's conditions wouldn't share.
fn conditions(trial: &Trial, name: &Name) -> Result<Vec<Ready>, Failure> {
    let what = ["a person", "a car", "a dog", "a red helmet", "an open door", "a ladder", "a bicycle", "smoke"];
    let one = |nth: usize| {
        let model = trial.model();
        let monitor = tried::monitor(
            name,
            &words(model, what[nth]),
            &tried::Asking { labels: label(model, nth), ..asking(model) },
        )?;
        tried::ready(trial, &monitor)
    };
    (0..CONDITIONS).map(one).collect()
}

fn words(model: &Model, what: &str) -> String {
    match model.family() {
        Family::Vlm => format!("Is there {what} in the picture?"),
        _ => format!("a picture with {what}"),
    }
}

fn label(model: &Model, nth: usize) -> Vec<String> {
    model.labels().iter().cycle().nth(nth).cloned().into_iter().collect()
}

fn measure(args: &Args, trial: &mut Trial, frame: &Frame, conditions: &[Ready]) -> Result<Measured, TrialError> {
    let one = medians(args.runs, || Ok(trial.look(frame, &conditions[..1])?.1))?;
    let all = medians(args.runs, || Ok(trial.look(frame, conditions)?.1))?;
    let is_vlm = trial.model().family() == Family::Vlm;
    let look = is_vlm.then(|| medians(args.runs, || Ok(trial.look(frame, &[])?.1))).transpose()?;
    let told = is_vlm.then(|| medians(args.runs, || Ok(trial.explained(frame, &conditions[0])?.1))).transpose()?;
    // An explained look asks twice, so that either answer is explained.
    let question = look.map(|look| one.run.saturating_sub(look.run));
    let explanation = told.zip(question).map(|(told, question)| told.run.saturating_sub(one.run + question));
    let further = all.whole().saturating_sub(one.whole()) / (CONDITIONS as u32 - 1);
    Ok(Measured {
        model: args.name.clone(),
        family: trial.model().family().as_str(),
        picture: format!("{}x{}", frame.width, frame.height),
        runs: args.runs,
        prepare: milliseconds(one.prepare),
        run: milliseconds(one.run),
        interpret: milliseconds(one.interpret),
        whole: milliseconds(one.whole()),
        frames_a_second: (10.0 / one.whole().as_secs_f64().max(1e-9)).round() / 10.0,
        look: look.map(|look| milliseconds(look.run)),
        question: question.map(milliseconds),
        explanation: explanation.map(milliseconds),
        further_condition: milliseconds(further),
        further_condition_share: (further.as_secs_f64() / one.whole().as_secs_f64().max(1e-9) * 1000.0).round()
            / 1000.0,
    })
}

/// The median of each step.
fn medians(runs: u32, mut look: impl FnMut() -> Result<Took, TrialError>) -> Result<Took, TrialError> {
    for _ in 0..WARM_UP {
        look()?;
    }
    let all = (0..runs).map(|_| look()).collect::<Result<Vec<Took>, _>>()?;
    let median = |step: fn(&Took) -> Duration| {
        let mut times: Vec<Duration> = all.iter().map(step).collect();
        times.sort();
        times[times.len() / 2]
    };
    Ok(Took {
        prepare: median(|took| took.prepare),
        run: median(|took| took.run),
        interpret: median(|took| took.interpret),
    })
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn describe(out: &mut dyn Write, measured: &Measured) -> io::Result<()> {
    let Measured { model, family, picture, runs, .. } = measured;
    writeln!(out, "{model} ({family}), a picture of {picture}, {runs} looks, medians")?;
    let mut table = print::Table::new(["", "", ""]);
    let mut row =
        |what: &str, time: f64, note: String| table.row([what.into(), format!("{time:8.3} ms").into(), note.into()]);
    row("prepare", measured.prepare, String::new());
    row("run", measured.run, "with one condition".to_owned());
    if let (Some(look), Some(question), Some(explanation)) = (measured.look, measured.question, measured.explanation) {
        row("  look", look, "picture and the prompt's beginning".to_owned());
        row("  question", question, String::new());
        row("explanation", explanation, "on top, only where a state changes".to_owned());
    }
    row("interpret", measured.interpret, String::new());
    row("together", measured.whole, format!("{} frames a second", measured.frames_a_second));
    let share = format!("each of the 2nd to 8th: {} of the first", measured.further_condition_share);
    row("condition", measured.further_condition, share);
    table.print_rows(out, print::colour_on_stdout())
}
