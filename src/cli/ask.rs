//! `stakeout ask`: one picture, one question, one answer. Needs neither a daemon nor a configuration.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::models::tried::{self, Asking};
use super::print::{self, Tint};
use super::settings::ConfigFile;
use crate::config;
use crate::model::Model;
use crate::name::Name;
use crate::trial::{Took, Trial};
use crate::verdict::{Answer, Region, Verdict, rounded};

const AFTER_HELP: &str = "\
Vision language models take a question or a statement in plain words; zero-shot models take a
description (and --negatives: what is there otherwise); classifiers and detectors take --labels.
What the model answers is judged as for a monitor: calibrated, and unsure answers abstain.";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// What is asked; not needed with --labels
    #[arg(default_value = "", hide_default_value = true)]
    question: String,
    /// Name of the model
    #[arg(long, value_parser = Name::new)]
    model: Name,
    /// Picture to look at, JPEG or PNG; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    image: Vec<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON lines, one a picture
    #[arg(long)]
    json: bool,
}

/// A line of `ask --json`.
#[derive(Serialize)]
struct Line<'a> {
    image: &'a Path,
    model: &'a Name,
    answer: Answer,
    confidence: f64,
    explanation: &'a str,
    z: Option<f32>,
    answer_mass: Option<f64>,
    regions: &'a [Region],
    took_ms: f64,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.file.load_or_default()?.config;
    let folder = tried::folder(&config, &args.model)?;
    let mut trial = Trial::new(tried::load(&config, &folder)?);
    let (condition, asking) = put(trial.model(), &args.question, &args.asking)?;
    let ready = tried::ready(&trial, &tried::monitor(&args.model, &condition, &asking)?)?;
    let mut out = io::stdout().lock();
    for image in &args.image {
        let frame = tried::picture(image)?;
        let (verdict, took) = trial.explained(&frame, &ready).map_err(tried::advised)?;
        if args.json {
            print::json_line(&mut out, &line(args, image, &verdict, took))?;
            continue;
        }
        if args.image.len() > 1 {
            writeln!(out, "{}", print::one_line(&image.display().to_string()))?;
        }
        describe(&mut out, &verdict, args.asking.threshold, took)?;
    }
    Ok(out.flush()?)
}

/// The words and the labels that this model is asked with.
fn put(model: &Model, question: &str, asking: &Asking) -> Result<(String, Asking), Failure> {
    let name = &model.identity().name;
    let usage = |what: String, hint: String| Err(Failure::new(Exit::Usage, what).hint(hint));
    let mut asking = asking.clone();
    if model.family().reads() {
        return match (question.trim().is_empty(), asking.labels.is_empty()) {
            (true, _) => {
                usage(format!("model `{name}` reads, and there is nothing to read"), "ask a question".to_owned())
            }
            (_, false) => {
                usage(format!("model `{name}` knows no labels"), "ask in words, without `--labels`".to_owned())
            }
            _ => Ok((question.to_owned(), asking)),
        };
    }
    if asking.labels.is_empty() {
        if !model.labels().iter().any(|label| label == question) {
            let known = model.labels().iter().take(8).map(String::as_str);
            let more = if model.labels().len() > 8 { ", …" } else { "" };
            let hint = format!("ask for labels with `--labels`; it has {}{more}", config::quoted(known));
            return usage(format!("model `{name}` reads no questions"), hint);
        }
        asking.labels.push(question.to_owned());
    }
    Ok((String::new(), asking))
}

fn line<'a>(args: &'a Args, image: &'a Path, verdict: &'a Verdict, took: Took) -> Line<'a> {
    Line {
        image,
        model: &args.model,
        answer: verdict.answer,
        confidence: rounded(verdict.confidence),
        explanation: &verdict.explanation,
        z: verdict.z,
        answer_mass: verdict.answer_mass.map(rounded),
        regions: &verdict.regions,
        took_ms: (took.whole().as_secs_f64() * 10_000.0).round() / 10.0,
    }
}

fn describe(out: &mut dyn Write, verdict: &Verdict, threshold: f32, took: Took) -> io::Result<()> {
    let tint = match verdict.answer {
        Answer::Yes => Tint::Good,
        Answer::No => Tint::Plain,
        Answer::Abstain => Tint::Odd,
    };
    let colour = print::colour_on_stdout();
    let mut table = print::Table::new(["", ""]);
    table.row(["answer".into(), print::Cell::tinted(verdict.answer.as_str(), tint)]);
    let confidence = format!("{:.2} (yes from {threshold:.2})", verdict.confidence);
    table.row(["confidence".into(), confidence.into()]);
    table.row(["explanation".into(), verdict.explanation.as_str().into()]);
    if let Some(z) = verdict.z {
        table.row(["z".into(), format!("{z:.3} (the logit before calibration)").into()]);
    }
    if let Some(mass) = verdict.answer_mass {
        table.row(["answer mass".into(), format!("{mass:.3} (of the answer on yes or no)").into()]);
    }
    for Region { label, score, bounds: [left, top, right, bottom] } in &verdict.regions {
        let text = format!("{label} {score:.2} from {left:.3},{top:.3} to {right:.3},{bottom:.3}");
        table.row(["region".into(), text.into()]);
    }
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    table.row(["took".into(), format!("{:.0} ms", milliseconds(took.whole())).into()]);
    table.print_rows(out, colour)
}
