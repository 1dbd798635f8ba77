//! `[[case]]`: what the user expects of a recording (`stakeout test`). A file of its own, read like the configuration.
//!
//! Owns the keys of a case and what they mean; refuses to touch clips, and to judge what came (`expectation`).

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::{self, repeated, unknown_sections};
use super::read::{Findings, Section};
use super::settings::Located;
use super::suggest;
use super::value::{self, Problem, Read, Value};
use crate::event::EventType;
use crate::name::Name;

/// What is expected of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Unique in its file.
    pub name: String,
    /// As it is written: relative to the file of the cases.
    pub clip: Located<PathBuf>,
    /// The monitors that play it, at least one.
    pub monitors: Vec<Name>,
    /// Each of these has to come.
    pub expect: Vec<Pattern>,
    /// None of these may come, unless one of the expected ones accounts for it.
    pub forbid: Vec<Pattern>,
    /// Nothing may come that isn't expected.
    pub nothing_else: bool,
}

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Of this type; None: of both.
    pub kind: Option<EventType>,
    /// Of this monitor; None: of any.
    pub monitor: Option<Name>,
    /// When.
    pub span: Span,
    /// How many have to come.
    pub count: u32,
}

/// A stretch of a clip, both ends included, from its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From here.
    pub from: Duration,
    /// To here; None: to the clip's end.
    pub to: Option<Duration>,
}

impl Span {
    /// Whether `at` lies in it.
    pub fn holds(&self, at: Duration) -> bool {
        at >= self.from && self.to.is_none_or(|to| at <= to)
    }
}

/// Reads a file of cases, whose monitors are among `monitors`. Problems are quoted as of the file `path_shown`, all at once.
///
/// # Errors
/// All problems, among them at least one error: a case that could never fail is one.
pub fn parse_cases(source: &str, path_shown: &str, monitors: &[Name]) -> Result<(Vec<Case>, Diagnostics), Diagnostics> {
    let findings = Findings { manual: "`stakeout test --help` tells all there are", ..Findings::default() };
    document::read(source, path_shown, findings, |root, findings| assemble(root, monitors, findings))
}

fn assemble(root: &DeTable<'_>, monitors: &[Name], findings: &mut Findings) -> Option<Vec<Case>> {
    unknown_sections(root, &["case"], "`[[case]]`", findings);
    let drafts = repeated(root, "case", findings, |section| case(section, monitors));
    if drafts.is_empty() && !findings.broken && findings.list.is_empty() {
        let nothing = Diagnostic::error("there is no `[[case]]` in this file");
        findings.list.push(nothing.help("`stakeout test --help` shows one"));
    }
    let named: Vec<_> = drafts.iter().flatten().map(|(case, at)| (case.name.as_str(), at.clone())).collect();
    for (index, (name, at)) in named.iter().enumerate() {
        if let Some((_, first)) = named[..index].iter().find(|(earlier, _)| earlier == name) {
            let diagnostic = Diagnostic::error(format!("two cases are named `{name}`"));
            let diagnostic = diagnostic.at(at.clone(), "give this one a `name` of its own");
            findings.list.push(diagnostic.related(first.clone(), "the first one"));
        }
    }
    drafts.into_iter().map(|draft| draft.map(|(case, _)| case)).collect()
}

