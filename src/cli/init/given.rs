//! What is given on the command line.
//!
//! Owns the flags and which of them are enough; refuses to ask. Nothing secret is a flag: arguments are seen by everybody.

use std::path::PathBuf;

use crate::cli::exit::{Exit, Failure};
use crate::config::Format;
use crate::name::Name;

/// The answers to questions.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Given {
    /// Name of the camera [default: camera]
    #[arg(long, value_name = "NAME", value_parser = Name::new, help_heading = "Camera")]
    pub(super) camera_name: Option<Name>,
    /// Where it is: rtsp://, rtsps://, or file:// for a clip
    #[arg(long, value_name = "URL", help_heading = "Camera")]
    pub(super) camera_url: Option<String>,
    /// A file with its URL, where that is a secret
    #[arg(long, value_name = "FILE", conflicts_with = "camera_url", help_heading = "Camera")]
    pub(super) camera_url_file: Option<PathBuf>,
    /// What to log in as
    #[arg(long, value_name = "NAME", requires = "camera_password_file", help_heading = "Camera")]
    pub(super) camera_username: Option<String>,
    /// A file with the password
    #[arg(long, value_name = "FILE", requires = "camera_username", help_heading = "Camera")]
    pub(super) camera_password_file: Option<PathBuf>,
    /// Where to save a first picture, whatever is there [default: CAMERA.jpg, or CAMERA-2.jpg …]
    #[arg(long, value_name = "FILE", help_heading = "Camera")]
    pub(super) picture: Option<PathBuf>,
    /// Name of the endpoint [default: ops]
    #[arg(long, value_name = "NAME", value_parser = Name::new, help_heading = "Endpoint")]
    pub(super) endpoint_name: Option<Name>,
    /// Where events go
    #[arg(long, value_name = "URL", help_heading = "Endpoint")]
    pub(super) endpoint_url: Option<String>,
    /// A file with that URL, where it is a secret (Slack's)
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint_url", help_heading = "Endpoint")]
    pub(super) endpoint_url_file: Option<PathBuf>,
    /// How events are written: stakeout, slack, pagerduty, … [default: stakeout]
    #[arg(long, value_name = "FORMAT", value_parser = format, help_heading = "Endpoint")]
    pub(super) endpoint_format: Option<Format>,
    /// A file with the secret that its receiver has already, or with PagerDuty's integration key [default: a new secret]
    #[arg(long, value_name = "FILE", help_heading = "Endpoint")]
    pub(super) endpoint_secret_file: Option<PathBuf>,
    /// The model that judges [default: one of those that are here]
    #[arg(long, value_name = "NAME", value_parser = Name::new, help_heading = "Monitor")]
    pub(super) model: Option<Name>,
    /// What is asked, in words, of a model that reads
    #[arg(long, value_name = "TEXT", help_heading = "Monitor")]
    pub(super) condition: Option<String>,
    /// What is there otherwise, for zero-shot models; may be given several times
    #[arg(long, value_name = "TEXT", help_heading = "Monitor")]
    pub(super) negatives: Vec<String>,
    /// What is looked for by a detector or classifier, separated by commas
    #[arg(long, value_name = "LABELS", value_delimiter = ',', help_heading = "Monitor")]
    pub(super) labels: Vec<String>,
    /// The state folder [default: /var/lib/stakeout]
    #[arg(long, value_name = "DIR", help_heading = "Machine")]
    pub(super) state: Option<PathBuf>,
    /// The socket of the daemon [default: /run/stakeout/stakeout.sock]
    #[arg(long, value_name = "FILE", help_heading = "Machine")]
    pub(super) socket: Option<PathBuf>,
    /// ONNX Runtime, libonnxruntime.so [default: it is looked for]
    #[arg(long, value_name = "FILE", help_heading = "Machine")]
    pub(super) onnxruntime: Option<PathBuf>,
}

/// Those that are set up here. Mail and clips take more than init asks for.
pub(super) fn formats() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|format| !matches!(format, Format::Email | Format::Upload))
}

fn format(text: &str) -> Result<Format, String> {
    formats().find(|format| format.as_str() == text).ok_or_else(|| match text {
        "email" => "mail is set up by hand: `stakeout config` shows the keys of the format `email`".to_owned(),
        "upload" => "uploads are set up by hand: `stakeout config` shows the keys of the format `upload`".to_owned(),
        _ => format!("the formats are {}", formats().map(Format::as_str).collect::<Vec<_>>().join(", ")),
    })
}

impl Given {
    /// Which flags are missing where nobody can be asked.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.camera_url.is_none() && self.camera_url_file.is_none() {
            missing.push("`--camera-url`");
        }
        match self.endpoint_format {
            Some(Format::Pagerduty) if self.endpoint_secret_file.is_none() => missing.push("`--endpoint-secret-file`"),
            Some(Format::Pagerduty) => {}
            Some(Format::Slack) if self.endpoint_url_file.is_none() => missing.push("`--endpoint-url-file`"),
            _ if self.endpoint_url.is_none() && self.endpoint_url_file.is_none() => missing.push("`--endpoint-url`"),
            _ => {}
        }
        missing
    }

    /// What is wrong with flags that nobody can be asked to complete.
    pub(super) fn incomplete(&self) -> Option<Failure> {
        let missing = self.missing();
        let what = format!("there is no terminal to ask on, and no {}", missing.join(" and no "));
        (!missing.is_empty()).then(|| {
            Failure::new(Exit::Usage, what).hint(
                "give it, or run `stakeout init` on a terminal; `stakeout init --help` lists all that can be given",
            )
        })
    }

    /// Only what is about the machine: everything else is asked anew.
    pub(super) fn without_answers(&self) -> Given {
        let Given { picture, state, socket, onnxruntime, .. } = self.clone();
        Given { picture, state, socket, onnxruntime, ..Given::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_urls_are_enough_and_each_format_has_its_own() {
        let camera = Given { camera_url: Some("rtsp://c/x".to_owned()), ..Given::default() };
        assert_eq!(Given::default().missing(), ["`--camera-url`", "`--endpoint-url`"]);
        assert_eq!(camera.missing(), ["`--endpoint-url`"]);
        let of = |format| Given { endpoint_format: Some(format), ..camera.clone() }.missing();
        assert_eq!(of(Format::Slack), ["`--endpoint-url-file`"]);
        assert_eq!(of(Format::Pagerduty), ["`--endpoint-secret-file`"]);
        let both = Given { endpoint_url: Some("https://e/x".to_owned()), ..camera };
        assert_eq!(both.missing(), [""; 0]);
    }

    #[test]
    fn mail_is_set_up_by_hand() {
        assert_eq!(format("slack"), Ok(Format::Slack));
        assert!(format("email").unwrap_err().contains("by hand"));
        assert!(format("x").unwrap_err().starts_with("the formats are stakeout, "));
    }
}
