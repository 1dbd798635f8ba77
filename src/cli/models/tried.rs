//! What `ask` and `models` share: where a model is, how it is loaded without a daemon, how a question is put.
//!
//! Owns the way from the command line to a [`Trial`]; refuses to know what is done with it.

use std::path::Path;
use std::time::Duration;

use crate::catalogue;
use crate::cli::exit::{Exit, Failure};
use crate::config::{self, Config, Monitor};
use crate::frame::{Color, Frame, Matrix, Motion, PixelFormat, Plane};
use crate::model::{self, Family, Folder, FolderError, LoadError, Loaded, Model, Options, Problem, Runtime};
use crate::name::Name;
use crate::picture;
use crate::time::Now;
use crate::trial::{Ready, Trial};

/// What is asked, besides the words; of the model's family some of it makes no sense, and then it is refused.
#[derive(clap::Args, Clone, Debug, Default)]
pub(in crate::cli) struct Asking {
    /// Any of these labels of a classifier or detector, separated by commas
    #[arg(long, value_name = "LABELS", value_delimiter = ',', value_parser = label)]
    pub labels: Vec<String>,
    /// Only in this part of the picture: points "x,y x,y x,y …" from 0,0 (top left) to 1,1 [default: all of it]
    #[arg(long, value_name = "POINTS", value_parser = Zone::new)]
    pub zone: Option<Zone>,
    /// Another description of the same, for zero-shot models; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub prompts: Vec<String>,
    /// What is there otherwise, for zero-shot models; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub negatives: Vec<String>,
    /// Yes from this confidence, 0 to 1
    #[arg(long, value_name = "0-1", default_value_t = 0.5, value_parser = share)]
    pub threshold: f32,
}

/// A label between two commas.
fn label(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("there is no label between two commas".to_owned()),
        label => Ok(label.to_owned()),
    }
}

/// A number from 0 to 1.
pub(in crate::cli) fn share(text: &str) -> Result<f32, String> {
    let share = text.parse::<f32>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "it is a number from 0 to 1".to_owned())
}

/// A polygon.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Zone(Vec<[f64; 2]>);

impl Zone {
    pub(in crate::cli) fn new(text: &str) -> Result<Zone, String> {
        let point = |word: &str| {
            let (x, y) = word.split_once(',')?;
            let side = |text: &str| text.parse::<f64>().ok().filter(|side| (0.0..=1.0).contains(side));
            Some([side(x)?, side(y)?])
        };
        let points: Option<Vec<[f64; 2]>> = text.split_whitespace().map(point).collect();
        let points = points.filter(|points| points.len() >= 3);
        points
            .map(Zone)
            .ok_or_else(|| "a zone has at least three points from 0 to 1: \"0,0.5 1,0.5 1,1 0,1\"".to_owned())
    }
}

/// The folder of model `name`, checked: at the path that the configuration gives, or where models are searched.
pub(in crate::cli) fn folder(config: &Config, name: &Name) -> Result<Folder, Failure> {
    let entry = config.models.iter().find(|entry| entry.name == *name);
    let path = entry.and_then(|entry| entry.path.as_ref()).map(|path| path.value.as_path());
    Folder::open(name, path, &config.storage.path).map_err(|error| unusable(config, &error))
}

fn unusable(config: &Config, error: &LoadError) -> Failure {
    let failure = advised(error);
    let Problem::Folder(FolderError::NotFound { .. }) = error.problem else { return failure };
    failure.hint(whence(config, &error.model))
}

