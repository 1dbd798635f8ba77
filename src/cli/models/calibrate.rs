//! `stakeout models calibrate`: temperature and bias from labelled pictures.
//!
//! Owns the way from pictures to samples and what is printed; refuses to know how a fit is made (`calibration`).

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use indicatif::ProgressBar;
use serde::Serialize;

use super::labelled::{self, Labelled};
use super::reliability::{figures, plot};
use super::tried::{self, Asking};
use crate::calibration::{self, Report, Said, Sample};
use crate::catalogue;
use crate::cli::exit::Failure;
use crate::cli::print;
use crate::cli::settings::ConfigFile;
use crate::config::Calibration;
use crate::model::{Folder, Kind, Manifest};
use crate::name::Name;
use crate::pull;
use crate::time;
use crate::trial::{Ready, Trial};
use crate::verdict::{Answer, Verdict};

const AFTER_HELP: &str = "\
FOLDER has pictures (JPEG, PNG) and `labels.csv`, whose first line is `file,question,answer`: the
picture's name, what is asked, and yes or no. For classifiers and detectors the question is one of
the model's labels. For zero-shot models it is a description, and a fourth column `negatives` says
what is there otherwise, several separated by `|`.
`held out` are the figures of five fits, each judged on the pictures that it has not seen.
The result holds for these very files of the model, this prompt and this execution provider; put
it into the manifest (--write, refused where it seems worse than what is there), or into a
monitor's `calibration`.";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Args {
    /// Name of the model
    #[arg(value_parser = Name::new)]
    name: Name,
    /// Folder with pictures and labels.csv
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Write the result into the model's manifest
    #[arg(long)]
    write: bool,
    /// Write it even if it seems worse than what the manifest has
    #[arg(long, requires = "write")]
    force: bool,
    /// Yes from this confidence, 0 to 1, for accuracy, precision and recall
    #[arg(long, value_name = "0-1", default_value_t = 0.5, value_parser = tried::share)]
    threshold: f32,
    /// Only in this part of the pictures: points "x,y x,y x,y …" from 0,0 (top left) to 1,1 [default: all of it]
    #[arg(long, value_name = "POINTS", value_parser = tried::Zone::new)]
    zone: Option<tried::Zone>,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `models calibrate --json` prints.
#[derive(Serialize)]
struct Line<'a> {
    model: &'a Name,
    sha256: &'a str,
    answers: usize,
    abstained: usize,
    temperature: f32,
    bias: f32,
    before: Figures,
    after: Figures,
    held_out: Option<Figures>,
}

#[derive(Serialize)]
struct Figures {
    accuracy: Option<f64>,
    precision: Option<f64>,
    recall: Option<f64>,
    ece: Option<f64>,
}

