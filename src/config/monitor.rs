//! `[[monitor]]`: a condition watched on cameras.
//!
//! Owns its keys, ranges and defaults; refuses to know whether the cameras, the model and the endpoints exist (`cross`).

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::only_when::{self, OnlyWhen};
use super::read::Section;
use super::settings::{Calibration, Gate, Hold, Located, Monitor};
use super::value::{self, Problem, Read, Value};
use super::{metadata, recording, zone};
use crate::event::{Metadata, Priority};
use crate::name::Name;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// A monitor whose references are not resolved yet.
#[derive(Debug)]
pub(super) struct Draft {
    /// How problems call it.
    pub(super) title: String,
    /// The monitor, with `cameras` and `endpoints` still empty.
    pub(super) monitor: Monitor,
    /// Where its name stands.
    pub(super) name_at: std::ops::Range<usize>,
    /// The cameras, as written.
    pub(super) cameras: Vec<Located<Name>>,
    /// The endpoints, as written; None: all.
    pub(super) endpoints: Option<Vec<Located<Name>>>,
}

/// Reads one `[[monitor]]`.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Draft> {
    let name = section.name();
    let cameras = cameras(section);
    let model = section.required("model", "\"yolox-nano\"", value::name);
    let labels = section.take("labels", value::list_of(label, "[\"person\"]"));
    let has_labels = labels.as_ref().map_or(section.has("labels"), |labels| !labels.value.is_empty());
    let condition = condition(section, has_labels);
    let (confidence_threshold, clear_threshold) = thresholds(section);
    let check_interval = section.or("check_interval", Duration::from_secs(1), spans(10, 3_600_000));
    let hold = hold_within(section, check_interval);
    let endpoints = section.take("endpoints", value::list_of(located_name, "[\"ops\"]"));
    let event_label = section.optional_text("label");
    let only_when = only_when(section, model.as_ref());

    let monitor = Monitor {
        cameras: Vec::new(),
        condition,
        prompts: section.or("prompts", Vec::new(), descriptions),
        negatives: section.or("negatives", Vec::new(), descriptions),
        labels: labels.map_or_else(Vec::new, |labels| labels.value),
        min_count: section.or("min_count", 1, value::whole(1..=1000)),
        zone: section.or("zone", Vec::new(), zone::read),
        confidence_threshold,
        clear_threshold,
        hold,
        cooldown: section.or("cooldown", Duration::from_secs(60), value::duration(Duration::ZERO..=YEAR)),
        repeat: section.or("repeat", true, value::flag),
        clear_after: section.or("clear_after", Duration::from_secs(5), value::duration(Duration::ZERO..=YEAR)),
        lost_after: section.or("lost_after", Duration::from_secs(30), value::duration(Duration::ZERO..=YEAR)),
        check_interval,
        notice_within: section.or("notice_within", Duration::from_secs(2), spans(10, 3_600_000)),
        gate: section.or("gate", Gate::Motion, value::choice(&[("motion", Gate::Motion), ("off", Gate::Off)], &[])),
        recheck: section.or("recheck", Duration::from_secs(30), spans(100, 86_400_000)),
        max_duration: section.or("max_duration", None, max_duration),
        stop_on_trigger: section.or("stop_on_trigger", false, value::flag),
        restart: section.or("restart", true, value::choice(&[("always", true), ("never", false)], &[])),
        expect_event_within: section.or("expect_event_within", None, expect_event_within),
        priority: section.or("priority", Priority::Normal, value::choice(&PRIORITIES, &[])),
        shadow: section.or("shadow", false, value::flag),
        enabled: section.or("enabled", true, value::flag),
        metadata: section.or("metadata", Metadata::new(), metadata::read),
        endpoints: Vec::new(),
        only_when,
        calibration: calibration(section),
        clip: recording::clip(section),
        // Last: what is missing must not keep the other keys from being read.
        label: event_label.map_or_else(|| name.as_ref().map(|name| as_label(&name.value)), |it| Some(it.value))?,
        name: name.as_ref()?.value.clone(),
        model: model?,
    };
    Some(Draft {
        title: section.title().to_owned(),
        monitor,
        name_at: name?.at,
        cameras,
        endpoints: endpoints.map(|list| list.value),
    })
}

