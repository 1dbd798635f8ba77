//! The binary: parse, run, print, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    stakeout::cli::main()
}
