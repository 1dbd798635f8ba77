//! The published schemas (`packaging/schemas/`) say what is really sent: bodies fit into them, and others don't.

use std::path::Path;
use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::event::{DroppedRange, Metadata, SequenceRange};

fn schema(format: Format) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/schemas");
    let file = folder.join(format!("{}.schema.json", format.as_str()));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn validator(format: Format) -> Validator {
    jsonschema::options().with_draft(Draft::Draft202012).build(&schema(format)).unwrap()
}

static VALIDATORS: LazyLock<Vec<Validator>> = LazyLock::new(|| Format::ALL.into_iter().map(validator).collect());

/// The body as it is sent, with a frame where there is a place for one.
fn parsed(format: Format, event: &Event, frame: FrameChoice) -> Option<Value> {
    let text = render(format, event, ENVELOPE, frame)?;
    Some(serde_json::from_str(&text.replace(HOLE, "/9j/4AA=")).unwrap())
}

fn fits(validator: &Validator, body: &Value) -> Result<(), String> {
    let problems: Vec<_> =
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if problems.is_empty() { Ok(()) } else { Err(format!("{problems:#?}\n{body:#}")) }
}

/// Every object in a body, by its JSON pointer.
fn objects(body: &Value, at: String, found: &mut Vec<String>) {
    match body {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| {
                objects(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found)
            });
            found.push(at);
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| objects(value, format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

#[test]
fn schemas_are_schemas_and_leave_nothing_open_but_what_operators_write() {
    fn walk(value: &Value, at: &str, open: &mut Vec<String>) {
        let Some(map) = value.as_object() else { return };
        let is_object = map.get("type") == Some(&json!("object"));
        if is_object && map.get("additionalProperties") != Some(&json!(false)) {
            open.push(at.rsplit('/').next().unwrap_or_default().to_owned());
        }
        for (key, value) in map {
            walk(value, &format!("{at}/{key}"), open);
            value.as_array().into_iter().flatten().for_each(|one| walk(one, &format!("{at}/{key}"), open));
        }
    }
    for format in Format::ALL {
        let schema = schema(format);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(jsonschema::meta::is_valid(&schema), "{}", format.as_str());
        let mut open = Vec::new();
        walk(&schema, "", &mut open);
        assert!(
            open.iter().all(|name| name == "metadata" || name == "custom_details"),
            "{}: {open:?}",
            format.as_str()
        );
    }
}

#[test]
fn every_body_fits_and_none_does_with_a_key_more_or_less() {
    for format in Format::ALL {
        let validator = validator(format);
        let bodies: Vec<Value> =
            one_of_each().iter().filter_map(|event| parsed(format, event, FrameChoice::Inline)).collect();
        assert_eq!(bodies.len(), crate::event::EventType::ALL.iter().filter(|kind| format.expresses(**kind)).count());
        for body in bodies {
            fits(&validator, &body).unwrap();
            let mut places = Vec::new();
            objects(&body, String::new(), &mut places);
            for place in places.iter().filter(|place| !place.ends_with("/metadata")) {
                let keys: Vec<String> = body.pointer(place).unwrap().as_object().unwrap().keys().cloned().collect();
                if !place.ends_with("/custom_details") {
                    let mut more = body.clone();
                    more.pointer_mut(place).unwrap()["extra"] = json!(1);
                    assert!(!validator.is_valid(&more), "{} takes another key in `{place}`", format.as_str());
                }
                let ours = |key: &&String| {
                    !place.ends_with("/custom_details") || !["zone", "severity", "a"].contains(&key.as_str())
                };
                for key in keys.iter().filter(ours) {
                    let mut fewer = body.clone();
                    fewer.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(key);
                    assert!(!validator.is_valid(&fewer), "{} does without `{place}/{key}`", format.as_str());
                    let mut other = body.clone();
                    other.pointer_mut(place).unwrap()[key] = json!([[]]);
                    assert!(!validator.is_valid(&other), "{} takes anything for `{place}/{key}`", format.as_str());
                }
            }
        }
    }
}

#[test]
fn checks_fit() {
    let now = Now { mono: Mono(5), wall: Wall(1_769_423_700_120), synced: false };
    for format in Format::ALL {
        if let Some(text) = check(format, Uuid::from_u128(1), "dock-box-01", &name("ops"), now) {
            fits(&validator(format), &serde_json::from_str(&text).unwrap()).unwrap();
        }
    }
}

#[test]
fn events_of_the_journal_fit_with_all_that_they_can_say() {
    let lost = vec![SequenceRange { endpoint: name("ops"), from: 3, to: 5 }];
    let reset = JournalReset { salvaged: 7, lost, previous_epoch: Some(Uuid::from_u128(0xd)) };
    let dropped = vec![DroppedRange { endpoint: name("ops"), priority: Priority::Low, from: 1, to: 9, count: 4 }];
    let overflow = JournalOverflow { dropped, free_bytes: u64::MAX };
    let mut fresh = heartbeat();
    (fresh.cameras[0].last_frame_age_s, fresh.endpoints[0].oldest_s) = (None, None);
    let monitor = &mut fresh.monitors[0];
    (monitor.last_confidence, monitor.last_check_age_s, monitor.open) = (None, None, None);
    let fresh = EventData::Heartbeat(fresh);
    for data in [EventData::JournalReset(reset), EventData::JournalOverflow(overflow), fresh] {
        let of_the_box = Event { camera: None, monitor: None, job: None, ..event(data) };
        fits(&validator(Format::Stakeout), &parsed(Format::Stakeout, &of_the_box, FrameChoice::Inline).unwrap())
            .unwrap();
    }
}

fn any_metadata() -> impl Strategy<Value = Metadata> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".*", inner), 0..4).prop_map(|entries| Value::Object(Metadata::from_iter(entries))),
        ]
    });
    let key = prop_oneof![
        4 => ".*",
        1 => prop::sample::select(vec!["zone".to_owned(), "severity".into(), "confidence".into(), "frame_ts".into()]),
    ];
    prop::collection::vec((key, value), 0..5).prop_map(Metadata::from_iter)
}