/// A case, and where its name stands.
fn case(section: &mut Section<'_, '_>, known: &[Name]) -> Option<(Case, Range<usize>)> {
    let name = section.optional_text("name");
    let clip = section.required("clip", "\"visits.mp4\"", path);
    let monitors = monitors(section, known);
    let expect =
        section.list("expect", "[{ type = \"triggered\", at = 6.2 }]", |inner| pattern(inner, &monitors, true));
    let forbid = section.list("forbid", "[{ between = [20, 30] }]", |inner| pattern(inner, &monitors, false));
    let none = section.or("none", false, value::flag);
    let nothing_else = section.or("nothing_else", false, value::flag);
    // A list that is wrong has been told, and says nothing about what was meant.
    let says_nothing =
        |key: &str, list: &Option<Vec<_>>| !section.has(key) || list.as_ref().is_some_and(|list| list.is_empty());
    let (expects, forbids) = (!says_nothing("expect", &expect), !says_nothing("forbid", &forbid));
    let at = section.at();
    if none && (expects || forbids) {
        section.problem(at, "`none` excludes `expect` and `forbid`", "expect nothing, or leave `none` out");
    } else if nothing_else && !expects {
        section.problem(at, "`nothing_else` has nothing beside it", "write `none = true`, or say what to `expect`");
    } else if !(none || expects || forbids) {
        let label = "add `expect = [{ type = \"triggered\", by = 10 }]`, or `none = true` where nothing may come";
        section.problem(at, "it expects nothing and forbids nothing: it could never fail", label);
    }
    let clip = clip?;
    let named_at = name.as_ref().map_or(section.at(), |name| name.at.clone());
    let name = name.map_or_else(|| file_name(&clip.value), |name| name.value);
    let expect = expect.unwrap_or_default().into_iter().collect::<Option<_>>()?;
    let forbid = forbid.unwrap_or_default().into_iter().collect::<Option<_>>()?;
    Some((Case { name, clip, monitors, expect, forbid, nothing_else: nothing_else || none }, named_at))
}

fn file_name(clip: &Path) -> String {
    clip.file_name().unwrap_or(clip.as_os_str()).to_string_lossy().into_owned()
}

fn path(value: &Value<'_>) -> Read<PathBuf> {
    let text = value::text_like("a path", "\"visits.mp4\"")(value)?;
    if text.is_empty() {
        return Err(Problem::new(value.span(), " is empty", "name a recording").into());
    }
    Ok(PathBuf::from(text))
}

/// `monitor` or `monitors`; otherwise all there are.
fn monitors(section: &mut Section<'_, '_>, known: &[Name]) -> Vec<Name> {
    let one = section.take("monitor", located);
    let several = section.take("monitors", value::list_of(located, "[\"person-at-dock\"]"));
    if section.has("monitor") && section.has("monitors") {
        section.problem(section.at(), "`monitor` and `monitors` exclude each other", "leave one of them out");
    }
    if several.as_ref().is_some_and(|several| several.value.is_empty()) {
        section.problem(section.at(), "`monitors` is empty", "leave it out: then all monitors play");
    }
    let named: Vec<_> =
        one.map(|one| one.value).into_iter().chain(several.into_iter().flat_map(|list| list.value)).collect();
    for name in &named {
        among(section, name, known, "the configuration");
    }
    match named.is_empty() {
        true => known.to_vec(),
        false => named.into_iter().map(|name| name.value).collect(),
    }
}

fn located(value: &Value<'_>) -> Read<Located<Name>> {
    value::name(value).map(|name| Located { value: name, at: value.span() })
}

/// Tells a monitor that is not among `known`.
fn among(section: &mut Section<'_, '_>, wanted: &Located<Name>, known: &[Name], place: &str) {
    if known.contains(&wanted.value) {
        return;
    }
    let names: BTreeSet<_> = known.iter().map(Name::as_str).collect();
    let label = match suggest::closest(wanted.value.as_str(), names.iter().copied()) {
        _ if known.is_empty() => format!("there is none in {place}"),
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("monitors of {place}: {}", suggest::quoted(names.iter().copied())),
    };
    section.problem(wanted.at.clone(), format!("unknown monitor `{}`", wanted.value), label);
}

const TYPES: [(&str, EventType); 4] = [
    ("triggered", EventType::Triggered),
    ("cleared", EventType::Cleared),
    ("monitor.triggered", EventType::Triggered),
    ("monitor.cleared", EventType::Cleared),
];

/// What is expected says of which type it is, and may say how many.
fn pattern(section: &mut Section<'_, '_>, monitors: &[Name], expected: bool) -> Option<Pattern> {
    let kind = match expected {
        true => section.required("type", "\"triggered\"", value::choice(&TYPES, &[])),
        false => section.take("type", value::choice(&TYPES, &[])),
    };
    let monitor = section.take("monitor", located).map(|monitor| monitor.value);
    if let Some(monitor) = &monitor {
        among(section, monitor, monitors, "this case");
    }
    let count = if expected { section.or("count", 1, value::whole(1..=1000)) } else { 1 };
    let span = span(section)?;
    if expected && kind.is_none() {
        return None;
    }
    Some(Pattern { kind: kind.map(|kind| kind.value), monitor: monitor.map(|monitor| monitor.value), span, count })
}