const PRIORITIES: [(&str, Priority); 4] =
    [("critical", Priority::Critical), ("high", Priority::High), ("normal", Priority::Normal), ("low", Priority::Low)];

fn spans(least_ms: u64, most_ms: u64) -> impl Fn(&Value<'_>) -> Read<Duration> {
    let range: RangeInclusive<Duration> = Duration::from_millis(least_ms)..=Duration::from_millis(most_ms);
    value::duration(range)
}

/// A name reads as a word where receivers expect one: `person_in_zone`.
fn as_label(name: &Name) -> String {
    name.as_str().replace('-', "_")
}

fn located_name(value: &Value<'_>) -> Read<Located<Name>> {
    value::name(value).map(|name| Located { value: name, at: value.span() })
}

fn label(value: &Value<'_>) -> Read<Located<String>> {
    let label = value::text_like("strings", "[\"person\"]")(value)?;
    if label.is_empty() {
        return Err(Problem::new(value.span(), " has an empty label", "name one of the model's labels").into());
    }
    Ok(Located { value: label, at: value.span() })
}

/// Descriptions that a zero-shot model compares pictures with.
fn descriptions(value: &Value<'_>) -> Read<Vec<String>> {
    let descriptions = value::list_of(description, "[\"an empty yard\"]")(value)?;
    if descriptions.len() > MOST_DESCRIPTIONS {
        let label = format!("at most {MOST_DESCRIPTIONS}; a handful is usual");
        return Err(Problem::new(value.span(), " has too many descriptions", label).into());
    }
    Ok(descriptions)
}

fn description(value: &Value<'_>) -> Read<String> {
    let text = value::text_like("strings", "[\"an empty yard\"]")(value)?;
    if text.trim().is_empty() {
        return Err(Problem::new(value.span(), " has an empty description", "say what the picture shows").into());
    }
    Ok(text)
}

/// More of them blur each other: their directions are averaged.
const MOST_DESCRIPTIONS: usize = 100;

/// `camera` or `cameras`, at least one, none of them twice.
fn cameras(section: &mut Section<'_, '_>) -> Vec<Located<Name>> {
    let one = section.take("camera", located_name).map(|camera| camera.value);
    let several = section.take("cameras", value::list_of(located_name, "[\"dock-east\", \"dock-west\"]"));
    let none_listed = several.as_ref().is_some_and(|several| several.value.is_empty()) || !section.has("cameras");
    if !section.has("camera") && none_listed {
        section.missing("camera", "\"dock-east\"");
    }
    if let (true, false, Some(several)) = (section.has("camera"), none_listed, &several) {
        section.problem(several.at.clone(), "`camera` and `cameras` exclude each other", "leave one of them out");
        return Vec::new();
    }
    let cameras: Vec<_> = one.into_iter().chain(several.into_iter().flat_map(|list| list.value)).collect();
    for (index, camera) in cameras.iter().enumerate() {
        if cameras[..index].iter().any(|earlier| earlier.value == camera.value) {
            section.problem(camera.at.clone(), format!("camera `{}` is named twice", camera.value), "leave it out");
        }
    }
    cameras
}

/// Which of the two a monitor needs.
const ASKED: &str = "a model that is asked in words wants `condition = \"Is a person inside the yellow zone?\"`, \
                     a detector or classifier `labels = [\"person\"]`";

/// One of them is there under a name that nobody knows, which is told as such.
fn misspelt(section: &Section<'_, '_>) -> bool {
    section.has_like("condition", &[]) || section.has_like("labels", &["label"])
}

/// The question. Models that only know labels can do without.
fn condition(section: &mut Section<'_, '_>, has_labels: bool) -> String {
    match section.take("condition", value::text) {
        Some(condition) if has_labels || !condition.value.trim().is_empty() => return condition.value,
        Some(condition) => {
            section.problem(condition.at, "it has no condition", "ask a question here, or name `labels`");
        }
        None if !has_labels && !section.has("condition") && !misspelt(section) => {
            section.lacks("`condition` or `labels` is missing", ASKED);
        }
        None => {}
    }
    String::new()
}

