//! `/openapi.json`: what the routes take and answer, for programs.
//!
//! Owns the document (`packaging/openapi.json`, kept by hand) and that it names every route of the router and no other.
//! That answers are as it says is held by tests/it/abuse, against a running daemon.

use axum::http::header;
use axum::response::IntoResponse;

/// OpenAPI 3.1.
const DOCUMENT: &str = include_str!("../../packaging/openapi.json");

pub(super) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::routes::{Routes, routes};
    use super::*;
    use crate::config::{self, Part};

    fn written() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// Method and path of everything that is in one and not in the other.
    fn differences(routes: &Routes, document: &Value) -> Vec<String> {
        let is_method = |key: &str| ["get", "post", "put", "delete", "patch"].contains(&key);
        let written = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| is_method(key));
            methods.map(move |method| format!("{method} {path}"))
        });
        let written: BTreeSet<String> = written.collect();
        let routed = routes.listed().iter().map(|(method, path)| format!("{method} {path}")).collect();
        written.symmetric_difference(&routed).cloned().collect()
    }

    #[test]
    fn the_document_names_every_route_and_no_other() {
        assert_eq!(differences(&routes(), &written()), [] as [String; 0]);
        let more = routes().post("/v1/new", document);
        assert_eq!(differences(&more, &written()), ["post /v1/new"], "a route that nobody wrote down is found");
        let mut fewer = written();
        fewer["paths"].as_object_mut().unwrap().remove("/metrics");
        assert_eq!(differences(&routes(), &fewer), ["get /metrics"]);
    }

    /// What may stand in a section of the file and not in a request: where a secret of the box is.
    fn reads_a_secret(key: &str) -> bool {
        key != "ca_file" && (key.ends_with("_file") || key.ends_with("_credential"))
    }

    #[test]
    fn definitions_have_the_keys_of_the_manual_but_those_that_read_secrets() {
        let switched_on = |line: &str| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with([' ', ':']) => setting.to_owned(),
            _ => line.to_owned(),
        };
        let manual: Vec<_> = config::MANUAL.lines().map(switched_on).collect();
        let manual: toml::Table = manual.join("\n").parse().unwrap();
        let document = written();
        for (part, schema, brought) in [
            (Part::Camera, "CameraDefinition", &["password"][..]),
            (Part::Endpoint, "EndpointDefinition", &["secret"]),
            (Part::Monitor, "MonitorDefinition", &[]),
        ] {
            let section = manual[part.as_str()][0].as_table().unwrap();
            let keys = section.keys().map(String::as_str).filter(|key| !reads_a_secret(key));
            let expected: BTreeSet<&str> = keys.chain(brought.iter().copied()).collect();
            let properties = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
            assert_eq!(properties.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{schema}");
        }
    }

    #[test]
    fn the_document_is_of_this_version_and_its_references_lead_somewhere() {
        let document = written();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let referred = DOCUMENT.split("\"$ref\": \"#").skip(1).map(|rest| rest.split('"').next().unwrap());
        let lost: Vec<_> = referred.filter(|pointer| document.pointer(pointer).is_none()).collect();
        assert_eq!(lost, [] as [&str; 0]);
        let operations = document["paths"].as_object().unwrap().values();
        let ids: Vec<_> = operations.flat_map(|item| item.as_object().unwrap().values()).collect();
        let ids: Vec<_> = ids.iter().filter_map(|operation| operation["operationId"].as_str()).collect();
        assert_eq!(ids.len(), routes().listed().len());
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    }
}
