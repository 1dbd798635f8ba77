//! `stakeout doctor`: everything that a support engineer would ask for, each with how to mend it.
//!
//! Owns the order of the checks and the exit code; refuses to know what any of them looks at. Looks at this machine from
//! this process, with a daemon or without one, and changes nothing that anybody would miss. Runs on the main thread; cameras have threads of
//! their own.

mod access;
mod cameras;
mod clock;
mod configuration;
mod daemon;
mod decoding;
mod disk;
mod endpoints;
mod host;
mod inference;
mod journal;
mod names;
mod reach;
mod report;
mod unit;

use super::account::Account;
use super::exit::Failure;
use super::settings::ConfigFile;
use report::{Finding, Report};

const AFTER_HELP: &str = "\
Run it as root: then it also tells whether the service's user may read and write what it has to.
It opens a connection of its own to every camera, for one picture, and sends a signed check to every
endpoint; to those that would act on whatever comes (Trio's formats, videodb) it only connects. It writes a nameless file in the state folder, to measure the disk, and
otherwise only what can be made again at any time: what GStreamer and GLib keep in ~/.cache and, where
the state folder is this user's own, what a zero-shot model makes of a description.
Exit codes: 0 nothing fails (warnings may be there), 1 something does.";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON lines, one a check
    #[arg(long)]
    json: bool,
    /// Send nothing to endpoints, and look up no names
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut report = Report::new(args.json);
    host::examine(&mut report)?;
    clock::examine(&mut report)?;
    let path = args.file.path();
    let config = configuration::examine(&path, &mut report)?;
    let service = Account::of_service(&path, &config.storage.path);
    access::examine(&path, &config, &service, &mut report)?;
    disk::examine(&config.storage, &mut report)?;
    let status = daemon::examine(&config.api.socket, &mut report)?;
    journal::examine(&config.storage.path, status.as_ref(), &mut report)?;
    unit::examine(&mut report)?;
    inference::examine(&config, &mut report)?;
    if decoding::examine(&config.cameras, &mut report)? {
        cameras::examine(&config, status.as_ref(), &mut report)?;
    }
    if args.offline {
        report.tell(Finding::ok("endpoint", "not tried, and no names looked up (`--offline`)"))?;
    } else {
        names::examine(&config, &mut report)?;
        endpoints::examine(&config, &mut report)?;
    }
    report.end()
}
