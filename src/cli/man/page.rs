//! The page of a command, made of what the command says of itself.
//!
//! Owns which sections a page has, and what all commands have in common: exit codes, files, environment. Refuses to know
//! any particular command.

use std::collections::BTreeMap;
use std::io;

use clap::Command;
use clap::builder::StyledStr;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::examples;
use super::roff::{entry, example, paragraph, passage, section, see_also, spans};
use crate::cli::help;

const ABOUT: &str = "\
Stakeout runs next to cameras, on a Jetson or an x86 box, as one systemd service. It decodes RTSP cameras, asks an ONNX model \
whether a condition holds, and posts a signed webhook when it does. What it has seen is journaled before it counts, so that an \
event survives a dead uplink, a kill and a reboot.";

/// What belongs to commands that read the configuration.
const FILES: [(&str, &str); 5] = [
    ("/etc/stakeout/stakeout.toml", "The configuration, see stakeout.toml(5)."),
    ("/run/stakeout/stakeout.sock", "Where the daemon is asked, `[api] socket`: by root and the group stakeout."),
    (
        "/var/lib/stakeout/",
        "The state: the journal, the frames of events, models that were downloaded. `[storage] path`.",
    ),
    ("/usr/share/stakeout/models/", "Models that came with the package."),
    ("/usr/lib/stakeout/libonnxruntime.so", "ONNX Runtime, `[runtime] onnxruntime`."),
];

const CONFIGURATION: (&str, &str) = ("STAKEOUT_CONFIG", "The configuration file, unless `--config` names one.");
const COLOUR: (&str, &str) = ("NO_COLOR", "If it is not empty, nothing is coloured; only terminals get colour anyway.");

/// What belongs to commands that watch cameras.
const WATCHING: [(&str, &str); 2] = [
    ("CREDENTIALS_DIRECTORY", "Where systemd puts what `LoadCredential=` names, for keys that end in `_credential`."),
    ("GST_DEBUG", "What GStreamer tells about cameras on stderr, without secrets: `rtspsrc:5`."),
];

/// `stakeout-dlq-retry`
pub(super) fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// The page of `command`, which is `root` or somewhere below it. Both are built.
///
/// # Errors
/// None that memory doesn't make.
pub(super) fn render(root: &Command, command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone().subcommand_value_name("COMMAND"))
        .title(name(command).to_uppercase())
        // Empty but there: what follows would take its place.
        .date("\"\"")
        .source(concat!("stakeout ", env!("CARGO_PKG_VERSION")))
        .manual("Stakeout");
    let mut page = Roff::new().render();
    made_by_library(&mut page, |out| man.render_title(out))?;
    made_by_library(&mut page, |out| man.render_name_section(out))?;
    made_by_library(&mut page, |out| man.render_synopsis_section(out))?;

    let mut roff = Roff::new();
    let said = Said::of(command);
    section(&mut roff, "DESCRIPTION");
    let is_root = command.get_name() == root.get_name();
    let about = command.get_about().map(StyledStr::to_string).unwrap_or_default();
    roff.text(if is_root { spans(ABOUT) } else { spans(&format!("{about}.")) });
    said.passages.iter().for_each(|text| passage(&mut roff, text));
    commands(&mut roff, command, is_root);
    page.push_str(roff.render().trim_start_matches(PREAMBLE));
    made_by_library(&mut page, |out| man.render_options_section(out))?;

    let mut roff = Roff::new();
    exit_status(&mut roff, root, command, said);
    files_and_environment(&mut roff, root, command);
    shown(&mut roff, root, command);
    see_also(&mut roff, &others(root, command));
    page.push_str(roff.render().trim_start_matches(PREAMBLE));
    Ok(page)
}

/// What the library writes before each piece, for apostrophes. Once is enough.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

