//! `stakeout init`: the first camera, monitor and endpoint, asked for, tried out and written down.
//!
//! Owns the order of things; refuses to know how anything is asked (`dialogue`), tried (`probe`) or written (`place`). All of
//! it, the picture too, is in memory until the last moment: whoever leaves before, by Ctrl-C too, leaves nothing behind.

mod dialogue;
mod draft;
mod given;
mod place;
mod probe;
mod questions;
mod terminal;
mod watchable;

use std::io::{self, Write};
use std::path::Path;

use super::exit::Failure;
use super::print;
use super::settings::ConfigFile;
use dialogue::Dialogue;
use draft::Draft;
use given::Given;
use place::{Place, Written};
use probe::Probe;

const AFTER_HELP: &str = "\
On a terminal it asks for what isn't given; with the URLs of a camera and of an endpoint it asks nothing.
Passwords and secrets are read from files (or typed unseen), and written into files of their own
beside the configuration, with mode 600. A configuration that says anything is not replaced
without --force. Whatever is replaced is kept as FILE.before, FILE.before-2 and so on, and the first
picture takes a free name unless --picture gives one.
Exit codes: 0 it is written, 1 something that was tried doesn't work, 2 usage; nothing is written then.";

/// A camera or a receiver may come later.
const UNTRIED: &str = "; with `--no-probe` it is written untried";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    given: Given,
    /// Try nothing: for a camera or a receiver that isn't there yet
    #[arg(long)]
    no_probe: bool,
    /// Replace a configuration that is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let path = std::path::absolute(args.file.path()).map_err(|error| Failure::plain(format_args!("{error}")))?;
    let place = Place::find(&path, args.force)?;
    let dialogue = Dialogue::new(&args.given)?;
    let mut draft = Draft::new(&place, &args.given);
    let mut probe = Probe::new(!args.no_probe);

    questions::given_model(&args.given, &draft)?;

    settle(&dialogue, &args.given, UNTRIED, |given| {
        let before = draft.camera.take().map(|camera| camera.name);
        draft.camera = Some(questions::camera(&dialogue, given, before)?);
        Ok(probe.camera(&draft))
    })?;
    settle(&dialogue, &args.given, UNTRIED, |given| {
        let before = draft.endpoint.take().map(|endpoint| endpoint.name);
        draft.endpoint = Some(questions::endpoint(&dialogue, given, before, &place)?);
        Ok(probe.endpoint(&draft))
    })?;
    // Without trying it a model would be no better: `check` and `run` would refuse what is written.
    settle(&dialogue, &args.given, "", |given| {
        draft.watch = questions::watch(&dialogue, given, &draft)?;
        Ok(probe.watch(&mut draft))
    })?;

    probe::parsed(&draft)?;
    let written = place.write(&draft)?;
    probe.save_picture(&draft, args.given.picture.as_deref());
    say_what_is_next(&path, &draft, &written)
}

/// Asks until the answers work, or until whoever answers goes on all the same. What was given counts the first time.
/// `untried`: what else helps where nobody is asked and something outside doesn't work.
/// `attempt`: the outer error, nobody answered; the inner one, the answers don't work.
fn settle(
    dialogue: &Dialogue,
    given: &Given,
    untried: &str,
    mut attempt: impl FnMut(&Given) -> Result<Result<(), Failure>, Failure>,
) -> Result<(), Failure> {
    let (mut given, anew) = (given, given.without_answers());
    loop {
        let Err(failure) = attempt(given)? else { return Ok(()) };
        if !dialogue.asks() {
            let untried = if failure.is_usage() { "" } else { untried };
            return Err(failure.hint(format_args!("nothing was written{untried}")));
        }
        failure.report();
        match dialogue.choose("What now?", &["enter it anew", "go on all the same", "leave"], 0)? {
            0 => given = &anew,
            1 => return Ok(()),
            _ => return Err(dialogue::left()),
        }
    }
}

fn say_what_is_next(path: &Path, draft: &Draft, Written { files, kept }: &Written) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for file in kept {
        writeln!(out, "kept     {}", print::one_line(&file.display().to_string()))?;
    }
    for file in files {
        writeln!(out, "written  {}", print::one_line(file))?;
    }
    for step in draft.next_steps(path) {
        writeln!(out, "next     {step}")?;
    }
    Ok(out.flush()?)
}
