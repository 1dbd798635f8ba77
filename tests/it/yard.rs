//! The VLM that we ship, measured through the product's own code: verdicts, calibration, explanations, abstentions.
//!
//! The committed sample is small. `scripts/yard/held_out.py --out FOLDER --count 1500` draws a large one from seeds that
//! nothing was trained or calibrated on; `STAKEOUT_HELD_OUT=FOLDER` and `--run-ignored all` measure that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stakeout::judge::{Question, Scored, Seen, Worded};
use stakeout::model::{Asked, Explain, Findings, Folder, Loaded, Tensor, Wording, Work, load};
use stakeout::name::Name;
use stakeout::picture::{Scaler, still};
use stakeout::verdict::{Answer, Verdict};

use crate::shared::runtime;

#[derive(Deserialize)]
struct Posed {
    file: PathBuf,
    question: String,
    #[serde(rename = "type")]
    kind: String,
    /// None: the picture doesn't tell.
    yes: Option<bool>,
    answer: String,
}

struct Answered {
    posed: Posed,
    verdict: Verdict,
    /// The explanation that belongs to the answer which the model leans to.
    explanation: String,
}

impl Answered {
    fn is_right(&self) -> bool {
        let wanted = if self.posed.yes == Some(true) { Answer::Yes } else { Answer::No };
        self.verdict.answer == wanted
    }
}

fn yard() -> Option<Loaded> {
    let folder = Folder::open(&Name::new("yard").unwrap(), None, Path::new("/nowhere")).unwrap();
    Some(load(runtime()?, &folder, 1).unwrap())
}

/// Asks all questions about each picture at once.
fn ask(loaded: &mut Loaded, folder: &Path) -> Vec<Answered> {
    let mut pictures: BTreeMap<PathBuf, Vec<Posed>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join("questions.jsonl")).unwrap().lines() {
        let posed: Posed = serde_json::from_str(line).unwrap();
        pictures.entry(posed.file.clone()).or_default().push(posed);
    }
    let question = Question::Words(Worded { calibration: loaded.model.calibration(), threshold: 0.5 });
    let mut scaler = Scaler::default();
    let mut all = Vec::new();
    for (file, posed) in pictures {
        let frame = still(&fs::read(folder.join(file)).unwrap()).unwrap();
        let (picture, _) = loaded.model.prepare(&mut scaler, &frame, Tensor::default()).unwrap();
        let texts = posed.iter().map(|posed| posed.question.as_str());
        let answers = answers(loaded, picture, texts);
        for (posed, scored) in posed.into_iter().zip(answers) {
            let explanation = scored.explanation.clone().unwrap_or_default();
            all.push(Answered { posed, verdict: question.judge(&Seen::Answered(scored)), explanation });
        }
    }
    all
}

/// Twice: what is explained depends on what is decided.
fn answers<'a>(loaded: &mut Loaded, picture: Tensor, texts: impl Iterator<Item = &'a str>) -> Vec<Scored> {
    let wording = |text: &str| Wording { condition: text.to_owned(), ..Wording::default() };
    let asked = texts.map(|text| loaded.model.phrase(&wording(text)).unwrap()).collect();
    let mut work = Work { pictures: vec![picture], asked };
    let decided = scored(loaded, &work);
    let even = Worded { calibration: loaded.model.calibration(), threshold: 0.5 }.z_of(0.5);
    for (asked, decided) in work.asked.iter_mut().zip(&decided) {
        let Asked::Text { explain, .. } = asked else { panic!("it is a vlm") };
        *explain = Some(if decided.z >= even { Explain::AtLeast(even) } else { Explain::Below(even) });
    }
    scored(loaded, &work)
}

fn scored(loaded: &mut Loaded, work: &Work) -> Vec<Scored> {
    match loaded.engine.examine(work).unwrap() {
        Findings::Scored(scored) => scored,
        Findings::Numbers(_) => panic!("it is a vlm"),
    }
}

