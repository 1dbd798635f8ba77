//! The manual of the configuration, taken apart: its sections, their keys at their defaults, and what it says about them.
//!
//! Owns how packaging/stakeout.toml is laid out, which its own head explains; refuses to know what a key means. The man page
//! and the JSON Schema are made of it, so that neither says anything else. Pure.

use super::MANUAL;

/// The whole manual.
#[derive(Debug)]
pub struct Manual {
    /// What stands before the first section, a line each.
    pub head: Vec<&'static str>,
    /// In the order of the file.
    pub sections: Vec<Section>,
}

/// `[storage]`, or `[[camera]]`.
#[derive(Debug)]
pub struct Section {
    /// Without brackets.
    pub name: &'static str,
    /// Whether there can be several.
    pub repeated: bool,
    /// What it is for; may be empty.
    pub about: String,
    /// In the order of the file.
    pub entries: Vec<Entry>,
}

/// Keys that are explained together.
#[derive(Debug)]
pub struct Entry {
    /// The explanation in one line; empty where there is none.
    pub text: String,
    /// At least one.
    pub keys: Vec<Key>,
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Its default as TOML; an example where a value must be given.
    pub value: &'static str,
}

/// Keys without a default: what stands beside them is an example, as (section, key).
const EXAMPLES: [(&str, &str); 9] = [
    ("camera", "name"),
    ("camera", "url"),
    ("model", "name"),
    ("monitor", "name"),
    ("monitor", "camera"),
    ("monitor", "condition"),
    ("monitor", "model"),
    ("endpoint", "name"),
    ("endpoint", "url"),
];

/// Keys whose default depends on something else, which the explanation tells.
const DERIVED: [(&str, &str); 2] = [("monitor", "clear_threshold"), ("monitor", "endpoints")];

impl Section {
    /// The default of a key of it, as TOML; None where there is none that always holds.
    pub fn default_of(&self, key: &Key) -> Option<&'static str> {
        let known = (self.name, key.name);
        (!EXAMPLES.contains(&known) && !DERIVED.contains(&known)).then_some(key.value)
    }

    /// `[storage]` or `[[camera]]`, as in the file.
    pub fn header(&self) -> String {
        if self.repeated { format!("[[{}]]", self.name) } else { format!("[{}]", self.name) }
    }
}

enum Line {
    Explanation(&'static str),
    Header {
        name: &'static str,
        repeated: bool,
    },
    Setting(Key),
    Blank,
    /// `#:schema`: for editors.
    Directive,
}

impl Line {
    fn read(line: &'static str) -> Line {
        if line.starts_with("#:") {
            return Line::Directive;
        }
        if line == "#" {
            return Line::Explanation("");
        }
        if let Some(text) = line.strip_prefix("# ") {
            return Line::Explanation(text);
        }
        let setting = line.strip_prefix('#').unwrap_or(line);
        if let Some(name) = setting.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
            return Line::Header { name, repeated: true };
        }
        if let Some(name) = setting.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Line::Header { name, repeated: false };
        }
        match setting.split_once(" = ") {
            Some((name, value)) => Line::Setting(Key { name, value }),
            None => Line::Blank,
        }
    }
}

/// Takes the manual apart.
pub fn manual() -> Manual {
    let mut manual = Manual { head: Vec::new(), sections: Vec::new() };
    let mut said: Vec<&'static str> = Vec::new();
    // Whether the next key starts an entry of its own.
    let mut fresh = true;
    for line in MANUAL.lines().map(Line::read) {
        match line {
            Line::Explanation(text) => {
                said.push(text);
                fresh = true;
            }
            Line::Header { name, repeated } => {
                let about = std::mem::take(&mut said).join(" ");
                manual.sections.push(Section { name, repeated, about, entries: Vec::new() });
            }
            Line::Setting(key) => {
                let Some(section) = manual.sections.last_mut() else { continue };
                match section.entries.last_mut() {
                    Some(entry) if !fresh => entry.keys.push(key),
                    _ => section.entries.push(Entry { text: std::mem::take(&mut said).join(" "), keys: vec![key] }),
                }
                fresh = false;
            }
            Line::Blank if manual.sections.is_empty() && !said.is_empty() => manual.head = std::mem::take(&mut said),
            Line::Blank => fresh = true,
            Line::Directive => {}
        }
    }
    manual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_found_in_it() {
        let manual = manual();
        assert!(manual.head.len() > 3 && manual.head[0].starts_with("Stakeout: "), "{:?}", manual.head);
        let storage = manual.sections.iter().find(|section| section.name == "storage").unwrap();
        let keep = storage.entries.iter().find(|entry| entry.text.starts_with("How long events are kept")).unwrap();
        let keys: Vec<_> = keep.keys.iter().map(|key| (key.name, key.value)).collect();
        assert_eq!(keys, [("keep_delivered", "\"7d\""), ("keep_dead", "\"30d\"")]);
        let camera = manual.sections.iter().find(|section| section.name == "camera").unwrap();
        assert_eq!(camera.about, "A camera. Any number of these sections, each with its own name.");
        assert_eq!(camera.header(), "[[camera]]");
        assert_eq!(camera.default_of(&camera.entries[0].keys[0]), None, "a name is an example");
        assert_eq!(camera.entries[0].keys[0].name, "name");
        // Not a line is lost: each is in it once.
        let settings = MANUAL.lines().filter(|line| matches!(Line::read(line), Line::Setting(_))).count();
        let keys: usize = manual.sections.iter().flat_map(|section| &section.entries).map(|it| it.keys.len()).sum();
        assert_eq!(keys, settings);
        let said: usize = manual.head.iter().map(|line| line.len() + 1).sum::<usize>()
            + manual.sections.iter().map(|it| it.about.len() + usize::from(!it.about.is_empty())).sum::<usize>()
            + manual
                .sections
                .iter()
                .flat_map(|section| &section.entries)
                .map(|it| it.text.len() + usize::from(!it.text.is_empty()))
                .sum::<usize>();
        let explained: usize = MANUAL
            .lines()
            .filter_map(|line| match Line::read(line) {
                Line::Explanation(text) => Some(text.len() + 1),
                _ => None,
            })
            .sum();
        assert_eq!(said, explained);
    }

    #[test]
    fn what_has_no_default_is_in_it() {
        let manual = manual();
        for (section, key) in EXAMPLES.into_iter().chain(DERIVED) {
            let section = manual.sections.iter().find(|it| it.name == section).unwrap();
            assert!(section.entries.iter().flat_map(|it| &it.keys).any(|it| it.name == key), "{key}");
        }
    }
}
