//! The JSON Schema for editors says what the parser does, as far as it can: never no to a good file, and no to a wrong key, a
//! wrong type and a wrong word.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use super::{LEAST, changed, manual_switched_on, parse};
use crate::config::{manual, schema};

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| jsonschema::validator_for(&schema()).unwrap());

/// Whether editors take that file.
pub(super) fn fits(source: &str) -> Result<(), String> {
    let table: toml::Table = source.parse().map_err(|error| format!("{error}"))?;
    let document = serde_json::to_value(table).unwrap();
    let wrong: Vec<_> =
        VALIDATOR.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn keys_of<'s>(schema: &'s Value, section: &str) -> &'s serde_json::Map<String, Value> {
    let part = &schema["properties"][section];
    part.pointer("/items/properties").or_else(|| part.get("properties")).and_then(Value::as_object).unwrap()
}

#[test]
fn it_is_a_schema_of_draft_4() {
    let schema = schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-04/schema#");
    assert_eq!(jsonschema::meta::validate(&schema).map_err(|error| error.to_string()), Ok(()));
    for word in ["\"const\"", "\"if\"", "\"$defs\"", "\"exclusiveMinimum\"", "\"contains\"", "\"propertyNames\""] {
        assert!(!schema.to_string().contains(word), "{word} is of a later draft: Taplo would pass it over");
    }
}

/// That the manual has every key that is read, no other, and at its default, is held by its own tests.
#[test]
fn it_has_every_key_of_the_manual_and_no_other() {
    let (schema, manual) = (schema(), manual());
    let sections: BTreeSet<_> = manual.sections.iter().map(|section| section.name).collect();
    let known: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(known, sections);
    for section in &manual.sections {
        let of_manual: BTreeSet<_> = section.entries.iter().flat_map(|it| &it.keys).map(|key| key.name).collect();
        let of_schema: BTreeSet<_> = keys_of(&schema, section.name).keys().map(String::as_str).collect();
        assert_eq!(of_schema, of_manual, "{}", section.name);
        assert_eq!(schema["properties"][section.name]["type"] == "array", section.repeated, "{}", section.name);
    }
}

#[test]
fn each_key_has_its_default_and_what_the_manual_says() {
    let schema = schema();
    let of = |section: &str, key: &str| keys_of(&schema, section)[key].clone();
    let keep = of("storage", "keep_dead");
    assert_eq!(keep["default"], "30d");
    assert_eq!(
        keep["description"],
        "How long events are kept after they were delivered, and after they were given up."
    );
    assert_eq!(keep["type"], "string", "a copy: beside a reference nothing would count");
    assert_eq!(of("monitor", "confidence_threshold")["default"], 0.8);
    assert_eq!(of("monitor", "repeat")["default"], true);
    assert_eq!(of("endpoint", "events")["default"], serde_json::json!(["*"]));
    assert_eq!(of("camera", "name").get("default"), None, "a name is an example");
    assert_eq!(of("camera", "name")["examples"][0], "dock-east");
    for section in &manual().sections {
        for (key, told) in keys_of(&schema, section.name) {
            let value = told.get("default").or_else(|| told["examples"].get(0));
            assert!(value.is_some_and(|value| !value.is_null()), "`{key}` of `{}`", section.name);
            assert!(told.get("$ref").is_none(), "`{key}` of `{}`", section.name);
        }
    }
}

#[test]
fn the_manual_fits_also_with_everything_switched_on() {
    fits(super::MANUAL).unwrap();
    fits(&manual_switched_on()).unwrap();
    fits(LEAST).unwrap();
}