/// Expected calibration error of the probability of yes, over 15 bins of equal width.
fn calibration_error(answered: &[&Answered]) -> f64 {
    let mut bins = [(0_u32, 0.0_f64, 0_u32); 15];
    for one in answered {
        let said = f64::from(one.verdict.confidence);
        let bin = &mut bins[((said * 15.0) as usize).min(14)];
        *bin = (bin.0 + 1, bin.1 + said, bin.2 + u32::from(one.posed.yes == Some(true)));
    }
    let gap = |&(_, said, yes): &(u32, f64, u32)| (said - f64::from(yes)).abs();
    bins.iter().map(gap).sum::<f64>() / answered.len() as f64
}

/// Shares of 1: right verdicts by kind of question, right answers word for word, calibration error, abstentions.
struct Figures {
    right: BTreeMap<String, (usize, usize)>,
    word_for_word: f64,
    calibration_error: f64,
    abstained_from_unjudgeable: f64,
}

impl Figures {
    fn of(answered: &[Answered]) -> Figures {
        let (judgeable, unjudgeable): (Vec<&Answered>, Vec<&Answered>) =
            answered.iter().partition(|one| one.posed.yes.is_some());
        let mut right: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for one in &judgeable {
            for kind in [one.posed.kind.as_str(), "all"] {
                let (count, all) = right.entry(kind.to_owned()).or_default();
                (*count, *all) = (*count + usize::from(one.is_right()), *all + 1);
            }
        }
        let share = |of: &[&Answered], counts: &dyn Fn(&Answered) -> bool| {
            of.iter().filter(|one| counts(one)).count() as f64 / of.len().max(1) as f64
        };
        Figures {
            right,
            word_for_word: share(&judgeable, &|one| one.explanation == one.posed.answer),
            calibration_error: calibration_error(&judgeable),
            abstained_from_unjudgeable: share(&unjudgeable, &|one| one.verdict.answer == Answer::Abstain),
        }
    }

    fn accuracy(&self, kind: &str) -> f64 {
        let (right, all) = self.right[kind];
        right as f64 / all as f64
    }

    #[expect(clippy::print_stdout, reason = "figures for models/README.md")]
    fn print(&self) {
        for (kind, (right, all)) in &self.right {
            println!("{kind:<18} {right:>6} of {all:>6}  {:.4}", *right as f64 / *all as f64);
        }
        println!("word for word      {:.4}", self.word_for_word);
        println!("calibration error  {:.4}", self.calibration_error);
        println!("abstained from unjudgeable questions  {:.4}", self.abstained_from_unjudgeable);
    }
}

#[test]
fn the_vlm_that_we_ship_answers_the_committed_sample() {
    let Some(mut yard) = yard() else { return };
    let figures = Figures::of(&ask(&mut yard, Path::new("tests/data/yard-questions")));
    figures.print();
    assert!(figures.accuracy("all") >= 0.97);
    assert!(figures.word_for_word >= 0.93);
    assert!(figures.abstained_from_unjudgeable >= 0.8);
}

/// The control: questions about other pictures are answered by chance.
#[test]
fn answers_come_from_the_picture() {
    let Some(mut yard) = yard() else { return };
    let mut answered = ask(&mut yard, Path::new("tests/data/yard-questions"));
    let truths: Vec<Option<bool>> = answered.iter().map(|one| one.posed.yes).collect();
    let half = truths.len() / 2;
    let shuffled = truths.iter().cycle().skip(half);
    for (one, truth) in answered.iter_mut().zip(shuffled) {
        one.posed.yes = truth.or(one.posed.yes);
    }
    assert!(Figures::of(&answered).accuracy("all") < 0.75);
}

#[test]
#[ignore = "minutes, and a folder made by scripts/yard/held_out.py in STAKEOUT_HELD_OUT"]
fn the_vlm_that_we_ship_answers_held_out_scenes() {
    let folder = std::env::var_os("STAKEOUT_HELD_OUT").expect("STAKEOUT_HELD_OUT names a folder of held_out.py");
    let Some(mut yard) = yard() else { return };
    let figures = Figures::of(&ask(&mut yard, Path::new(&folder)));
    figures.print();
    assert!(figures.accuracy("all") >= 0.97);
    assert!(figures.accuracy("person_in_zone") >= 0.95);
    assert!(figures.calibration_error <= 0.02);
    assert!(figures.word_for_word >= 0.93);
}
