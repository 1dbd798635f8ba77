//! The configuration that is being made.
//!
//! Owns its text and which secrets lie beside it; refuses to ask, to try and to write. Pure.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use url::Url;

use super::given::Given;
use super::place::Place;
use crate::cli::settings;
use crate::config::Format;
use crate::name::Name;
use crate::secret::Secret;

/// What was answered so far.
pub(super) struct Draft {
    path: PathBuf,
    state: Option<PathBuf>,
    socket: Option<PathBuf>,
    /// Also where it was found where the service wouldn't look.
    pub(super) onnxruntime: Option<PathBuf>,
    pub(super) camera: Option<Camera>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) watch: Option<Watch>,
}

/// A camera. Its URL has no login in it.
pub(super) struct Camera {
    pub(super) name: Name,
    pub(super) url: Url,
    /// The URL is a secret itself: credentials are in its path or query.
    pub(super) is_secret: bool,
    pub(super) login: Option<(String, Secret)>,
}

/// An endpoint, and the one secret that its format needs.
pub(super) struct Endpoint {
    pub(super) name: Name,
    pub(super) format: Format,
    /// None: the format knows its own.
    pub(super) url: Option<Secret>,
    /// What signs, or PagerDuty's key.
    pub(super) secret: Option<Secret>,
    /// The secret was made now: its receiver doesn't know it yet.
    pub(super) is_new: bool,
}

/// What is watched for.
pub(super) struct Watch {
    pub(super) name: Name,
    pub(super) model: Name,
    /// Where the service wouldn't look by itself.
    pub(super) model_path: Option<PathBuf>,
    pub(super) condition: String,
    pub(super) labels: Vec<String>,
    pub(super) negatives: Vec<String>,
}

/// A file with nothing but a secret in it.
pub(super) struct SecretFile {
    pub(super) path: PathBuf,
    pub(super) content: Secret,
}

impl Draft {
    pub(super) fn new(place: &Place, given: &Given) -> Draft {
        let absolute = |path: &Option<PathBuf>| path.as_ref().and_then(|path| std::path::absolute(path).ok());
        Draft {
            path: place.path().to_owned(),
            state: absolute(&given.state),
            socket: absolute(&given.socket),
            onnxruntime: absolute(&given.onnxruntime),
            camera: None,
            endpoint: None,
            watch: None,
        }
    }

    /// The secrets that lie beside the configuration.
    pub(super) fn secrets(&self) -> Vec<SecretFile> {
        let mut files = Vec::new();
        let mut add = |name: &Name, kind: &str, content: Secret| {
            files.push(SecretFile { path: self.beside(name, kind), content });
        };
        if let Some(Camera { name, url, is_secret, login }) = &self.camera {
            if *is_secret {
                add(name, "url", Secret::new(url.as_str()));
            }
            if let Some((_, password)) = login {
                add(name, "pass", password.clone());
            }
        }
        if let Some(Endpoint { name, format, url, secret, .. }) = &self.endpoint {
            match (format, url, secret) {
                (Format::Slack, Some(url), _) => add(name, "url", url.clone()),
                (Format::Pagerduty, _, Some(key)) => add(name, "key", key.clone()),
                (_, _, Some(secret)) => add(name, "secret", secret.clone()),
                _ => {}
            }
        }
        files
    }

    fn beside(&self, name: &Name, kind: &str) -> PathBuf {
        self.path.with_file_name(format!("{name}.{kind}"))
    }

