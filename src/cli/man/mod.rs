//! `stakeout man`: the man pages, made of what the commands say of themselves and of the manual of the configuration.
//!
//! Owns which pages there are and how their files are called; refuses to know what is in them.

mod configuration;
mod examples;
mod page;
mod roff;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use super::exit::Failure;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder that gets all pages, a file each: of every command, and stakeout.toml.5 [default: stakeout.1 on stdout]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// A man page: the name of its file, and its text.
struct Page {
    file: String,
    text: String,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let pages = pages()?;
    let Some(folder) = &args.out else {
        let mut out = io::stdout().lock();
        out.write_all(pages[0].text.as_bytes())?;
        return Ok(out.flush()?);
    };
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    for page in pages {
        let file = folder.join(page.file);
        fs::write(&file, page.text).map_err(|error| unwritable(&file, &error))?;
    }
    Ok(())
}

fn unwritable(path: &std::path::Path, error: &io::Error) -> Failure {
    Failure::plain(format_args!("cannot write `{}`: {error}", path.display()))
        .hint("name a folder that you may write to with `--out`")
}

/// All of them, `stakeout.1` first.
fn pages() -> io::Result<Vec<Page>> {
    let mut root = super::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, &root, &mut pages)?;
    pages.push(Page { file: "stakeout.toml.5".to_owned(), text: configuration::page() });
    pages.iter_mut().for_each(|page| page.text = roff::in_ascii(&page.text));
    Ok(pages)
}

fn collect(root: &clap::Command, command: &clap::Command, pages: &mut Vec<Page>) -> io::Result<()> {
    pages.push(Page { file: format!("{}.1", page::name(command)), text: page::render(root, command)? });
    command.get_subcommands().filter(|inner| !inner.is_hide_set()).try_for_each(|inner| collect(root, inner, pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_command_and_one_for_the_file() {
        let files: Vec<_> = pages().unwrap().into_iter().map(|page| page.file).collect();
        assert_eq!(files[0], "stakeout.1");
        for file in ["stakeout-status.1", "stakeout-dlq.1", "stakeout-dlq-retry.1", "stakeout-man.1", "stakeout.toml.5"]
        {
            assert!(files.iter().any(|it| it == file), "{files:?}");
        }
    }

    #[test]
    fn every_page_has_what_people_look_for() {
        for page in pages().unwrap() {
            assert!(page.text.is_ascii(), "{}", page.file);
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "SEE ALSO"] {
                let heading = format!("\n.SH {section}\n").replace("SEE ALSO", "\"SEE ALSO\"");
                assert!(page.text.contains(&heading), "{}: {section}", page.file);
            }
            let exit = page.text.contains("\n.SH \"EXIT STATUS\"\n");
            assert_eq!(exit, page.file.ends_with(".1"), "{}", page.file);
        }
    }
}
