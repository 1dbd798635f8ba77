//! A page that stays where it is on the terminal and is refreshed in place.
//!
//! Owns the alternate screen, that the old one is there again whatever ends or stops it (a panic, too), and what a refresh
//! writes (everything over what was there, nothing cleared before: no flicker); refuses to know what is on the page. Runs on the main thread; a
//! thread of its own asks the daemon, so that Ctrl-C and a new size never wait for an answer.

use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::thread;

use rustix::process;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::page::Room;
use super::{PAUSE, look, page};
use crate::api::Status;
use crate::cli::client::{Client, ClientError};
use crate::cli::exit::Failure;
use crate::cli::line::Line;
use crate::cli::{print, terminal};

/// The alternate screen, without a cursor; lines end where the terminal ends.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";

/// Everything as it was.
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// Terminals that know it show what comes between these at once.
const BEGIN: &str = "\x1b[?2026h\x1b[H";
const END: &str = "\x1b[J\x1b[?2026l";

/// Whether stdout is a terminal that can move its cursor.
pub(super) fn is_possible() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// How much stdout shows at once. The last column stays free: what clears behind a line that fills the terminal would take
/// its last sign.
pub(super) fn room() -> Room {
    let (columns, rows) = terminal::size();
    Room { columns: columns.map(|columns| columns.max(2) - 1), rows }
}

/// Shows `first`, then whatever `client` learns, until somebody ends it.
pub(super) fn watch(client: Client, first: Status) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let (mut ends, mut resized) = (Ends::new()?, signal(SignalKind::window_change())?);
        let mut stopped = signal(SignalKind::from_raw(process::Signal::TSTP.as_raw()))?;
        let mut answers = ask_again_and_again(client)?;
        let mut screen = Screen::enter()?;
        let (mut status, mut note) = (first, None);
        loop {
            screen.draw(&page(&status, note.as_deref(), room()))?;
            tokio::select! {
                answer = answers.recv() => match answer {
                    Some(Ok(latest)) => (status, note) = (latest, None),
                    Some(Err(ClientError::Unreachable(unreachable))) if !unreachable.denied() => {
                        note = Some(format!("{unreachable}; waiting for it. This is how it was:"));
                    }
                    Some(Err(error)) => return Err(error.into()),
                    None => return Ok(()),
                },
                _ = resized.recv() => {}
                _ = stopped.recv() => screen.make_way()?,
                () = ends.come() => return Ok(()),
            }
        }
    })
}

/// Asks on a thread of its own, for as long as somebody listens.
fn ask_again_and_again(client: Client) -> io::Result<mpsc::Receiver<Result<Status, ClientError>>> {
    let (tell, told) = mpsc::channel(1);
    thread::Builder::new().name("asker".to_owned()).spawn(move || {
        loop {
            thread::park_timeout(PAUSE);
            if tell.blocking_send(look(&client)).is_err() {
                return;
            }
        }
    })?;
    Ok(told)
}

/// What ends it: Ctrl-C, Ctrl-\, an order to end, a terminal that is gone.
struct Ends([Signal; 4]);

impl Ends {
    fn new() -> io::Result<Ends> {
        let [interrupt, quit] = [SignalKind::interrupt(), SignalKind::quit()];
        let [terminate, hangup] = [SignalKind::terminate(), SignalKind::hangup()];
        Ok(Ends([signal(interrupt)?, signal(quit)?, signal(terminate)?, signal(hangup)?]))
    }

    async fn come(&mut self) {
        let [interrupt, quit, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The alternate screen, for as long as this lives.
struct Screen {
    colour: bool,
}

impl Screen {
    fn enter() -> io::Result<Screen> {
        // A panic ends the process without a destructor.
        let before = panic::take_hook();
        panic::set_hook(leaving_first(|| drop(write(LEAVE)), before));
        let screen = Screen { colour: print::colour_on_stdout() };
        write(ENTER)?;
        Ok(screen)
    }

    /// Stops (Ctrl-Z), with the old screen for whoever is there meanwhile, until somebody says to go on. Where nobody could,
    /// without a shell that controls jobs, it is passed over, as the system does.
    fn make_way(&mut self) -> io::Result<()> {
        let leads_its_session = process::getsid(None).is_ok_and(|session| session == process::getpgrp());
        if leads_its_session {
            return Ok(());
        }
        write(LEAVE)?;
        process::kill_process(process::getpid(), process::Signal::STOP)?;
        write(ENTER)
    }

    fn draw(&mut self, lines: &[Line]) -> io::Result<()> {
        write(&refreshed(lines, self.colour))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = write(LEAVE);
    }
}

type PanicHook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// What a panic has to say is said on the old screen.
fn leaving_first(leave: impl Fn() + Send + Sync + 'static, say: PanicHook) -> PanicHook {
    Box::new(move |panic| {
        leave();
        say(panic);
    })
}

/// Each line over the one that was there, and no line feed behind the last: the page would scroll.
fn refreshed(lines: &[Line], colour: bool) -> String {
    let written: Vec<String> = lines.iter().map(|line| line.written(colour) + "\x1b[K").collect();
    format!("{BEGIN}{}{END}", written.join("\r\n"))
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::cli::print::Tint;

    #[test]
    fn a_panic_is_told_on_the_old_screen() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let order = Arc::clone(&order);
            move || order.lock().unwrap().push(what)
        };
        let (left, said) = (note("left"), note("said"));
        let before = panic::take_hook();
        panic::set_hook(leaving_first(left, Box::new(move |_| said())));
        let panicked = panic::catch_unwind(|| panic!("on purpose"));
        panic::set_hook(before);
        assert!(panicked.is_err());
        assert_eq!(*order.lock().unwrap(), ["left", "said"]);
    }

    #[test]
    fn a_refresh_writes_over_what_was_there_and_clears_only_what_is_behind() {
        let lines = [Line::new("box", Tint::Bad), Line::default(), Line::new("end", Tint::Plain)];
        assert_eq!(
            refreshed(&lines, true),
            "\x1b[?2026h\x1b[H\x1b[31mbox\x1b[0m\x1b[K\r\n\x1b[K\r\nend\x1b[K\x1b[J\x1b[?2026l"
        );
        assert!(!refreshed(&lines, false).contains("\x1b[31m"));
    }
}