    /// What the configuration says, with comments.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "# Stakeout: written by `stakeout init` {}.\n\
             # Every key with its default and meaning: `stakeout config`. After a change:\n\
             # stakeout check && systemctl restart stakeout. Nothing is lost by a restart.\n",
            env!("CARGO_PKG_VERSION")
        );
        self.machine(&mut text);
        if let Some(camera) = &self.camera {
            self.write_camera(camera, &mut text);
        }
        self.write_watch(&mut text);
        if let Some(endpoint) = &self.endpoint {
            self.write_endpoint(endpoint, &mut text);
        }
        text
    }

    /// Only what isn't where it usually is.
    fn machine(&self, text: &mut String) {
        let keys = [
            ("# The journal, and the frames of events.\n[storage]\npath", &self.state),
            ("# What runs the models.\n[runtime]\nonnxruntime", &self.onnxruntime),
            ("# Where the command line finds the daemon.\n[api]\nsocket", &self.socket),
        ];
        for (key, path) in keys {
            if let Some(path) = path {
                let _ = write!(text, "\n{key} = {}\n", quoted(path.display()));
            }
        }
    }

    fn write_camera(&self, Camera { name, url, is_secret, login }: &Camera, text: &mut String) {
        let _ = write!(text, "\n# Where pictures come from.\n[[camera]]\nname = {}\n", quoted(name));
        let _ = match is_secret {
            true => {
                writeln!(text, "# The URL is a secret, so it lies in a file.\nurl_file = {}", self.file(name, "url"))
            }
            false => writeln!(text, "url = {}", quoted(url)),
        };
        if let Some((username, _)) = login {
            let file = self.file(name, "pass");
            let _ = writeln!(text, "username = {}\npassword_file = {file}", quoted(username));
        }
        text.push_str(
            "# How the stream comes: tcp | udp | auto.\n#transport = \"tcp\"\n\
             # Polygons in which movement doesn't count: trees, a busy road behind the fence.\n#mask = []\n",
        );
    }

    fn write_watch(&self, text: &mut String) {
        let Some(camera) = &self.camera else { return };
        let Some(Watch { name, model, model_path, condition, labels, negatives }) = &self.watch else {
            let _ = write!(
                text,
                "\n# What is watched for: nothing yet, because there is no model here (`stakeout models list`).\n\
                 #[[monitor]]\n#name = \"person\"\n#camera = {}\n#model = \"yolox-nano\"\n#labels = [\"person\"]\n",
                quoted(&camera.name)
            );
            return;
        };
        if let Some(path) = model_path {
            let (name, path) = (quoted(model), quoted(path.display()));
            let _ = write!(text, "\n# Who judges.\n[[model]]\nname = {name}\npath = {path}\n");
        }
        let (name, camera, model) = (quoted(name), quoted(&camera.name), quoted(model));
        let _ = write!(
            text,
            "\n# What is watched for. `stakeout replay CLIP` shows what it would have said of a recording.\n\
             [[monitor]]\nname = {name}\ncamera = {camera}\nmodel = {model}\n"
        );
        if !condition.is_empty() {
            let _ = writeln!(text, "# A question in plain words.\ncondition = {}", quoted(condition));
        }
        if !labels.is_empty() {
            let _ = writeln!(text, "# Any of them counts.\nlabels = {}", list(labels));
        }
        if !negatives.is_empty() {
            let _ = writeln!(text, "# What is there otherwise.\nnegatives = {}", list(negatives));
        }
        text.push_str(
            "# Sure enough, 0 to 1.\nconfidence_threshold = 0.6\n# So many of the last checks must be positive.\n\
             hold = \"2 of 3\"\n# No second event for so long.\ncooldown = \"60s\"\n# Time between two checks.\n\
             check_interval = \"1s\"\n# Evaluate and journal, deliver nothing: to try it out.\n#shadow = false\n",
        );
        let wants_clips = self.endpoint.as_ref().is_some_and(|endpoint| endpoint.format.is_about_clips());
        let _ = writeln!(
            text,
            "# What the camera sends around each alert is recorded.\n{}clip = {{ before = \"5s\", after = \"10s\" }}",
            if wants_clips { "" } else { "#" }
        );
    }

    fn write_endpoint(&self, Endpoint { name, format, url, secret, .. }: &Endpoint, text: &mut String) {
        let _ = write!(text, "\n# Where events go.\n[[endpoint]]\nname = {}\n", quoted(name));
        match (format, url) {
            (Format::Slack, _) => {
                let file = self.file(name, "url");
                let _ =
                    writeln!(text, "# Whoever has its URL can post there, so it lies in a file.\nurl_file = {file}");
            }
            (_, Some(url)) => {
                let _ = writeln!(text, "url = {}", quoted(url.expose()));
            }
            (_, None) => {}
        }
        let _ = writeln!(text, "format = {}", quoted(format.as_str()));
        let _ = match (format, secret) {
            (Format::Pagerduty, _) => writeln!(text, "routing_key_file = {}", self.file(name, "key")),
            (_, Some(_)) => writeln!(
                text,
                "# What events are signed with: the receiver needs what this file holds.\nsecret_file = {}",
                self.file(name, "secret")
            ),
            (_, None) => Ok(()),
        };
        text.push_str("# Which events; of these it gets what its format can say.\n#events = [\"*\"]\n");
    }

    fn file(&self, name: &Name, kind: &str) -> String {
        quoted(self.beside(name, kind).display())
    }

    /// What to do now, a line each.
    pub(super) fn next_steps(&self, path: &Path) -> Vec<String> {
        let usual = path == Path::new(settings::DEFAULT);
        let option = if usual { String::new() } else { format!(" --config {}", path.display()) };
        let mut steps = Vec::new();
        if self.watch.is_none() {
            steps.push("get a model: `stakeout models list`, then add a [[monitor]] that names it".to_owned());
        }
        if let Some(Endpoint { name, is_new: true, .. }) = &self.endpoint {
            let file = self.beside(name, "secret");
            steps.push(format!(
                "give the receiver the secret in {}, then: stakeout endpoint check {name}{option}",
                file.display()
            ));
        }
        steps.push(format!("stakeout check{option}"));
        let systemd = usual && Path::new("/run/systemd/system").exists();
        steps.push(if systemd { settings::TAKE_EFFECT.to_owned() } else { format!("stakeout run{option}") });
        steps.push(format!("stakeout status{option}"));
        steps
    }
}

