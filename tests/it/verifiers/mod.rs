//! What the built binary signs is verified by verifiers that we did not write: the published libraries of Standard Webhooks
//! from PyPI, npm and crates.io, and a few lines of each language for `X-Trio-Signature`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::appliance::{Appliance, SECRET};
use crate::python;
use crate::receiver::{Answer, Arrived, Receiver};
use crate::shared::skip;

/// The secret that [`SECRET`] replaces.
const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

const PYPI: &str = "standardwebhooks==1.1.0";
const NPM: &str = "standardwebhooks@1.1.1";

/// Whether a request verifies with each of these secrets; otherwise what the verifier says.
type Verify<'a> = &'a dyn Fn(&BTreeMap<String, String>, &str, &[&str]) -> Result<(), String>;

/// What `max_body` allows; every body here has a frame that is scaled down until it fits.
const CAP: usize = 16 * 1024;

/// A verifier of another language: what to run before the script's arguments.
struct Verifier {
    name: &'static str,
    program: PathBuf,
    script: &'static str,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Verifier {
    /// None where it can't be had; in CI that is a failure.
    fn python() -> Option<Verifier> {
        let program = python::with(PYPI, "standardwebhooks")?;
        Some(Verifier { name: "PyPI", program, script: "verify.py", environment: Vec::new() })
    }

    /// The same.
    fn node() -> Option<Verifier> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/npm-verify");
        let modules = folder.join("node_modules");
        if !modules.join("standardwebhooks/package.json").exists() {
            fs::create_dir_all(&folder).unwrap();
            let installed = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"])
                .arg(&folder)
                .arg(NPM)
                .output();
            if !modules.join("standardwebhooks/package.json").exists() {
                skip(&format!("no Node.js with npm to install `{NPM}`: {installed:?}"));
                return None;
            }
        }
        let environment = vec![("NODE_PATH", modules)];
        Some(Verifier { name: "npm", program: "node".into(), script: "verify.cjs", environment })
    }

    /// Whether `request` verifies with each of `secrets`; otherwise what the verifier says.
    fn verify(&self, headers: &BTreeMap<String, String>, body: &str, secrets: &[&str]) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let request = dir.path().join("request.json");
        fs::write(&request, serde_json::json!({"headers": headers, "body": body}).to_string()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/verifiers").join(self.script);
        let mut verifier = Command::new(&self.program);
        verifier.envs(self.environment.clone()).arg(script).arg(request).args(secrets);
        let output = verifier.output().unwrap();
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
    }
}

/// The published crate, in this process.
fn verified_by_crates_io(headers: &BTreeMap<String, String>, body: &str, secrets: &[&str]) -> Result<(), String> {
    let headers: http::HeaderMap = headers
        .iter()
        .filter(|(name, _)| name.starts_with("webhook-"))
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    let verify = |secret: &&str| {
        standardwebhooks::Webhook::new(secret).unwrap().verify(body.as_bytes(), &headers).map_err(|it| it.to_string())
    };
    secrets.iter().try_for_each(verify)
}

/// Requests of two monitors, one with metadata of many scripts and one with none, signed with two secrets.
fn requests() -> Vec<Arrived> {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let monitor = |name: &str, metadata: &str| {
        format!(
            "[[monitor]]\nname = \"{name}\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
             check_interval = \"200ms\"\nmetadata = {metadata}\n"
        )
    };
    let mut appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n{}{}\
         [[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = [\"HERE/ops.secret\", \"HERE/old.secret\"]\n\
         max_body = \"{CAP}B\"\n",
        clip.display(),
        monitor("worded", "{ \"Größe\" = \"ein „Tor“ – 門 🚚\", \"\\u0000\\\"\" = \"\\u2028\" }"),
        monitor("silent", "{}"),
        receiver.url(),
    ));
    let old = appliance.folder.path().join("old.secret");
    fs::copy(appliance.folder.path().join("ops.secret"), &old).unwrap();
    fs::write(&old, OLD).unwrap();
    appliance.start();
    let arrived = receiver.wait_for(4);
    appliance.stop();
    arrived
}

#[test]
fn three_published_verifiers_agree_and_a_flipped_byte_fails_them_all() {
    let (Some(python), Some(node)) = (Verifier::python(), Verifier::node()) else { return };
    let verifiers: [(&str, Verify<'_>); 3] = [
        (python.name, &|headers, body, secrets| python.verify(headers, body, secrets)),
        (node.name, &|headers, body, secrets| node.verify(headers, body, secrets)),
        ("crates.io", &verified_by_crates_io),
    ];
    let requests = requests();
    let metadata =
        |request: &Arrived| serde_json::from_slice::<Value>(&request.body).unwrap()["data"]["metadata"].clone();
    assert!(requests.iter().any(|request| metadata(request)["Größe"] == "ein „Tor“ – 門 🚚"));
    assert!(requests.iter().any(|request| metadata(request) == serde_json::json!({})));
    let largest = requests.iter().map(|request| request.body.len()).max().unwrap();
    assert!((CAP / 2..=CAP).contains(&largest), "a body at the cap: {largest}");

    for request in &requests {
        let headers: BTreeMap<_, _> = request.headers.iter().cloned().collect();
        let body = String::from_utf8(request.body.clone()).unwrap();
        let flipped = body.replacen("monitor.", "monitoR.", 1);
        for (name, verify) in &verifiers {
            // A receiver knows one secret, the new one or still the old one.
            assert_eq!(verify(&headers, &body, &[SECRET, OLD]), Ok(()), "{name}");
            assert!(verify(&headers, &flipped, &[OLD]).is_err(), "{name} takes a changed body");
            assert!(verify(&headers, &body, &["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]).is_err(), "{name}");
        }
    }

    let headers: BTreeMap<_, _> = requests[0].headers.iter().cloned().collect();
    let body = String::from_utf8(requests[0].body.clone()).unwrap();
    let mut other = headers.clone();
    other.insert("x-trio-signature".to_owned(), "0".repeat(64));
    for verifier in [&python, &node] {
        let refused = verifier.verify(&other, &body, &[SECRET, OLD]).unwrap_err();
        assert_eq!(refused, "X-Trio-Signature: does not match", "{}", verifier.name);
        let switched = verifier.verify(&headers, &body, &[OLD, SECRET]).unwrap_err();
        assert_eq!(switched, "X-Trio-Signature: does not match", "it keeps the older key while two are in use");
    }
}