impl Figures {
    fn new(report: &Report) -> Figures {
        let (accuracy, precision, recall) = (report.accuracy(), report.precision(), report.recall());
        Figures { accuracy, precision, recall, ece: report.ece() }
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.file.load_or_default()?.config;
    let labelled = labelled::read(&args.folder)?;
    let folder = tried::folder(&config, &args.name)?;
    let mut trial = Trial::new(tried::load(&config, &folder)?);
    let (samples, groups) = look(args, &mut trial, &labelled)?;
    let threshold = f64::from(args.threshold);
    let fitted = calibration::fit(&samples).map_err(tried::advised)?;
    let before = Report::new(&samples, folder.manifest.calibration, threshold);
    let after = Report::new(&samples, fitted, threshold);
    let held_out = calibration::cross_validated(&samples, &groups, threshold);
    let mut out = io::stdout().lock();
    if args.json {
        let line = Line {
            model: &args.name,
            sha256: &folder.identity.sha256,
            answers: after.answered,
            abstained: after.abstained,
            temperature: fitted.temperature,
            bias: fitted.bias,
            before: Figures::new(&before),
            after: Figures::new(&after),
            held_out: held_out.as_ref().map(Figures::new),
        };
        print::json_line(&mut out, &line)?;
    } else {
        let pictures = groups.last().map_or(0, |last| last + 1);
        let yes = labelled.iter().filter(|line| line.truth).count();
        let (answers, abstained) = (labelled.len(), after.abstained);
        writeln!(
            out,
            "{pictures} pictures, {answers} questions: {yes} yes, {} no; {abstained} without an answer",
            answers - yes
        )?;
        figures(&mut out, &before, &after, held_out.as_ref())?;
        writeln!(out)?;
        plot(&mut out, &after)?;
        write!(out, "\n{}", catalogue::calibration_section(fitted, &notes(&folder, &trial, &after)))?;
    }
    out.flush()?;
    let doubt = held_out.as_ref().and_then(|held_out| doubt(&before, held_out));
    doubt.iter().for_each(|note| print::say(note));
    if doubt.is_some() && args.write && !args.force {
        let failure = Failure::plain("the fit is not written: it seems worse than what the manifest has");
        return Err(failure.hint("label more pictures; `--force` writes it all the same"));
    }
    if args.write { write(&folder, fitted, &notes(&folder, &trial, &after)) } else { Ok(()) }
}

/// A fit to few answers can be worse than what the manifest says already.
fn doubt(before: &Report, held_out: &Report) -> Option<String> {
    let (before, held_out) = (before.ece()?, held_out.ece()?);
    (held_out > before).then(|| {
        format!(
            "note: on pictures that it has not seen the fit has an ECE of {held_out:.4}, and the manifest's present \
             calibration has {before:.4}; leave that, or label more pictures"
        )
    })
}

/// Every question about every picture; and which picture each is about.
fn look(args: &Args, trial: &mut Trial, labelled: &[Labelled]) -> Result<(Vec<Sample>, Vec<usize>), Failure> {
    let progress =
        if io::stderr().is_terminal() { ProgressBar::new(labelled.len() as u64) } else { ProgressBar::hidden() };
    let (mut samples, mut groups) = (Vec::new(), Vec::new());
    for (group, lines) in labelled.chunk_by(|a, b| a.picture == b.picture).enumerate() {
        let questions = lines.iter().map(|line| question(args, trial, line)).collect::<Result<Vec<Ready>, _>>()?;
        let frame = tried::picture(&lines[0].picture)?;
        let (verdicts, _) = trial.look(&frame, &questions).map_err(tried::advised)?;
        for (line, verdict) in lines.iter().zip(&verdicts) {
            samples.push(Sample { said: said(verdict), truth: line.truth });
            groups.push(group);
        }
        progress.inc(lines.len() as u64);
    }
    progress.finish_and_clear();
    Ok((samples, groups))
}

fn question(args: &Args, trial: &Trial, line: &Labelled) -> Result<Ready, Failure> {
    let reads = trial.model().family().reads();
    let labels = if reads { Vec::new() } else { vec![line.question.clone()] };
    let condition = if reads { line.question.as_str() } else { "" };
    let negatives = line.negatives.clone();
    let asking = Asking { labels, negatives, zone: args.zone.clone(), threshold: args.threshold, ..Asking::default() };
    tried::ready(trial, &tried::monitor(&args.name, condition, &asking)?)
}

fn said(verdict: &Verdict) -> Said {
    match (verdict.answer, verdict.z) {
        (Answer::Abstain, _) => Said::Abstained,
        (_, Some(z)) => Said::Score(f64::from(z)),
        (_, None) => Said::Nothing,
    }
}

/// What the result belongs to.
fn notes(folder: &Folder, trial: &Trial, report: &Report) -> Vec<String> {
    let Folder { identity, manifest, .. } = folder;
    let day =
        jiff::Timestamp::from_second(time::now().wall.unix_seconds()).map(|now| now.strftime("%Y-%m-%d").to_string());
    let prompt = match &manifest.kind {
        Kind::Labelled(_) => "no prompt".to_owned(),
        Kind::ZeroShot(of) => format!("prompt style {}", of.style),
        Kind::Vlm(of) => format!("prompt style {}", of.style),
    };
    vec![
        format!("fitted by `stakeout models calibrate` on {} to {} answers", day.unwrap_or_default(), report.answered),
        format!("fitted for the files with SHA-256 {}, {prompt}, on {}", identity.sha256, trial.running().spread),
    ]
}

/// Puts the result into the manifest, in one step.
fn write(folder: &Folder, fitted: Calibration, notes: &[String]) -> Result<(), Failure> {
    let path = folder.path.join("manifest.toml");
    let failed = |error: &dyn std::fmt::Display| {
        let failure = Failure::plain(format_args!("cannot write `{}`: {error}", path.display()));
        failure.hint("put the section above into it by hand, or into a monitor's `calibration`")
    };
    let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let edited = catalogue::with_calibration(&text, fitted, notes);
    match Manifest::parse(&edited) {
        Ok(manifest) if manifest.calibration == fitted => {}
        Ok(_) => return Err(failed(&"its `[calibration]` is written in a way that isn't understood here")),
        Err(error) => return Err(failed(&error)),
    }
    pull::replace(&path, edited.as_bytes()).map_err(|error| failed(&error))?;
    print::say(&format!("written into `{}`", path.display()));
    Ok(())
}