fn quoted(text: impl ToString) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn list(texts: &[String]) -> String {
    toml::Value::Array(texts.iter().cloned().map(toml::Value::String).collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Severity};

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn draft(folder: &Path, format: Format) -> Draft {
        let place = Place::find(&folder.join("stakeout.toml"), false).unwrap();
        let mut draft = Draft::new(&place, &Given::default());
        let login = Some(("vi\"ew\\er".to_owned(), Secret::new("hunter2-pass")));
        let url = "rtsp://10.0.0.21/stream1".parse().unwrap();
        draft.camera = Some(Camera { name: name("dock"), url, is_secret: false, login });
        let url = match format {
            Format::Pagerduty => None,
            Format::Slack => Some("https://hooks.slack.com/services/T0/B0/hunter2-url"),
            _ => Some("https://ops.example/hook"),
        };
        let secret = (format != Format::Slack).then(|| Secret::new("hunter2-key"));
        draft.endpoint = Some(Endpoint { name: name("ops"), format, url: url.map(Secret::new), secret, is_new: true });
        draft.watch = Some(Watch {
            name: name("person-at-dock"),
            model: name("yolox-nano"),
            model_path: Some("/models/yolox-nano".into()),
            condition: "Is \"it\" there?\n".to_owned(),
            labels: vec!["person".to_owned()],
            negatives: Vec::new(),
        });
        draft
    }

    #[test]
    fn every_format_gives_a_configuration_without_a_warning_and_without_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        for format in super::super::given::formats() {
            let draft = draft(folder.path(), format);
            let text = draft.text();
            let mut parsed = config::parse(&text, "it").unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
            config::caution(&parsed.config, &mut parsed.diagnostics);
            assert!(parsed.diagnostics.iter().all(|one| one.severity != Severity::Warning), "{}", parsed.diagnostics);
            assert!(!text.contains("hunter2"), "{text}");
            let [camera, endpoint, monitor] =
                [&parsed.config.cameras[0].name, &parsed.config.endpoints[0].name, &parsed.config.monitors[0].name];
            assert_eq!([camera.as_str(), endpoint.as_str(), monitor.as_str()], ["dock", "ops", "person-at-dock"]);
            assert_eq!(parsed.config.cameras[0].username.as_deref(), Some("vi\"ew\\er"));
            let files: Vec<_> = draft.secrets().into_iter().map(|file| file.path).collect();
            let of_endpoint = match format {
                Format::Slack => "ops.url",
                Format::Pagerduty => "ops.key",
                _ => "ops.secret",
            };
            assert_eq!(files, [folder.path().join("dock.pass"), folder.path().join(of_endpoint)]);
        }
    }

    #[test]
    fn a_url_that_is_a_secret_lies_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut draft = draft(folder.path(), Format::Stakeout);
        let camera = draft.camera.as_mut().unwrap();
        (camera.url, camera.is_secret) = ("rtsp://10.0.0.21/x?password=hunter2-query".parse().unwrap(), true);
        assert!(config::parse(&draft.text(), "it").is_ok() && !draft.text().contains("hunter2"));
        assert!(draft.secrets()[0].content.expose().ends_with("hunter2-query"));
    }

    /// `enable --now` does nothing to the unit that the package has started.
    #[test]
    fn the_manuals_name_the_step_that_makes_the_service_read_it() {
        let readme = include_str!("../../../README.md");
        assert!(readme.contains(&format!("\n{}\n", settings::TAKE_EFFECT)) && !readme.contains("enable --now"));
        let installed = include_str!("../../../packaging/etc/stakeout.toml");
        assert!(settings::TAKE_EFFECT.ends_with("systemctl restart stakeout"));
        assert!(installed.contains("2. systemctl restart stakeout\n"), "the package has enabled it");
    }

    #[test]
    fn without_a_model_there_is_an_example() {
        let folder = tempfile::tempdir().unwrap();
        let mut draft = draft(folder.path(), Format::Stakeout);
        draft.watch = None;
        assert!(config::parse(&draft.text(), "it").unwrap().config.monitors.is_empty());
        let on = draft.text().replace("\n#[[monitor]]", "\n[[monitor]]").replace("\n#name", "\nname");
        let on = on.replace("\n#camera", "\ncamera").replace("\n#model", "\nmodel").replace("\n#labels", "\nlabels");
        assert_eq!(config::parse(&on, "it").unwrap().config.monitors.len(), 1);
        assert!(draft.next_steps(Path::new("/x/stakeout.toml"))[0].contains("stakeout models list"));
    }
}
