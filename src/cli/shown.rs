//! One thing or many, for people or as JSON lines.
//!
//! Owns `--json` and the option of commands about one thing; refuses to know what the things are.

use std::io::{self, Write};

use serde::Serialize;
use uuid::Uuid;

use super::print::{self, Table};
use super::settings::ConfigFile;

/// Which thing, and how it is shown.
#[derive(clap::Args)]
pub(super) struct One {
    /// Its id, as `list` shows it
    pub(super) id: Uuid,
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints `thing`, for people as `describe` has it.
pub(super) fn one<T: Serialize>(
    thing: &T,
    json: bool,
    describe: impl FnOnce(&T, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        print::json_line(&mut out, thing)?;
    } else {
        describe(thing, &mut out)?;
    }
    out.flush()
}

/// Prints a line for each of `things`, for people under the head of `table`; of none, nothing.
pub(super) fn many<T: Serialize, const N: usize>(
    things: &[T],
    json: bool,
    table: impl FnOnce(&[T]) -> Table<N>,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        things.iter().try_for_each(|thing| print::json_line(&mut out, thing))?;
    } else if !things.is_empty() {
        table(things).print(&mut out, print::colour_on_stdout())?;
    }
    out.flush()
}
