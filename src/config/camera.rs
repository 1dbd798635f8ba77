//! `[[camera]]`: where pictures come from.
//!
//! Owns its keys and which of them go together; refuses to know who watches it.

use std::path::PathBuf;

use toml::de::DeValue;
use url::Url;

use super::address;
use super::read::Section;
use super::settings::{Camera, CameraUrl, Decode, Hardware, Located, SecretRef, Transport};
use super::value::{self, Problem, Read, Value};
use super::zone;
use crate::name::Name;

/// Reads one `[[camera]]`. The name comes out even if the rest is wrong, so that it is known to monitors.
pub(super) fn read(section: &mut Section<'_, '_>) -> (Option<Located<Name>>, Option<Camera>) {
    let name = section.name();
    let url = url(section);
    let username = section.optional_text("username");
    let password = secret(section, "password_file", "password_credential");
    let repeat = section.take("loop", value::flag);
    let transport = section.or("transport", Transport::Tcp, value::choice(&TRANSPORTS, &[]));
    let decode = section.or("decode", Decode::Auto, value::choice(&DECODES, &[]));
    let hardware = section.take("hardware", hardware).unwrap_or(Located { value: Hardware::Auto, at: 0..0 });
    let ca_file = section.optional_text("ca_file");
    let mask = section.or("mask", Vec::new(), mask);

    if let Some(url) = &url {
        if let CameraUrl::Open(open) = url {
            fits_encryption(section, open, transport, ca_file.as_ref());
        }
        fits_the_kind(section, url, username.as_ref(), password.as_ref(), repeat.as_ref());
    }
    let camera = name.as_ref().zip(url).map(|(name, url)| Camera {
        name: name.value.clone(),
        url,
        username: username.map(|username| username.value),
        password,
        repeat: repeat.is_some_and(|repeat| repeat.value),
        transport,
        decode,
        hardware,
        ca_file: ca_file.map(|file| Located { value: PathBuf::from(file.value), at: file.at }),
        mask,
    });
    (name, camera)
}

/// `url`, or a file or credential that holds it.
fn url(section: &mut Section<'_, '_>) -> Option<CameraUrl> {
    let secret = secret(section, "url_file", "url_credential");
    let Some(reference) = secret else {
        return section.required("url", "\"rtsp://10.0.0.21/stream1\"", address::camera).map(CameraUrl::Open);
    };
    if let Some(open) = section.take("url", address::camera) {
        let what = "`url` stands beside `url_file` or `url_credential`, which says the same in secret";
        section.problem(open.at, what, "leave one of them out");
    }
    Some(CameraUrl::Secret(reference))
}

const MASK: &str = "[[[0.7, 0.0], [1.0, 0.0], [1.0, 0.1]]]";

/// A list of polygons. One polygon alone looks much like it, and is told once instead of at every number.
fn mask(value: &Value<'_>) -> Read<Vec<Vec<[f32; 2]>>> {
    let is_list = |value: &Value<'_>| matches!(value.get_ref(), DeValue::Array(_));
    if let DeValue::Array(polygons) = value.get_ref()
        && let Some(DeValue::Array(points)) = polygons.first().map(|polygon| polygon.get_ref())
        && points.first().is_some_and(|point| !is_list(point))
    {
        let label = format!("one more pair of brackets: `{MASK}`");
        return Err(Problem::new(value.span(), " is one polygon, not a list of them", label).into());
    }
    value::list_of(zone::read, MASK)(value)
}

const TRANSPORTS: [(&str, Transport); 3] =
    [("tcp", Transport::Tcp), ("udp", Transport::Udp), ("auto", Transport::Auto)];

const DECODES: [(&str, Decode); 3] = [("auto", Decode::Auto), ("all", Decode::All), ("keyframes", Decode::Keyframes)];

/// `auto`, `off`, or what GStreamer may call an element.
fn hardware(value: &Value<'_>) -> Read<Hardware> {
    let text = value::text(value)?;
    let element = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    match text.as_str() {
        "auto" => Ok(Hardware::Auto),
        "off" => Ok(Hardware::Off),
        name if !name.is_empty() && element(name) => Ok(Hardware::Element(text)),
        _ => {
            let predicate = " is no decoder";
            Err(Problem::new(value.span(), predicate, "`auto`, `off`, or a GStreamer element: `nvh264dec`").into())
        }
    }
}

/// Only `rtsps://` is encrypted, and then all of it.
fn fits_encryption(
    section: &mut Section<'_, '_>,
    url: &Located<Url>,
    transport: Transport,
    ca_file: Option<&Located<String>>,
) {
    let encrypted = url.value.scheme() == "rtsps";
    if encrypted && transport == Transport::Udp {
        let what = "over UDP the video of an `rtsps://` camera would not be encrypted";
        section.problem(url.at.clone(), what, "leave `transport` out: the video stays within the TLS connection");
    }
    if let Some(file) = ca_file.filter(|_| !encrypted) {
        let what = "only an `rtsps://` camera shows a certificate";
        section.problem(file.at.clone(), what, "write `rtsps://` in `url`, or leave `ca_file` out");
    }
}

/// Logging in is for network cameras, playing again for recordings.
fn fits_the_kind(
    section: &mut Section<'_, '_>,
    url: &CameraUrl,
    username: Option<&Located<String>>,
    password: Option<&SecretRef>,
    repeat: Option<&Located<bool>>,
) {
    let is_file = matches!(url, CameraUrl::Open(url) if url.value.scheme() == "file");
    if let Some(username) = username.filter(|_| is_file) {
        section.problem(username.at.clone(), "a clip needs no `username`", "leave it out");
    }
    if let Some(repeat) = repeat.filter(|repeat| repeat.value && !is_file) {
        section.problem(repeat.at.clone(), "only a clip can be played in a loop", "`loop` is for `file://` cameras");
    }
    if let (Some(password), None) = (password, username) {
        section.problem(password.at(), "a password needs a `username`", "add `username = \"viewer\"`");
    }
}

/// A secret that is given as a file or as a systemd credential, not as both.
pub(super) fn secret(
    section: &mut Section<'_, '_>,
    file_key: &'static str,
    credential_key: &'static str,
) -> Option<SecretRef> {
    let file = section.optional_text(file_key);
    let credential = section.optional_text(credential_key);
    if let (Some(_), Some(credential)) = (&file, &credential) {
        let what = format!("`{file_key}` and `{credential_key}` exclude each other");
        section.problem(credential.at.clone(), what, "leave one of them out");
    }
    match (file, credential) {
        (Some(file), _) => Some(SecretRef::File(Located { value: PathBuf::from(file.value), at: file.at })),
        (None, Some(credential)) => Some(SecretRef::Credential(credential)),
        (None, None) => None,
    }
}