/// How far off `at` an event may be.
const WITHIN: Duration = Duration::from_secs(1);

/// `at` (and `within`), `between`, `by` or `after`; otherwise the whole clip.
fn span(section: &mut Section<'_, '_>) -> Option<Span> {
    let at = section.take("at", moment).map(|at| at.value);
    let within = section.take("within", moment);
    let between = section.take("between", stretch).map(|between| between.value);
    let by = section.take("by", moment).map(|by| by.value);
    let after = section.take("after", moment).map(|after| after.value);
    let keys = ["at", "between", "by", "after"].into_iter().filter(|key| section.has(key)).count();
    if keys > 1 {
        let what = "`at`, `between`, `by` and `after` exclude each other";
        section.problem(section.at(), what, "keep one of them; `between` says both ends");
        return None;
    }
    if let Some(within) = within.as_ref().filter(|_| !section.has("at")) {
        section.problem(within.at.clone(), "`within` belongs to `at`", "say `at` what time");
        return None;
    }
    let within = within.map_or(WITHIN, |within| within.value);
    let around = |at: Duration| Span { from: at.saturating_sub(within), to: Some(at + within) };
    let by = by.map(|by| Span { from: Duration::ZERO, to: Some(by) });
    let after = after.map(|after| Span { from: after, to: None });
    let span = at.map(around).or(between).or(by).or(after);
    // A key that is wrong has been told; its pattern means nothing.
    if keys > 0 { span } else { Some(Span { from: Duration::ZERO, to: None }) }
}

/// `[5.5, 7]`
fn stretch(value: &Value<'_>) -> Read<Span> {
    let ends = value::list_of(moment, "[5.5, 7]")(value)?;
    match ends[..] {
        [from, to] if from <= to => Ok(Span { from, to: Some(to) }),
        [_, _] => Err(Problem::new(value.span(), " ends before it begins", "the earlier time comes first").into()),
        _ => Err(Problem::new(value.span(), " must be two times", "from when to when: for example `[5.5, 7]`").into()),
    }
}

/// No recording is longer.
const LONGEST: f64 = 7.0 * 86_400.0;

/// A time within a clip: seconds (`6.2`), a duration (`"90s"`), or as players show it (`"1:02.5"`).
fn moment(value: &Value<'_>) -> Read<Duration> {
    let seconds = match value.get_ref() {
        DeValue::Integer(whole) => i64::from_str_radix(whole.as_str(), whole.radix()).ok().map(|whole| whole as f64),
        DeValue::Float(number) => number.as_str().parse().ok(),
        DeValue::String(text) => {
            let duration = value::parse_duration(text).map(|duration| duration.as_secs_f64());
            let Some(seconds) = duration.or_else(|| clock(text)) else {
                let label = "seconds such as `6.2`, a duration such as `\"90s\"`, or a time such as `\"1:30\"`";
                return Err(Problem::new(value.span(), " is no time in a clip", label).into());
            };
            Some(seconds)
        }
        _ => return Err(Problem::wrong_type(value, "a time in the clip", "6.2").into()),
    };
    // To the millisecond, as events are told.
    let rounded = |seconds: f64| Duration::from_millis((seconds * 1000.0).round() as u64);
    match seconds.filter(|seconds| (0.0..=LONGEST).contains(seconds)) {
        Some(seconds) => Ok(rounded(seconds)),
        None => Err(Problem::new(value.span(), " is out of range", "must be between 0 and 604800 seconds").into()),
    }
}

/// `1:02.5`, `1:00:00`
fn clock(text: &str) -> Option<f64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.') {
        return None;
    }
    let mut parts = text.rsplit(':');
    let seconds = parts.next()?.parse::<f64>().ok().filter(|seconds| *seconds < 60.0)?;
    let minutes: Vec<u32> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match minutes[..] {
        [minutes] => Some(f64::from(minutes) * 60.0 + seconds),
        [minutes, hours] if minutes < 60 => Some(f64::from(hours) * 3600.0 + f64::from(minutes) * 60.0 + seconds),
        _ => None,
    }
}
