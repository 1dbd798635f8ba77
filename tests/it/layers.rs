//! The building's statics: modules import only downward, and only their owners name the outside things.
//!
//! The table below is ARCHITECTURE.md's; a failure names the file, the import and the reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every module and its floor. A new module needs a line here and one in ARCHITECTURE.md.
const FLOORS: &[(&str, u8)] = &[
    ("delivery", 0),
    ("event", 0),
    ("frame", 0),
    ("meter", 0),
    ("name", 0),
    ("secret", 0),
    ("time", 0),
    ("verdict", 0),
    ("calibration", 1),
    ("catalogue", 1),
    ("condition", 1),
    ("config", 1),
    ("credentials", 1),
    ("egress", 1),
    ("expectation", 1),
    ("gate", 1),
    ("heartbeat", 1),
    ("judge", 1),
    ("payload", 1),
    ("picture", 1),
    ("presence", 1),
    ("recording", 1),
    ("redact", 1),
    ("retry", 1),
    ("sign", 1),
    ("broadcast", 2),
    ("camera", 2),
    ("journal", 2),
    ("model", 2),
    ("secrets", 2),
    ("systemd", 2),
    ("telemetry", 2),
    ("transport", 2),
    ("api", 3),
    ("preflight", 3),
    ("pull", 3),
    ("recorder", 3),
    ("sender", 3),
    ("watch", 3),
    ("daemon", 4),
    ("replay", 4),
    ("trial", 4),
    ("cli", 5),
    ("main", 6),
];

/// Outside things, and the only module that may name them.
const OWNED: &[(&str, &[&str])] = &[
    ("gstreamer", &["camera"]),
    ("gio::", &["camera"]),
    (" ort::", &["model"]),
    ("rusqlite", &["journal"]),
    ("reqwest", &["transport", "cli"]),
    ("hyper::", &["api", "transport"]),
    ("lettre", &["transport"]),
    ("axum", &["api"]),
    ("sd_notify", &["systemd"]),
    ("prometheus_client", &["api"]),
];

/// What would make a decision impure, with the reason.
const IMPURE: &[(&str, &str)] = &[
    ("std::fs", "decisions do no I/O"),
    ("std::net::Tcp", "decisions do no I/O"),
    ("std::thread", "decisions start no threads"),
    ("tokio::", "decisions start no threads"),
    ("Instant::now", "decisions read no clock"),
    ("SystemTime::now", "decisions read no clock"),
    ("time::now()", "decisions take the time as an argument"),
];

struct Source {
    module: String,
    path: PathBuf,
    /// Without the tests at its end.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests") || folder_is(&path, "tests");
            if path.extension().is_none_or(|ext| ext != "rs") || is_test {
                continue;
            }
            let inside = path.strip_prefix(&root).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("\n#[cfg(test)]\n").next().unwrap().to_owned();
            found.push(Source { module, path: Path::new("src").join(inside), code });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn folder_is(path: &Path, name: &str) -> bool {
    path.parent().and_then(Path::file_name).is_some_and(|folder| folder == name)
}

fn floors() -> BTreeMap<&'static str, u8> {
    FLOORS.iter().copied().collect()
}

/// The modules of this crate that a source names: `crate::x` or, in the binary, `stakeout::x`.
fn imports(source: &Source) -> Vec<String> {
    let code: String =
        source.code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut named = Vec::new();
    for prefix in ["crate::", "stakeout::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let group = group.split('}').next().unwrap_or_default();
                named
                    .extend(group.split(',').map(|item| item.trim().split("::").next().unwrap_or_default().to_owned()));
            } else {
                named.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
    named.retain(|name| !name.is_empty());
    named
}

fn violations(sources: &[Source]) -> Vec<String> {
    let floors = floors();
    let mut wrong = Vec::new();
    for source in sources {
        let path = source.path.display();
        let Some(&floor) = floors.get(source.module.as_str()) else {
            if source.module != "lib" {
                wrong.push(format!(
                    "{path}: `{}` stands on no floor: add it to FLOORS and to ARCHITECTURE.md",
                    source.module
                ));
            }
            continue;
        };
        for import in imports(source) {
            let Some(&below) = floors.get(import.as_str()) else { continue };
            let sideways = floor <= 1 && below == floor;
            if import != source.module && below >= floor && !sideways {
                wrong.push(format!(
                    "{path}: `{}` (floor {floor}) imports `{import}` (floor {below}): only downward",
                    source.module
                ));
            }
        }
    }
    wrong
}

#[test]
fn modules_import_only_downward() {
    let wrong = violations(&sources());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_upward_import_is_found() {
    let upward = |module: &str, code: &str| {
        violations(&[Source { module: module.into(), path: "src/x.rs".into(), code: code.into() }]).len()
    };
    assert_eq!(upward("retry", "use crate::journal::Journal;"), 1);
    assert_eq!(upward("camera", "use crate::{model, time};"), 1, "drivers never import each other");
    assert_eq!(upward("nowhere", ""), 1);
    assert_eq!(upward("journal", "use crate::delivery::State; use crate::journal::x;"), 0);
    assert_eq!(upward("sign", "use crate::config;"), 0, "sideways on floor 1");
}

#[test]
fn sideways_imports_make_no_circle() {
    let floors = floors();
    let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources().iter().filter(|source| floors.get(source.module.as_str()).is_some_and(|floor| *floor <= 1))
    {
        let named = imports(source).into_iter().filter(|name| *name != source.module);
        edges.entry(source.module.clone()).or_default().extend(named);
    }
    // Modules whose imports are all placed can be placed; a circle leaves some for ever.
    let mut placed: Vec<String> = Vec::new();
    while let Some(next) = edges
        .iter()
        .find(|(module, named)| {
            !placed.contains(module) && named.iter().all(|name| placed.contains(name) || !edges.contains_key(name))
        })
        .map(|(module, _)| module.clone())
    {
        placed.push(next);
    }
    let left: Vec<_> = edges.keys().filter(|module| !placed.contains(module)).collect();
    assert!(left.is_empty(), "these modules import each other in a circle: {left:?}");
}

#[test]
fn outside_things_have_one_owner() {
    for source in sources() {
        for (thing, owners) in OWNED {
            let named = source.code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(thing));
            let allowed = owners.contains(&source.module.as_str());
            assert!(allowed || !named, "{}: only {owners:?} may name `{thing}`", source.path.display());
        }
    }
}

#[test]
fn decisions_are_pure() {
    let floors = floors();
    for source in sources() {
        if source.module == "time" || floors.get(source.module.as_str()).is_none_or(|floor| *floor > 1) {
            continue;
        }
        for (call, reason) in IMPURE {
            assert!(!source.code.contains(call), "{}: `{call}`: {reason}", source.path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_owns_and_holds_one_idea() {
    for source in sources() {
        let path = source.path.display();
        assert!(source.code.starts_with("//!"), "{path} does not open with //!");
        let lines = source.code.lines().count();
        assert!(lines <= 400, "{path} has {lines} non-test lines: a file of more than 400 has two ideas in it");
    }
}

#[test]
fn the_map_shows_every_module() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    for source in sources().iter().filter(|source| source.module != "lib") {
        assert!(map.contains(&format!("`{}", source.module)), "ARCHITECTURE.md does not show `{}`", source.module);
    }
}
