//! Commands as they are written: in the fenced blocks and the running text of Markdown, and in the examples of man pages.

use std::fs;
use std::path::Path;

/// A command and where it stands.
#[derive(Clone, Debug)]
pub struct Written {
    /// One line, without its remark.
    pub command: String,
    /// The functions that its block defines.
    pub functions: String,
    /// A file, for messages.
    pub place: String,
}

impl Written {
    /// A command that needs nothing else.
    pub fn alone(command: &str, place: &str) -> Written {
        Written { command: command.to_owned(), functions: String::new(), place: place.to_owned() }
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The commands of the blocks that are for a shell: fenced without a language, or as `sh`.
pub fn blocks(file: &str) -> Vec<Written> {
    let text = format!("\n{}", read(file));
    let fenced = text.split("\n```").skip(1).step_by(2);
    let for_shells = fenced.filter_map(|block| block.strip_prefix("sh\n").or_else(|| block.strip_prefix('\n')));
    for_shells.flat_map(|block| commands(block, file)).collect()
}

fn commands(block: &str, place: &str) -> Vec<Written> {
    let (functions, commands): (Vec<_>, Vec<_>) = lines(block).partition(|line| line.contains("() { "));
    let written = |command| Written { command, functions: functions.join("\n"), place: place.to_owned() };
    commands.into_iter().map(written).collect()
}

/// Programs that the text around the blocks has people type.
const TYPED: [&str; 6] = ["stakeout", "curl", "systemctl", "sudo", "apt", "journalctl"];

/// What the text around the blocks names between backticks and begins with a program that people type.
pub fn mentions(file: &str) -> Vec<Written> {
    let text = read(file);
    let outside: Vec<&str> = text.split("```").step_by(2).collect();
    let spans = outside.iter().flat_map(|text| text.split('`').skip(1).step_by(2));
    let is_typed = |span: &&str| {
        let program = span.split(' ').next().unwrap_or_default();
        program.starts_with("scripts/") || TYPED.contains(&program) && *span != program
    };
    spans.filter(is_typed).map(|span| Written::alone(&span.replace("\\|", "|"), file)).collect()
}

/// The TOML blocks.
pub fn toml(file: &str) -> Vec<String> {
    let text = read(file);
    let blocks = text.split("\n```toml\n").skip(1);
    blocks.map(|rest| rest.split_once("\n```").unwrap().0.to_owned()).collect()
}

/// The examples of a man page: what stands between `.EX` and `.EE`, as it is shown.
pub fn examples(page: &Path) -> Vec<Written> {
    let text = fs::read_to_string(page).unwrap();
    let blocks = text.split("\n.EX\n").skip(1).map(|rest| rest.split_once(".EE\n").unwrap().0);
    let shown = |line: &str| {
        let line = line.strip_prefix("\\&").unwrap_or(line);
        line.replace("\\*(Aq", "'").replace("\\-", "-").replace("\\\\", "\\")
    };
    let blocks: String = blocks.flat_map(str::lines).map(|line| shown(line) + "\n").collect();
    commands(&blocks, &page.file_name().unwrap().to_string_lossy())
}

/// Commands, a line each: lines that go on, also within quotes, are joined, and remarks are left out.
fn lines(block: &str) -> impl Iterator<Item = String> {
    let mut commands = Vec::new();
    let mut open = String::new();
    for line in block.replace("\\\n", "").lines() {
        open = format!("{open} {line}");
        let command = without_remark(&open);
        if is_closed(command) {
            commands.push(command.trim().to_owned());
            open.clear();
        }
    }
    let tidy =
        |command: String| command.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ");
    commands.into_iter().filter(|command| !command.is_empty()).map(tidy)
}

/// Whether every quote in it has its other half.
fn is_closed(text: &str) -> bool {
    ['\'', '"'].iter().all(|quote| text.matches(*quote).count().is_multiple_of(2))
}

fn without_remark(line: &str) -> &str {
    let remark = line.match_indices(" #").find(|(at, _)| is_closed(&line[..*at]));
    remark.map_or(line, |(at, _)| &line[..at])
}

#[test]
fn commands_are_found_as_they_are_typed() {
    let block = "a b   # a remark that isn't one\n# nothing\ncurl x \\\n  -d '{\"a\": \"b #c\"}'\n\nc > d && e\nf '{\n  \"g\"}'  # h's";
    let found: Vec<_> = lines(block).collect();
    assert_eq!(found, ["a b", "curl x -d '{\"a\": \"b #c\"}'", "c > d && e", "f '{ \"g\"}'"]);
    let found = commands("say() { echo \"$1\"; }\nsay a\nsay b", "here");
    let found: Vec<_> = found.iter().map(|it| (it.functions.as_str(), it.command.as_str())).collect();
    assert_eq!(found, [("say() { echo \"$1\"; }", "say a"), ("say() { echo \"$1\"; }", "say b")]);
}
