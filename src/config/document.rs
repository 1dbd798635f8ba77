//! A file as a whole: its sections, in which order they are read, and what they make together.
//!
//! Owns the names of the sections; refuses to know what is in them.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::cross::{self, Known};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::read::{Findings, Section};
use super::settings::{Config, Located};
use super::{Parsed, appliance, camera, endpoint, model, monitor, recording, suggest};
use crate::name::Name;

/// Sections that a file has at most once.
const SINGLE: [&str; 7] = ["device", "storage", "recording", "runtime", "api", "log", "egress"];

/// Sections that a file has any number of.
const REPEATED: [&str; 4] = ["camera", "model", "monitor", "endpoint"];

/// Reads a whole file. See [`super::parse`].
pub(super) fn parse(source: &str, path_shown: &str) -> Result<Parsed, Diagnostics> {
    let (config, diagnostics) = read(source, path_shown, Findings::default(), assemble)?;
    Ok(Parsed { config, diagnostics })
}

/// Reads a whole file of any kind, as `assemble` makes it of its sections (None: a required value is missing or wrong).
/// What it finds is added to `findings`.
pub(super) fn read<T>(
    source: &str,
    path_shown: &str,
    mut findings: Findings,
    assemble: impl FnOnce(&DeTable<'_>, &mut Findings) -> Option<T>,
) -> Result<(T, Diagnostics), Diagnostics> {
    let (root, errors) = DeTable::parse_recoverable(source);
    findings.broken = !errors.is_empty();
    let made = assemble(root.get_ref(), &mut findings);

    let mut diagnostics = Diagnostics::new(source, path_shown);
    let broken_lines: Vec<_> =
        errors.iter().filter_map(|error| error.span()).map(|at| line(source, at.start)).collect();
    errors.iter().map(|error| syntax_error(source, error)).for_each(|diagnostic| diagnostics.push(diagnostic));
    // What stands on a line that couldn't be read was guessed by the TOML parser.
    let guessed =
        |found: &Diagnostic| found.at.as_ref().is_some_and(|at| broken_lines.contains(&line(source, at.start)));
    findings.list.into_iter().filter(|found| !guessed(found)).for_each(|found| diagnostics.push(found));

    match made {
        Some(made) if !diagnostics.has_errors() => Ok((made, diagnostics)),
        _ => Err(diagnostics),
    }
}

fn line(source: &str, at: usize) -> usize {
    source.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn syntax_error(source: &str, error: &toml::de::Error) -> Diagnostic {
    let at = error.span().unwrap_or(source.len()..source.len());
    if error.message() == "duplicate key" {
        let key = source.get(at.clone()).unwrap_or_default();
        return Diagnostic::error(format!("`{key}` is set twice")).at(at, "keep one of them");
    }
    if error.message().starts_with("string values must be quoted") {
        let label = "put quotes around it, if it is a string";
        return Diagnostic::error("invalid TOML: this is no value").at(at, label);
    }
    let (what, expected) = error.message().split_once(", expected ").unwrap_or((error.message(), ""));
    let label = if expected.is_empty() { String::new() } else { format!("expected {expected}") };
    Diagnostic::error(format!("invalid TOML: {what}")).at(at, label)
}

/// None only if a required value is missing or wrong, which has been told then.
fn assemble(root: &DeTable<'_>, findings: &mut Findings) -> Option<Config> {
    unknown_sections(root, &[&SINGLE[..], &REPEATED[..]].concat(), "`[device]`", findings);
    let device = single(root, "device", findings, appliance::device);
    let storage = single(root, "storage", findings, appliance::storage);
    let recording = single(root, "recording", findings, recording::read);
    let runtime = single(root, "runtime", findings, appliance::runtime);
    let api = single(root, "api", findings, appliance::api);
    let log = single(root, "log", findings, appliance::log);
    let egress = single(root, "egress", findings, appliance::egress);

    let (camera_names, cameras): (Vec<_>, Vec<_>) =
        repeated(root, "camera", findings, camera::read).into_iter().unzip();
    let (endpoint_names, endpoints): (Vec<_>, Vec<_>) =
        repeated(root, "endpoint", findings, |section| endpoint::read(section, &egress)).into_iter().unzip();
    let models = repeated(root, "model", findings, model::read);
    let drafts = repeated(root, "monitor", findings, monitor::read);
    if findings.broken {
        return None;
    }

    let whole = drafts.iter().all(Option::is_some);
    let drafts: Vec<_> = drafts.into_iter().flatten().collect();
    let camera_names: Vec<Located<Name>> = camera_names.into_iter().flatten().collect();
    let endpoint_names: Vec<Located<Name>> = endpoint_names.into_iter().flatten().collect();
    let named = |name: &Name, at: &Range<usize>| Located { value: name.clone(), at: at.clone() };
    let model_names: Vec<_> = models.iter().flatten().map(|model| named(&model.name, &model.at)).collect();
    let monitor_names: Vec<_> = drafts.iter().map(|draft| named(&draft.monitor.name, &draft.name_at)).collect();

    let found = &mut findings.list;
    cross::unique("camera", &camera_names, found);
    cross::unique("model", &model_names, found);
    cross::unique("monitor", &monitor_names, found);
    cross::unique("endpoint", &endpoint_names, found);
    let known = Known { cameras: &camera_names, endpoints: &endpoint_names };
    let monitors: Vec<_> = drafts.into_iter().map(|draft| cross::link(draft, &known, found)).collect();
    let is_sound = whole && found.is_empty();
    if is_sound {
        cross::surprises(&monitors, &endpoint_names, found);
    }

    let mut models: Vec<_> = models.into_iter().collect::<Option<_>>()?;
    cross::complete(&mut models, &monitors);
    let cameras = cameras.into_iter().collect::<Option<_>>()?;
    let endpoints: Vec<_> = endpoints.into_iter().collect::<Option<_>>()?;
    if is_sound {
        recording::surprises(&monitors, &endpoints, &api, &mut findings.list);
    }
    cross::unheard(&device, &endpoints, &mut findings.list);
    whole.then_some(Config {
        device,
        storage,
        recording,
        runtime,
        api,
        log,
        egress,
        cameras,
        models,
        monitors,
        endpoints,
    })
}

/// A section that the file has at most once; where it is missing, everything in it has its default.
fn single<T>(root: &DeTable<'_>, name: &str, findings: &mut Findings, read: impl Fn(&mut Section<'_, '_>) -> T) -> T {
    let title = format!("`[{name}]`");
    let empty = DeTable::new();
    let (at, table) = match root.get(name).map(|value| (value.span(), value.get_ref())) {
        Some((at, DeValue::Table(table))) => (at, table),
        Some((at, DeValue::Array(_))) => {
            let diagnostic = Diagnostic::error(format!("there is only one `[{name}]`"));
            findings.list.push(diagnostic.at(at, format!("write `[{name}]`")));
            (0..0, &empty)
        }
        Some((at, _)) => {
            let diagnostic = Diagnostic::error(format!("`{name}` must be a section"));
            findings.list.push(diagnostic.at(at, format!("write `[{name}]` on a line of its own")));
            (0..0, &empty)
        }
        None => (0..0, &empty),
    };
    let mut section = Section::new(title, at, table, findings);
    let read = read(&mut section);
    section.finish();
    read
}

/// Every section of a kind, in the order of the file.
pub(super) fn repeated<T>(
    root: &DeTable<'_>,
    kind: &str,
    findings: &mut Findings,
    read: impl Fn(&mut Section<'_, '_>) -> T,
) -> Vec<T> {
    let mut all = Vec::new();
    let Some(value) = root.get(kind) else {
        return all;
    };
    let mut misplaced = |at: Range<usize>| {
        let diagnostic = Diagnostic::error(format!("`{kind}` must be a list of sections"));
        findings.list.push(diagnostic.at(at, format!("write `[[{kind}]]`: there can be several")));
    };
    let DeValue::Array(entries) = value.get_ref() else {
        misplaced(value.span());
        return all;
    };
    for entry in entries.iter().filter(|entry| !entry.get_ref().is_table()) {
        misplaced(entry.span());
    }
    for entry in entries.iter() {
        let Some(table) = entry.get_ref().as_table() else { continue };
        let mut section = Section::named(kind, entry.span(), table, findings);
        all.push(read(&mut section));
        section.finish();
    }
    all
}

/// Tells every key of the file that is none of the `known` sections, such as `example`.
pub(super) fn unknown_sections(root: &DeTable<'_>, known: &[&str], example: &str, findings: &mut Findings) {
    let known = || known.iter().copied();
    for (key, value) in root.iter().filter(|(key, _)| known().all(|name| name != key.get_ref().as_ref())) {
        let name = key.get_ref().as_ref();
        let what = if value.get_ref().is_table() || value.get_ref().is_array() { "section" } else { "key" };
        let label = match suggest::closest(name, known()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if what == "key" => format!("keys belong below a section such as {example}"),
            None => format!("sections known here: {}", suggest::quoted(known())),
        };
        findings.list.push(Diagnostic::error(format!("unknown {what} `{name}`")).at(key.span(), label));
    }
}