/// Another model than the monitor's own.
fn only_when(section: &mut Section<'_, '_>, model: Option<&Located<Name>>) -> Option<OnlyWhen> {
    let only_when = section.take("only_when", only_when::read)?.value?;
    if model.is_some_and(|model| model.value == only_when.model.value) {
        let what = format!("`only_when` asks `{}`, which is asked anyway", only_when.model.value);
        section.problem(only_when.model.at.clone(), what, "name a cheaper model, or leave `only_when` out");
    }
    Some(only_when)
}

/// `confidence_threshold`, and `clear_threshold` at or below it.
fn thresholds(section: &mut Section<'_, '_>) -> (f32, f32) {
    let threshold = section.or("confidence_threshold", 0.8, value::number(0.0..=1.0));
    let Some(clear) = section.take("clear_threshold", value::number(0.0..=1.0)) else {
        return (threshold, lowered(threshold));
    };
    if clear.value > threshold {
        let label = format!("must be at most `confidence_threshold`, {threshold}");
        section.problem(clear.at, "`clear_threshold` is above `confidence_threshold`", label);
    }
    (threshold, clear.value)
}

/// 0.2 less, never below 0; in whole ten-thousandths, so that 0.8 makes 0.6 and not 0.60000002.
fn lowered(threshold: f32) -> f32 {
    let steps = (f64::from(threshold) * 10_000.0).round() - 2_000.0;
    (steps.max(0.0) / 10_000.0) as f32
}

/// The hold, which has to fit into the window that the condition machine remembers.
fn hold_within(section: &mut Section<'_, '_>, check_interval: Duration) -> Hold {
    let Some(hold) = section.take("hold", hold) else {
        return Hold { needed: 1, of: 1 };
    };
    // contracts/condition.md: entries older than this fall out of the window.
    let window = (check_interval * 10).max(Duration::from_secs(10));
    if check_interval * (hold.value.needed - 1) > window {
        let what = format!("`hold` can never be reached with a `check_interval` of `{}`", value::shown(check_interval));
        let most = window.as_millis() / check_interval.as_millis().max(1) + 1;
        section.problem(
            hold.at,
            what,
            format!("checks are remembered for {}: at most `{most} of …`", value::shown(window)),
        );
    }
    hold.value
}

/// `"2 of 3"`
fn hold(value: &Value<'_>) -> Read<Hold> {
    let text = value::text_like("a hold", "\"2 of 3\"")(value)?;
    let wrong = |label: &str| Problem::new(value.span(), format!(" can't be `{text}`"), label).into();
    let number = |digits: &str| digits.parse::<u32>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    let Some((needed, of)) = text.split_once(" of ").and_then(|(k, n)| number(k).zip(number(n))) else {
        return Err(wrong("k of the last n checks: for example `\"2 of 3\"`"));
    };
    match (needed, of) {
        (0, _) => Err(wrong("at least 1 check must be positive")),
        (_, 1001..) => Err(wrong("at most the last 1000 checks count")),
        (needed, of) if needed > of => Err(wrong("more checks than it looks at: the first number must not be larger")),
        (needed, of) => Ok(Hold { needed, of }),
    }
}

fn max_duration(value: &Value<'_>) -> Read<Option<Duration>> {
    match value.get_ref() {
        DeValue::String(text) if text == "unlimited" => Ok(None),
        _ => spans(1000, 365 * 86_400_000)(value).map(Some),
    }
}

fn expect_event_within(value: &Value<'_>) -> Read<Option<Duration>> {
    match value.get_ref() {
        DeValue::String(text) if text.is_empty() => Ok(None),
        _ => spans(1000, 365 * 86_400_000)(value).map(Some),
    }
}

/// An empty table is the model's own calibration.
fn calibration(section: &mut Section<'_, '_>) -> Option<Calibration> {
    section.inner("calibration", |inner| Calibration {
        temperature: inner.or("temperature", 1.0, value::number(0.001..=1000.0)),
        bias: inner.or("bias", 0.0, value::number(-100.0..=100.0)),
    })
}
