//! Commands as they are written: in the fenced blocks and the running text of Markdown, and in the examples of man pages.

use std::fs;
use std::path::Path;

/// A command and where it stands.
#[derive(Clone, Debug)]
pub struct Written {
    /// One line, without its remark.
    pub command: String,
    /// A file, for messages.
    pub place: String,
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The commands of the blocks that are for a shell: fenced without a language, or as `sh`.
pub fn blocks(file: &str) -> Vec<Written> {
    let text = read(file);
    let mut blocks = String::new();
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), fence) {
            (Some(language), None) => fence = Some(language),
            (Some(_), Some(_)) => fence = None,
            (None, Some("" | "sh")) => {
                blocks.push_str(line);
                blocks.push('\n');
            }
            _ => {}
        }
    }
    lines(&blocks).map(|command| Written { command, place: file.to_owned() }).collect()
}

/// What the text around the blocks names between backticks and begins with a program that people type.
pub fn mentions(file: &str) -> Vec<Written> {
    let text = read(file);
    let outside: Vec<&str> = text.split("```").step_by(2).collect();
    let spans = outside.iter().flat_map(|text| text.split('`').skip(1).step_by(2));
    let is_typed = |span: &&str| {
        let program = span.split(' ').next().unwrap_or_default();
        program.starts_with("scripts/") || ["stakeout", "curl"].contains(&program) && *span != program
    };
    spans.filter(is_typed).map(|span| Written { command: span.replace("\\|", "|"), place: file.to_owned() }).collect()
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
    let place = page.file_name().unwrap().to_string_lossy().into_owned();
    lines(&blocks).map(|command| Written { command, place: place.clone() }).collect()
}

/// Commands, a line each: lines that go on are joined, remarks are left out.
fn lines(block: &str) -> impl Iterator<Item = String> {
    let joined = block.replace("\\\n", "");
    let commands: Vec<String> = joined.lines().map(|line| without_remark(line).trim().to_owned()).collect();
    let tidy =
        |command: String| command.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ");
    commands.into_iter().filter(|command| !command.is_empty()).map(tidy)
}

fn without_remark(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    let remark = line.match_indices(" #").find(|(at, _)| {
        let before = &line[..*at];
        ['\'', '"'].iter().all(|quote| before.matches(*quote).count().is_multiple_of(2))
    });
    remark.map_or(line, |(at, _)| &line[..at])
}

#[test]
fn commands_are_found_as_they_are_typed() {
    let found: Vec<_> =
        lines("a b   # a remark\n# nothing\ncurl x \\\n  -d '{\"a\": \"b #c\"}'\n\nc > d && e").collect();
    assert_eq!(found, ["a b", "curl x -d '{\"a\": \"b #c\"}'", "c > d && e"]);
}
