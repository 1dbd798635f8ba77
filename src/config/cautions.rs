//! What is right, but likely not meant: webhooks that nobody can verify, paths that count from wherever stakeout is started.
//!
//! Owns the warnings of `check` and of a start that need nothing but the file; refuses to look at the world. Pure.

use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::settings::{CameraUrl, Config, EndpointUrl, Located, SecretRef};
use super::suggest;

/// Adds the warnings of `config` to `diagnostics`.
pub fn caution(config: &Config, diagnostics: &mut Diagnostics) {
    unsigned(config, diagnostics);
    relative(config, diagnostics);
}

fn unsigned(config: &Config, diagnostics: &mut Diagnostics) {
    let signable = config.endpoints.iter().filter(|endpoint| endpoint.enabled && endpoint.format.is_signed());
    for endpoint in signable.filter(|endpoint| endpoint.secrets.is_empty()) {
        let title =
            format!("endpoint `{}`: it is unsigned: the receiver can't tell our events from anybody's", endpoint.name);
        let label = "write a secret into a file (`stakeout keygen`) and name that as `secret_file`";
        diagnostics.push(Diagnostic::warning(title).at(endpoint.url.at(), label));
    }
}

fn relative(config: &Config, diagnostics: &mut Diagnostics) {
    let located = located(config);
    let located: Vec<_> = located.into_iter().filter(|path| path.value.is_relative()).collect();
    let unlocated = [&config.storage.path, &config.api.socket].into_iter().filter(|path| path.is_relative());
    let paths: Vec<&Path> =
        located.iter().map(|path| path.value.as_path()).chain(unlocated.map(PathBuf::as_path)).collect();
    if paths.is_empty() {
        return;
    }
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let verb = if shown.len() == 1 { "counts" } else { "count" };
    let title = format!(
        "{} {verb} from the folder that stakeout is started in, not from this file's",
        suggest::quoted(shown.iter().map(String::as_str))
    );
    let mut warning = Diagnostic::warning(title);
    if let Some(first) = located.first() {
        warning = warning.at(first.at.clone(), "");
    }
    diagnostics.push(warning.help("write absolute paths, which begin with `/`"));
}

/// Every path with its place in the file.
fn located(config: &Config) -> Vec<&Located<PathBuf>> {
    let mut secrets = vec![config.api.token.as_ref(), config.api.webhook_secret.as_ref()];
    let mut paths = vec![config.runtime.onnxruntime.as_ref()];
    for camera in &config.cameras {
        secrets.push(camera.password.as_ref());
        if let CameraUrl::Secret(url) = &camera.url {
            secrets.push(Some(url));
        }
        paths.push(camera.ca_file.as_ref());
    }
    paths.extend(config.models.iter().map(|model| model.path.as_ref()));
    for endpoint in &config.endpoints {
        secrets.extend(endpoint.secrets.iter().map(Some));
        secrets.extend([endpoint.routing_key.as_ref(), endpoint.mail.as_ref().and_then(|mail| mail.password.as_ref())]);
        if let EndpointUrl::Secret(url) = &endpoint.url {
            secrets.push(Some(url));
        }
        paths.push(endpoint.ca_file.as_ref());
        if let Some(client) = &endpoint.client {
            paths.push(Some(&client.certificate));
            secrets.push(Some(&client.key));
        }
    }
    let files = secrets.into_iter().flatten().filter_map(|secret| match secret {
        SecretRef::File(path) => Some(path),
        SecretRef::Credential(_) => None,
    });
    let mut all: Vec<_> = paths.into_iter().flatten().chain(files).collect();
    all.sort_by_key(|path| path.at.start);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(endpoint: &str) -> Vec<String> {
        let source = format!(
            "[[camera]]\nname = \"c\"\nurl = \"rtsp://10.0.0.21/x\"\n\
             [[monitor]]\nname = \"m\"\ncamera = \"c\"\nmodel = \"x\"\nlabels = [\"person\"]\n\
             [[endpoint]]\nname = \"ops\"\n{endpoint}\n"
        );
        let mut parsed = crate::config::parse(&source, "it").unwrap();
        assert!(parsed.diagnostics.is_empty(), "{}", parsed.diagnostics);
        caution(&parsed.config, &mut parsed.diagnostics);
        parsed.diagnostics.plain().into_iter().map(|(_, title, hint)| format!("{title}; {hint}")).collect()
    }

    #[test]
    fn an_endpoint_without_a_secret_is_told_where_its_format_is_signed() {
        let url = "url = \"https://ops.example/hook\"";
        let told = said(url);
        assert!(matches!(&told[..], [one] if one.contains("endpoint `ops`: it is unsigned")), "{told:?}");
        assert!(told[0].contains("`stakeout keygen`"), "{told:?}");
        assert!(said(&format!("{url}\nsecret_file = \"/etc/ops.secret\"")).is_empty());
        assert!(said(&format!("{url}\nsecret_credential = \"ops\"")).is_empty());
        assert!(said(&format!("{url}\nenabled = false")).is_empty());
        assert!(said("format = \"pagerduty\"\nrouting_key_file = \"/etc/pager.key\"").is_empty(), "it knows none");
    }

    #[test]
    fn relative_paths_are_told_together() {
        let told = said("url = \"https://ops.example/hook\"\nca_file = \"ca.pem\"\nsecret_file = [\"s1\", \"/s2\"]");
        assert!(matches!(&told[..], [one] if one.starts_with("`ca.pem`, `s1` count from the folder")), "{told:?}");
    }
}