fn any_triggered() -> impl Strategy<Value = Event> {
    let texts = (".*", ".*", ".*", ".*");
    let figures = (0.0_f32..=1.0, any::<u32>(), 0_u64..10_000_000_000, 0_u64..10_000_000_000);
    (texts, figures, any_metadata(), prop::sample::select(Priority::ALL.to_vec()), 0_i64..4_000_000_000_000).prop_map(
        |((condition, explanation, label, device), (confidence, repeat, from_ms, to_ms), metadata, priority, wall)| {
            let data = Triggered { condition, explanation, label, confidence, repeat, from_ms, to_ms, ..triggered() };
            let observed = Now { wall: Wall(wall), ..event(EventData::Cleared(cleared())).observed };
            Event { device, metadata, priority, observed, ..event(EventData::Triggered(data)) }
        },
    )
}

proptest! {
    #[test]
    fn any_alert_fits_and_says_what_was_said(event in any_triggered(), inline in any::<bool>()) {
        let frame = if inline { FrameChoice::Inline } else { FrameChoice::None };
        let EventData::Triggered(said) = &event.data else { unreachable!() };
        for (format, validator) in Format::ALL.into_iter().zip(&*VALIDATORS) {
            let Some(body) = parsed(format, &event, frame) else {
                prop_assert!(format.is_about_clips(), "{}", format.as_str());
                continue;
            };
            prop_assert_eq!(fits(validator, &body), Ok(()));
            match format {
                Format::TrioLiveMonitor => prop_assert_eq!(&body["data"]["explanation"], &said.explanation),
                Format::TrioStream => {
                    prop_assert_eq!(&body["answer"], &said.explanation);
                    prop_assert_eq!(&body["metadata"], &Value::Object(event.metadata.clone()));
                }
                Format::Videodb => prop_assert_eq!(&body["label"], &said.label),
                _ => {}
            }
        }
    }
}
