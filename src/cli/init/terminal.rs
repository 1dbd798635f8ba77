//! Lines from a terminal, seen and unseen.
//!
//! Owns its modes while something secret is typed, and that they are put back whichever key ends that (a signal from outside
//! leaves them: a shell sets its own again, and `stty sane` helps elsewhere); refuses to know what is asked.

use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroize;

use super::dialogue::left;
use crate::cli::exit::Failure;
use crate::secret::Secret;

/// What Ctrl-C, Ctrl-D and the two deletions send where the terminal doesn't act on them.
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const ERASE: [u8; 2] = [8, 127];

fn ask(prompt: &str) -> Result<(), Failure> {
    let mut err = io::stderr().lock();
    write!(err, "{prompt}: ").and_then(|()| err.flush()).map_err(|_| left())
}

/// A line; an empty one is `default`.
pub(super) fn line(prompt: &str, default: &str) -> Result<String, Failure> {
    ask(&if default.is_empty() { prompt.to_owned() } else { format!("{prompt} [{default}]") })?;
    let mut line = String::new();
    match io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => Err(left()),
        Ok(_) if line.trim().is_empty() => Ok(default.to_owned()),
        Ok(_) => Ok(line.trim().to_owned()),
    }
}

/// A line that isn't shown.
pub(super) fn unseen(prompt: &str) -> Result<Secret, Failure> {
    ask(&format!("{prompt} (not shown)"))?;
    let quiet =
        Quiet::begin().map_err(|error| Failure::plain(format_args!("this terminal can't be kept quiet: {error}")))?;
    let typed = typed();
    drop(quiet);
    let _ = writeln!(io::stderr());
    typed
}

/// Byte by byte, so that Ctrl-C puts the terminal back before it ends anything.
fn typed() -> Result<Secret, Failure> {
    let mut bytes = Vec::with_capacity(256);
    let mut stdin = io::stdin().lock();
    let mut byte = [0];
    loop {
        match stdin.read(&mut byte) {
            Ok(1) => {}
            _ => return Err(left()),
        }
        match byte[0] {
            b'\n' | b'\r' => break,
            INTERRUPT | END => {
                bytes.zeroize();
                return Err(left());
            }
            erase if ERASE.contains(&erase) => {
                // All bytes of the last character.
                while bytes.pop().is_some_and(|last: u8| last & 0xc0 == 0x80) {}
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map(Secret::new).map_err(|_| Failure::plain("what was typed is not UTF-8"))
}

/// The terminal shows nothing and sends every key at once, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Quiet> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Quiet(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
