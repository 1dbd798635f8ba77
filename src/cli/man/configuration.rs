//! `stakeout.toml.5`: the manual of the configuration as a man page.
//!
//! Owns how it is laid out; what it says is in packaging/stakeout.toml, and nowhere else.

use clap_mangen::roff::{Roff, bold, roman};

use super::roff::{entry, example, paragraph, section, see_also, spans};
use crate::config::{self, ManualSection};

const ABOUT: &str = "\
`stakeout.toml` says which cameras are watched, for what, by which model, and who is told. It is one file in TOML, and \
empty it is right: below stands every key with its default, and with an example where a value must be given. \
`stakeout config` prints the same as a file to start from, `stakeout init` asks for what is needed, `stakeout check` finds \
all mistakes at once, and `stakeout config --schema` tells editors what may stand in it.";

const EXAMPLE: &str = r#"[[camera]]
name = "dock"
url = "rtsp://10.0.0.21/stream1"
username = "viewer"
password_file = "/etc/stakeout/dock.pass"

[[monitor]]
name = "person-at-dock"
camera = "dock"
condition = "Is a person at the dock?"
model = "yolox-nano"
labels = ["person"]
hold = "2 of 3"

[[endpoint]]
name = "ops"
url = "https://your-app.example/hooks/stakeout"
secret_file = "/etc/stakeout/ops.secret""#;

/// The page.
pub(super) fn page() -> String {
    let mut roff = Roff::new();
    let source = concat!("stakeout ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", ["STAKEOUT.TOML", "5", "\"\"", source, "Stakeout"]);
    section(&mut roff, "NAME");
    roff.text([roman("stakeout.toml - configuration of stakeout")]);
    section(&mut roff, "SYNOPSIS");
    roff.text([bold("/etc/stakeout/stakeout.toml")]);

    let manual = config::manual();
    section(&mut roff, "DESCRIPTION");
    roff.text(spans(ABOUT));
    // The lines before that are about the file with its comments.
    manual.head.iter().skip_while(|line| !line.starts_with("Durations: ")).for_each(|line| paragraph(&mut roff, line));
    for part in &manual.sections {
        keys(&mut roff, part);
    }

    section(&mut roff, "EXAMPLES");
    roff.text([roman("A camera, a question about it, and who is told:")]);
    example(&mut roff, EXAMPLE);
    section(&mut roff, "FILES");
    entry(&mut roff, "/etc/stakeout/stakeout.toml", "Read unless `--config` or STAKEOUT_CONFIG names another file.");
    entry(&mut roff, "/usr/share/stakeout/schemas/stakeout.toml.schema.json", "The same for editors.");
    let others = [("stakeout", "1"), ("stakeout-check", "1"), ("stakeout-config", "1"), ("systemd.exec", "5")];
    see_also(&mut roff, &others.map(|(name, number)| (name.to_owned(), number)));
    roff.render()
}

fn keys(roff: &mut Roff, part: &ManualSection) {
    section(roff, &part.header());
    if !part.about.is_empty() {
        roff.text(spans(&part.about));
    }
    for explained in &part.entries {
        for (at, key) in explained.keys.iter().enumerate() {
            roff.control(if at == 0 { "TP" } else { "TQ" }, []);
            roff.text([bold(key.name), roman(format!(" = {}", key.value))]);
        }
        if !explained.text.is_empty() {
            roff.text(spans(&explained.text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_every_key_and_what_the_head_says_of_values() {
        let page = page();
        assert!(page.contains("\n.PP\nDurations: "), "{page}");
        for part in config::manual().sections {
            for key in part.entries.iter().flat_map(|it| &it.keys) {
                assert!(page.contains(&format!("\n\\fB{}\\fR = ", key.name)), "{}", key.name);
            }
        }
    }

    #[test]
    fn its_example_can_be_used() {
        assert!(config::parse(EXAMPLE, "stakeout.toml").is_ok_and(|parsed| parsed.diagnostics.is_empty()));
    }
}
