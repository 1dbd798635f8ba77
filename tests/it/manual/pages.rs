//! The pages render without a warning, and completions load in the shells that are here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::shared::skip;

/// All pages, in a folder.
pub fn written() -> (TempDir, Vec<PathBuf>) {
    let folder = TempDir::new().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_stakeout")).args(["man", "--out"]).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut pages: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert!(pages.len() > 30, "{pages:?}");
    (folder, pages)
}

fn stakeout(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stakeout")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// As lintian looks at pages: every warning on, formatted for a terminal of 80 columns, nothing shown.
fn rendered(page: &Path) -> Option<Output> {
    let mut man = Command::new("man");
    man.args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]).arg(page);
    man.envs([("LC_ALL", "C.UTF-8"), ("MANROFFSEQ", ""), ("MANWIDTH", "80")]);
    man.output().ok()
}

fn here(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    if !found {
        skip(&format!("`{program}` is not here"));
    }
    found
}

#[test]
fn every_page_renders_without_a_warning() {
    if !here("man") || !here("groff") {
        return;
    }
    let (folder, pages) = written();
    for page in &pages {
        let output = rendered(page).unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && told.is_empty(), "{}: {told}", page.display());
        // And by groff with all its warnings, where man asks for fewer.
        let groff = Command::new("groff").args(["-ww", "-k", "-man", "-Tutf8", "-z"]).arg(page).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&groff.stderr), "", "{}", page.display());
    }
    // What has to be told is told.
    let broken = folder.path().join("broken.1");
    fs::write(&broken, ".TH X 1\n.SH NAME\nx \\- y\n.nosuchmacro\n").unwrap();
    assert!(!rendered(&broken).unwrap().stderr.is_empty());
}

#[test]
fn a_page_reads_well_on_a_terminal() {
    if !here("man") {
        return;
    }
    let (_folder, pages) = written();
    let shown = |name: &str| {
        let page = pages.iter().find(|page| page.ends_with(name)).unwrap();
        let mut man = Command::new("man");
        man.args(["-l", "-E", "UTF-8", "-P", "cat"]).arg(page);
        let output =
            man.env_remove("MAN_KEEP_FORMATTING").envs([("LC_ALL", "C.UTF-8"), ("MANWIDTH", "80")]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // Lines are filled up to the margin.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let retry = shown("stakeout-dlq-retry.1");
    for words in ["stakeout-dlq-retry - Send dead letters again", "EXIT STATUS", "STAKEOUT_CONFIG", "stakeout-dlq(1)"] {
        assert!(flat(&retry).contains(words), "{words}\n{retry}");
    }
    assert!(retry.contains("\n           stakeout dlq retry --endpoint ops --since 12h --until 2h\n"), "{retry}");
    let file = shown("stakeout.toml.5");
    for words in
        ["[storage]", "[[camera]]", "\n       keep_delivered = \"7d\"\n       keep_dead = \"30d\"\n              How"]
    {
        assert!(file.contains(words), "{words}\n{file}");
    }
    let first = Command::new(env!("CARGO_BIN_EXE_stakeout")).arg("man").output().unwrap().stdout;
    assert_eq!(first, fs::read(pages.iter().find(|page| page.ends_with("stakeout.1")).unwrap()).unwrap());
}

#[test]
fn completions_load_in_bash_and_complete() {
    let script = format!(
        "{}\ncomplete -p stakeout || exit 1\n\
         ask() {{ COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _stakeout stakeout \"${{@: -1}}\" \"${{@: -2:1}}\"; \
         echo \"${{COMPREPLY[*]}}\"; }}\n\
         ask stakeout mo; ask stakeout dlq r; ask stakeout completions z; ask stakeout dlq list --sta",
        stakeout(&["completions", "bash"])
    );
    let output = Command::new("bash").args(["--norc", "-eu", "-c", &script]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].contains("-F _stakeout"), "{told}");
    assert_eq!(lines[1..], ["monitor models", "retry", "zsh", "--state"], "{told}");
}

#[test]
fn completions_load_in_zsh() {
    let script = stakeout(&["completions", "zsh"]);
    assert!(script.starts_with("#compdef stakeout\n"), "{script}");
    if here("zsh") {
        let load = format!("autoload -U compinit && compinit -D -u && {script}\n[[ $_comps[stakeout] == _stakeout ]]");
        let output = Command::new("zsh").args(["-f", "-c", &load]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn completions_load_in_fish() {
    let script = stakeout(&["completions", "fish"]);
    assert!(script.contains("complete -c stakeout "), "{script}");
    if here("fish") {
        let ask = format!("{script}\ncomplete -C 'stakeout mo'");
        let output = Command::new("fish").args(["--no-config", "-c", &ask]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains("monitor\t") && output.stderr.is_empty(), "{told}");
    }
}