#[test]
fn wrong_files_do_not_fit() {
    let labels = "labels = [\"person\"]\n";
    for (from, to) in [
        ("[[camera]]", "[[camra]]"),
        ("[[endpoint]]", "[endpoint]"),
        ("name = \"dock\"", "nmae = \"dock\""),
        ("name = \"dock\"", "name = \"the dock\""),
        ("url = \"rtsp://10.0.0.21/stream1\"\n", ""),
        ("rtsp://", "http://"),
        ("model = \"yolox-nano\"\n", ""),
        (labels, ""),
        (labels, "labels = \"person\"\n"),
        (labels, "labels = [\"person\"]\ncooldwon = \"5s\"\n"),
        (labels, "labels = [\"person\"]\ncooldown = 60\n"),
        (labels, "labels = [\"person\"]\ncooldown = \"5 minutes\"\n"),
        (labels, "labels = [\"person\"]\nconfidence_threshold = 80\n"),
        (labels, "labels = [\"person\"]\nhold = \"2/3\"\n"),
        (labels, "labels = [\"person\"]\nzone = [[0.1, 0.1], [0.9, 0.9]]\n"),
        (labels, "labels = [\"person\"]\npriority = \"urgent\"\n"),
        (labels, "labels = [\"person\"]\ncalibration = { temprature = 1 }\n"),
        ("name = \"ops\"\n", "name = \"ops\"\nrate = \"10\"\n"),
        ("name = \"ops\"\n", "name = \"ops\"\nretry = { max_age = \"1h\" }\n"),
        ("name = \"ops\"\n", "name = \"ops\"\nsecret = \"whsec_x\"\n"),
    ] {
        let source = changed(&[(from, to)]);
        assert!(fits(&source).is_err(), "{source}");
        assert!(parse(&source, "stakeout.toml").is_err(), "{source}");
    }
}

/// Every key with values of every type: what the parser takes fits, and what it calls a wrong type or a wrong word doesn't.
#[test]
fn it_judges_values_as_the_parser_does() {
    #[rustfmt::skip]
    const VALUES: [&str; 17] = [
        "true", "3", "0", "-1", "0.5", "1e9", "\"\"", "\"off\"", "\"auto\"", "\"30s\"", "\"4MiB\"", "\"no such word\"",
        "[]", "[\"a\"]", "[\"a\", \"b\", \"c\"]", "[[0, 0], [1, 0], [0.5, 1]]", "{}",
    ];
    // Of the ranges of durations and sizes the schema knows nothing.
    const TOLD: [&str; 7] = [
        " must be",
        " can't be `",
        " is not a duration",
        " is not a size",
        " is not a rate",
        " is not a name",
        " is not a bandwidth",
    ];
    let (mut taken, mut refused) = (0, 0);
    for section in manual().sections {
        for key in section.entries.iter().flat_map(|it| &it.keys) {
            for value in VALUES {
                let source = with(&section.header(), key.name, value);
                let fits = fits(&source);
                match parse(&source, "stakeout.toml") {
                    // Of keys of another format the parser takes whatever is empty.
                    Ok(_) if matches!(value, "\"\"" | "[]" | "{}") => {}
                    Ok(_) => {
                        taken += 1;
                        assert_eq!(fits, Ok(()), "the parser takes\n{source}");
                    }
                    Err(told) => {
                        let told = told.to_string();
                        if TOLD.iter().any(|what| told.contains(&format!("`{}`{what}", key.name))) {
                            refused += 1;
                            assert!(fits.is_err(), "editors take\n{source}\nbut the parser says\n{told}");
                        }
                    }
                }
            }
        }
    }
    assert!(taken > 100 && refused > 500, "{taken} taken, {refused} refused");
}

/// The least file with that key in that section.
fn with(header: &str, key: &str, value: &str) -> String {
    let line = format!("{key} = {value}\n");
    let Some((before, after)) = LEAST.split_once(&format!("{header}\n")) else {
        let needed = if header.starts_with("[[") && key != "name" { "name = \"yolox-nano\"\n" } else { "" };
        return format!("{header}\n{needed}{line}{LEAST}");
    };
    let (section, rest) = after.split_once("\n\n").unwrap_or((after, ""));
    let others = section.lines().filter(|it| !it.starts_with(&format!("{key} ="))).map(|it| format!("{it}\n"));
    format!("{before}{header}\n{}{line}\n{rest}", others.collect::<String>())
}
