//! `stakeout run`: the daemon, once its configuration is known to be usable.

use super::exit::Failure;
use super::print;
use super::settings::ConfigFile;
use crate::{config, daemon, preflight, secrets, telemetry};

const AFTER_HELP: &str = "\
Exit codes: 78 when the configuration has to change first (systemd then leaves the service alone),
1 when another start may help, as after a secret, model or library that couldn't be read (systemd
then starts it again).
`stakeout check` exits with 78 for both.";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut parsed = args.file.load()?;
    telemetry::start(&parsed.config.log).map_err(Failure::plain)?;
    secrets::leave_no_core();
    let Some(ready) = preflight::check(&parsed.config, &mut parsed.diagnostics) else {
        return Err(Failure::at_start(&parsed.diagnostics));
    };
    config::caution(&parsed.config, &mut parsed.diagnostics);
    if !parsed.diagnostics.is_empty() {
        print::say(&parsed.diagnostics.render(print::colour_on_stderr()));
    }
    daemon::run(parsed.config, ready).map_err(Failure::plain)
}