/// What to do about a model that isn't here: fetch it, if it is one of the catalogue; else which one may be meant.
fn whence(config: &Config, missing: &Name) -> String {
    let name = missing.as_str();
    if catalogue::find(name).is_some() {
        return format!("`stakeout models pull {name}` downloads it");
    }
    let mut known: Vec<Name> = config.models.iter().map(|model| model.name.clone()).collect();
    known.extend(model::available(&config.storage.path));
    match config::closest(name, known.iter().map(Name::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`stakeout models list` shows those that are here, and those that can be had".to_owned(),
    }
}

/// Loads the model of a folder.
pub(in crate::cli) fn load(config: &Config, folder: &Folder) -> Result<Loaded, Failure> {
    let library = config.runtime.onnxruntime.as_ref().map(|library| library.value.as_path());
    let runtime = Runtime::load(library).map_err(advised)?;
    let providers = config.runtime.execution_providers.value.clone();
    let options = Options { threads: config.runtime.threads, providers };
    model::load(runtime, folder, options).map_err(advised)
}

/// "What is wrong; what to do": the second half is the hint.
pub(in crate::cli) fn advised(error: impl std::fmt::Display) -> Failure {
    advised_with(Exit::Failure, error)
}

/// The same with another exit code.
pub(in crate::cli) fn advised_with(exit: Exit, error: impl std::fmt::Display) -> Failure {
    let text = error.to_string();
    match text.rsplit_once("; ") {
        Some((what, hint)) => Failure::new(exit, what).hint(hint),
        None => Failure::new(exit, text),
    }
}

/// A picture from a file.
pub(in crate::cli) fn picture(path: &Path) -> Result<Frame, Failure> {
    let told = |error: &dyn std::fmt::Display| advised(format_args!("`{}`: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| told(&error))?;
    picture::still(&bytes).map_err(|error| told(&error))
}

/// A picture of nothing.
pub(in crate::cli) fn grey() -> Frame {
    let (width, height) = (640, 360);
    Frame {
        width,
        height,
        format: PixelFormat::Rgb,
        color: Color { matrix: Matrix::Bt601, full_range: true },
        planes: vec![Plane { data: vec![128; (width * height * 3) as usize], stride: width as usize * 3 }],
        arrived: Now::in_clip(Duration::ZERO),
        pts: Duration::ZERO,
        connection: 0,
        motion: Motion::Unknown,
    }
}

/// The monitor that asks `condition` of model `name`: what is asked on the command line is read, checked and put to the
/// model exactly as what stands in a configuration.
pub(in crate::cli) fn monitor(name: &Name, condition: &str, asking: &Asking) -> Result<Monitor, Failure> {
    use toml::Value;
    let texts = |texts: &[String]| Value::Array(texts.iter().cloned().map(Value::String).collect());
    let mut monitor = toml::Table::new();
    let mut set = |key: &str, value: Value| drop(monitor.insert(key.to_owned(), value));
    set("name", Value::String("question".to_owned()));
    set("camera", Value::String("picture".to_owned()));
    set("model", Value::String(name.to_string()));
    set("confidence_threshold", Value::Float(f64::from(asking.threshold)));
    if !condition.is_empty() {
        set("condition", Value::String(condition.to_owned()));
    }
    if !asking.labels.is_empty() {
        set("labels", texts(&asking.labels));
    }
    if !asking.prompts.is_empty() {
        set("prompts", texts(&asking.prompts));
    }
    if !asking.negatives.is_empty() {
        set("negatives", texts(&asking.negatives));
    }
    if let Some(Zone(points)) = &asking.zone {
        let point = |point: &[f64; 2]| Value::Array(point.iter().copied().map(Value::Float).collect());
        set("zone", Value::Array(points.iter().map(point).collect()));
    }
    let camera = "[[camera]]\nname = \"picture\"\nurl = \"file:///picture\"\n[[monitor]]\n";
    let text = format!("{camera}{monitor}");
    let parsed = config::parse(&text, "the question").map_err(|wrong| Failure::configuration(&wrong))?;
    let monitor = parsed.config.monitors.into_iter().next();
    monitor.ok_or_else(|| Failure::new(Exit::Usage, "there is no question").hint("ask something"))
}

/// What a model of its family would pass over without a word; a configuration that says it is refused, too.
fn senseless(model: &Model, monitor: &Monitor) -> Option<(String, &'static str)> {
    let (name, family) = (&model.identity().name, model.family());
    if !(monitor.prompts.is_empty() && monitor.negatives.is_empty()) && family != Family::ZeroShot {
        let what = format!("`prompts` and `negatives` need a zero-shot model, which `{name}` is not");
        return Some((what, "leave them out"));
    }
    if monitor.zone.is_empty() {
        return None;
    }
    match family {
        Family::Vlm => Some((
            format!("`zone` needs a model that gives boxes, which `{name}` does not"),
            "say in the question where it must be",
        )),
        Family::Classifier => Some((
            format!("`zone` needs a detector, which `{name}` is not"),
            "a classifier sees the picture as a whole: leave it out, or cut the pictures",
        )),
        Family::Detector | Family::ZeroShot => None,
    }
}

/// The question that a monitor asks, made ready for the model that is tried. What would say nothing to it is refused.
pub(in crate::cli) fn ready(trial: &Trial, monitor: &Monitor) -> Result<Ready, Failure> {
    if let Some((what, hint)) = senseless(trial.model(), monitor) {
        return Err(Failure::new(Exit::Usage, what).hint(hint));
    }
    let told = |error: String| error.trim_start_matches("monitor `question`: ").to_owned();
    trial.question(monitor).map_err(|error| advised(told(error.to_string())))
}
