//! What editors are told of the configuration fits what the texts show.

use std::process::Command;

use jsonschema::Validator;

use super::written;

/// What `stakeout config --schema` prints.
fn validator() -> Validator {
    let output = Command::new(env!("CARGO_BIN_EXE_stakeout")).args(["config", "--schema"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    jsonschema::validator_for(&serde_json::from_slice(&output.stdout).unwrap()).unwrap()
}

fn wrong(validator: &Validator, document: &str) -> Vec<String> {
    let document: toml::Table = document.parse().unwrap();
    let document = serde_json::to_value(document).unwrap();
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn every_configuration_that_the_readmes_show_fits_the_schema() {
    let validator = validator();
    let files =
        ["README.md", "packaging/examples/receivers/python/README.md", "packaging/examples/receivers/node/README.md"];
    for file in files {
        let documents = written::toml(file);
        assert!(!documents.is_empty(), "{file}");
        for document in documents {
            assert_eq!(wrong(&validator, &document), [""; 0], "{file}\n{document}");
            let misspelt = document.replace("\nurl = ", "\nurll = ");
            assert!(!wrong(&validator, &misspelt).is_empty(), "{misspelt}");
        }
    }
}

/// The line at the head of the manual names a file that the package installs.
#[test]
fn the_manual_tells_editors_where_the_schema_is() {
    let manual = include_str!("../../../packaging/stakeout.toml");
    let head = manual.lines().next().unwrap();
    assert_eq!(head, "#:schema /usr/share/stakeout/schemas/stakeout.toml.schema.json");
}