fn made_by_library(page: &mut String, render: impl Fn(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    let mut piece = Vec::new();
    render(&mut piece)?;
    page.push_str(String::from_utf8_lossy(&piece).trim_start_matches(PREAMBLE));
    Ok(())
}

/// What a command says below its options.
struct Said {
    passages: Vec<String>,
    /// What it says of its exit codes.
    codes: BTreeMap<u8, String>,
}

const CODES: &str = "Exit codes: ";

impl Said {
    fn of(command: &Command) -> Said {
        let text = command.get_after_help().map(StyledStr::to_string).unwrap_or_default();
        let (before, codes) = text.split_once(CODES).unwrap_or((&text, ""));
        let (codes, after) = codes.split_once(".\n").unwrap_or((codes, ""));
        let passages = [before, after].into_iter().map(|text| text.trim_matches('\n')).filter(|text| !text.is_empty());
        Said { passages: passages.map(str::to_owned).collect(), codes: exit_codes(codes) }
    }
}

/// `0 ok, 1 failure, 2 usage.`
fn exit_codes(said: &str) -> BTreeMap<u8, String> {
    let mut codes: BTreeMap<u8, String> = BTreeMap::new();
    let mut current = None;
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in said.trim_end_matches('.').split(", ") {
        let numbered = part.split_once(' ').and_then(|(code, text)| Some((code.parse::<u8>().ok()?, text)));
        if let Some((code, text)) = numbered {
            codes.insert(code, text.to_owned());
            current = Some(code);
        } else if let Some(text) = current.and_then(|code| codes.get_mut(&code)) {
            *text = format!("{text}, {part}");
        }
    }
    codes
}

fn commands(roff: &mut Roff, command: &Command, is_root: bool) {
    let listed = |roff: &mut Roff, inner: &Command| {
        roff.control("TP", []);
        roff.text([bold(name(inner)), roman("(1)")]);
        roff.text(spans(&inner.get_about().map(StyledStr::to_string).unwrap_or_default()));
    };
    if is_root {
        section(roff, "COMMANDS");
        for (title, group) in help::groups(command) {
            roff.control("SS", [title]);
            group.into_iter().for_each(|inner| listed(roff, inner));
        }
    } else if command.has_subcommands() {
        section(roff, "COMMANDS");
        command.get_subcommands().for_each(|inner| listed(roff, inner));
    }
}

/// What holds for all commands, as far as it can happen to this one, and what it says of itself.
fn exit_status(roff: &mut Roff, root: &Command, command: &Command, said: Said) {
    let mut codes = Said::of(root).codes;
    let is_root = command.get_name() == root.get_name();
    if !is_root && !reads_configuration(command) {
        codes.retain(|code, _| *code < 3);
    }
    codes.extend(said.codes);
    section(roff, "EXIT STATUS");
    for (code, meaning) in codes {
        entry(roff, &code.to_string(), &sentence(&meaning));
    }
}

/// `no TLS` as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn files_and_environment(roff: &mut Roff, root: &Command, command: &Command) {
    let is_root = command.get_name() == root.get_name();
    let reads = is_root || reads_configuration(command);
    if reads {
        section(roff, "FILES");
        FILES.iter().for_each(|(file, what)| entry(roff, file, what));
    }
    section(roff, "ENVIRONMENT");
    let mut variables = vec![COLOUR];
    if reads {
        variables.insert(0, CONFIGURATION);
    }
    if is_root || matches!(command.get_name(), "run" | "check") {
        variables.extend(WATCHING);
    }
    variables.iter().for_each(|(variable, what)| entry(roff, variable, what));
}

/// Whether it, or a command below it, takes `--config`.
fn reads_configuration(command: &Command) -> bool {
    let takes = command.get_arguments().any(|argument| argument.get_long() == Some("config"));
    takes || command.get_subcommands().any(reads_configuration)
}

/// A command's own examples; of a command that has others below it, theirs.
fn shown(roff: &mut Roff, root: &Command, command: &Command) {
    section(roff, "EXAMPLES");
    let is_root = command.get_name() == root.get_name();
    let path = name(command);
    for (at, (what, line)) in examples::of(&path, !is_root && command.has_subcommands()).enumerate() {
        if at == 0 {
            roff.text(spans(what));
        } else {
            paragraph(roff, what);
        }
        example(roff, line);
    }
}

fn others(root: &Command, command: &Command) -> Vec<(String, &'static str)> {
    let own = name(command);
    let mut pages: Vec<(String, &'static str)> = Vec::new();
    if own != root.get_name() {
        pages.push((root.get_name().to_owned(), "1"));
    }
    if let Some((parent, _)) = own.rsplit_once('-').filter(|(parent, _)| parent.contains('-')) {
        pages.push((parent.to_owned(), "1"));
    }
    let group = help::groups(root)
        .into_iter()
        .map(|(_, group)| group)
        .find(|group| group.iter().any(|member| name(member) == own));
    let related = group.into_iter().flatten().map(name).filter(|member| *member != own);
    pages.extend(related.map(|member| (member, "1")));
    pages.push(("stakeout.toml".to_owned(), "5"));
    if own == root.get_name() {
        pages.extend(["systemctl", "journalctl"].map(|other| (other.to_owned(), "1")));
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_read_from_what_commands_say() {
        let codes = exit_codes("0 it works (warnings, too), 1 failure, 78 when the file\nis wrong, or empty.");
        let expected = [(0, "it works (warnings, too)"), (1, "failure"), (78, "when the file is wrong, or empty")];
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), expected.map(|(code, text)| (code, text.to_owned())));
    }

    fn page(path: &[&str]) -> String {
        let mut root = crate::cli::command();
        root.build();
        let command = path.iter().fold(&root, |command, name| command.find_subcommand(name).unwrap());
        render(&root, command).unwrap()
    }

    #[test]
    fn codes_of_its_own_stand_beside_those_of_all() {
        let check = page(&["endpoint", "check"]);
        for code in ["\\fB2\\fR\nUsage.", "\\fB3\\fR\n", "\\fB6\\fR\nNo TLS.", "\\fB78\\fR\n"] {
            assert!(check.contains(code), "{code}\n{check}");
        }
        assert!(!check.contains("Exit codes"), "{check}");
        let keygen = page(&["keygen"]);
        assert!(keygen.contains("\\fB2\\fR\n") && !keygen.contains("\\fB78\\fR\n"), "it reads no configuration");
        assert!(!keygen.contains("STAKEOUT_CONFIG") && keygen.contains("NO_COLOR"), "{keygen}");
        let run = page(&["run"]);
        assert!(run.contains("\\fB78\\fR\nWhen the configuration has to change first"), "{run}");
        assert!(run.contains("GST_DEBUG"), "{run}");
    }
}
