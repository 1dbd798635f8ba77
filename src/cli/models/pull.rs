//! `stakeout models pull`: a published model, downloaded and verified.
//!
//! Owns how progress is shown: a bar on a terminal, otherwise a line when a file begins and one when it is done. Refuses to
//! know how a download goes (`pull`).

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::tried;
use crate::catalogue::{self, Precision};
use crate::cli::exit::{Exit, Failure};
use crate::cli::print;
use crate::cli::settings::ConfigFile;
use crate::name::Name;
use crate::pull::{self, Checked, Order, Pulled, Step};

const AFTER_HELP: &str = "\
NAME is one of the catalogue (`stakeout models list`), or a folder beside the models whose manifest
names its files with their SHA-256 and a `source` (`hf:org/repo@revision` or an https URL).
A download that breaks off goes on where it ended when the command is given again. Nothing becomes a
model before every file is complete and has the SHA-256 that the manifest or the catalogue knows;
where neither does, the one that the source announces, where it announces one, and the one that
models.lock remembers from the first time.";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Args {
    /// Name of the model
    #[arg(value_parser = Name::new)]
    name: Name,
    #[command(flatten)]
    file: ConfigFile,
    /// Download from here instead of the hub, or of the model's own website
    // Read later: clap repeats what it refuses, and this may hold a password.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Folder that gets the model's folder [default: models in the state directory]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Weights to take: fp32, fp16, int8, uint8, quantized, q4, q4f16 or bnb4 [default: what the catalogue recommends]
    #[arg(long, value_parser = Precision::new)]
    precision: Option<Precision>,
    /// Take what the source has now, even if it is not what models.lock remembers
    #[arg(long)]
    update: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let base_url = args.base_url.as_deref().map(catalogue::mirror).transpose();
    let base_url = base_url.map_err(|wrong| tried::advised_with(Exit::Usage, wrong))?;
    let config = args.file.load_or_default()?.config;
    let models = args.to.clone().unwrap_or_else(|| config.storage.path.join("models"));
    let Args { name, precision, update, .. } = args;
    let order = Order { name: name.clone(), models, base_url, precision: *precision, update: *update };
    let mut progress = Progress::new();
    let pulled = pull::run(&order, &Arc::new(config.egress), &mut |step| progress.show(&step));
    progress.bar.finish_and_clear();
    let pulled = pulled.map_err(tried::advised)?;
    let mut out = io::stdout().lock();
    match &pulled {
        Pulled::AlreadyThere(folder) => writeln!(out, "model `{name}` is here already: {}", folder.display())?,
        Pulled::New(folder) => writeln!(out, "model `{name}` is here: {}", folder.display())?,
        Pulled::Completed(folder) => writeln!(out, "model `{name}` is complete: {}", folder.display())?,
    }
    if let Some(entry) =
        catalogue::find(name.as_str()).filter(|entry| matches!(pulled, Pulled::New(_)) && !entry.verified)
    {
        let note = if entry.note.is_empty() { String::new() } else { format!(" ({})", entry.note) };
        print::say(&format!(
            "note: this project has not loaded this file itself{note}; `stakeout models check {name}` tries it"
        ));
    }
    Ok(out.flush()?)
}

struct Progress {
    bar: ProgressBar,
    on_terminal: bool,
}

impl Progress {
    fn new() -> Progress {
        Progress { bar: ProgressBar::hidden(), on_terminal: io::stderr().is_terminal() }
    }

    fn show(&mut self, step: &Step<'_>) {
        match step {
            Step::Begins { path, size, have } if self.on_terminal => self.begin(path, *size, *have),
            Step::Begins { path, size, have } => {
                let size = size.map_or("unknown size".to_owned(), print::size);
                let from = if *have > 0 { format!(", {} are here already", print::size(*have)) } else { String::new() };
                print::say(&format!("{path}: {size}{from}"));
            }
            Step::Has(bytes) => self.bar.set_position(*bytes),
            Step::Again { why } => {
                self.bar.suspend(|| print::say(&format!("{}; going on from there", print::one_line(why))));
            }
            Step::Done { path, size, checked } => {
                self.bar.finish_and_clear();
                print::say(&format!("{path}: {}, {}", print::size(*size), words(*checked)));
            }
        }
    }

    fn begin(&mut self, path: &str, size: Option<u64>, have: u64) {
        self.bar.finish_and_clear();
        self.bar = size.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_message(path.to_owned());
        self.bar.set_position(have);
        self.bar.reset_eta();
    }
}

fn words(checked: Checked) -> &'static str {
    match checked {
        Checked::Known => "the SHA-256 is the one that is known",
        Checked::Locked => "the SHA-256 is the one in models.lock",
        Checked::Announced => "the SHA-256 is the one that was announced",
        Checked::FirstUse => "no SHA-256 was announced: this one is kept in models.lock",
    }
}
