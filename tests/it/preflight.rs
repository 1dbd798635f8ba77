//! What `check` says about a configuration that fits itself but not the world, to the letter.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use stakeout::preflight::{self, Ready};
use stakeout::{config, model};

use crate::certificates::Identity;
use crate::shared::{runtime, shared};

/// A place with models, secrets and clips of its own.
struct Site {
    root: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        Site { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.root.path().join(name).to_str().unwrap().to_owned()
    }

    fn secret(&self, name: &str, content: &str, mode: u32) {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A folder in `<storage>/models`, with right hashes.
    fn model(&self, name: &str, family: &str, head: &str, bytes: &[u8], labels: &str) {
        let folder = self.root.path().join("models").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("model.onnx"), bytes).unwrap();
        fs::write(folder.join("labels.txt"), labels).unwrap();
        let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        let manifest = format!(
            "name = \"{name}\"\nfamily = \"{family}\"\n[files]\n\
             model = {{ path = \"model.onnx\", sha256 = \"{}\" }}\nlabels = {{ path = \"labels.txt\", sha256 = \"{}\" }}\n\
             [input]\nsize = [416, 416]\nresize = \"letterbox-top-left\"\npad = 114\ncolor = \"bgr\"\n\
             [output]\nhead = \"{head}\"\n",
            hash(bytes),
            hash(labels.as_bytes()),
        );
        fs::write(folder.join("manifest.toml"), manifest).unwrap();
    }

    /// Parses and checks; what was opened, and what was said with the place called `SITE`.
    fn check(&self, source: &str) -> (Option<Ready>, String) {
        let source = format!("storage.path = \"SITE\"\n{source}").replace("SITE", self.root.path().to_str().unwrap());
        let mut parsed = config::parse(&source, "stakeout.toml").unwrap_or_else(|wrong| panic!("{wrong}"));
        let ready = preflight::check(&parsed.config, &mut parsed.diagnostics);
        (ready, self.shown(&parsed.diagnostics.to_string()))
    }

    /// With the place's path, and the carets below it, made the same everywhere.
    fn shown(&self, said: &str) -> String {
        let path = self.root.path().to_str().unwrap();
        let surplus = "^".repeat(path.len() - "SITE".len());
        let mut shown = String::new();
        let mut quoted = false;
        for line in said.lines() {
            let line = if quoted { line.replacen(&surplus, "", 1) } else { line.to_owned() };
            quoted = line.contains(path) && line.contains(" | ");
            shown = shown + "\n" + &line.replace(path, "SITE");
        }
        shown
    }
}

#[test]
fn secrets_that_cannot_be_used() {
    let site = Site::new();
    site.secret("empty", "\n", 0o600);
    site.secret("open", "hunter2-hunter2-hunter2", 0o644);
    site.secret("garbled", "whsec_hunter2!", 0o600);
    let (ready, said) = site.check(
        r#"
[[camera]]
name = "dock"
url = "rtsp://10.0.0.21/1"
username = "viewer"
password_file = "SITE/missing"
[[endpoint]]
name = "a"
url = "https://example.com"
secret_file = [
  "SITE/open",
  "SITE/empty",
]
[[endpoint]]
name = "b"
url = "https://example.com"
secret_file = "SITE/garbled"
"#,
    );
    assert!(ready.is_none());
    assert!(!said.contains("hunter2"), "{said}");
    let told = r#"
error: camera `dock`: `SITE/missing` does not exist
 --> stakeout.toml:7:17
  |
7 | password_file = "SITE/missing"
  |                 ^^^^^^^^^^^^^^ create it with nothing but the secret in it

warning: endpoint `a`: everybody on this machine can read `SITE/open`
  --> stakeout.toml:12:3
   |
12 |   "SITE/open",
   |   ^^^^^^^^^^^ its mode is 644: `chmod 600` it

error: endpoint `a`: `SITE/empty` is empty
  --> stakeout.toml:13:3
   |
13 |   "SITE/empty",
   |   ^^^^^^^^^^^^ write the secret into it

error: endpoint `b`: what follows `whsec_` in the secret is not base64
  --> stakeout.toml:18:15
   |
18 | secret_file = "SITE/garbled"
   |               ^^^^^^^^^^^^^^ copy it again, or make a new one with `stakeout keygen`

warning: nothing is watched: there is no `[[monitor]]`
--> stakeout.toml
 = help: `stakeout config` prints an example"#;
    assert_eq!(said, told);
}

#[test]
fn clips_that_cannot_be_played() {
    let site = Site::new();
    fs::write(site.path("text.mp4"), "this is no video").unwrap();
    let (ready, said) = site.check(
        "[[camera]]\nname = \"missing\"\nurl = \"file://SITE/a.mp4\"\n\
         [[camera]]\nname = \"text\"\nurl = \"file://SITE/text.mp4\"\n",
    );
    assert!(ready.is_none());
    let told = r#"
error: camera `missing`: `SITE/a.mp4` can't be read: there is no such file
 --> stakeout.toml:4:7
  |
4 | url = "file://SITE/a.mp4"
  |       ^^^^^^^^^^^^^^^^^^^ check the path and its permissions

error: camera `text`: `SITE/text.mp4` isn't a video that can be played: it is neither MP4, MOV nor Matroska
 --> stakeout.toml:7:7
  |
7 | url = "file://SITE/text.mp4"
  |       ^^^^^^^^^^^^^^^^^^^^^^ give an MP4, MOV or Matroska file with H.264, H.265 or MJPEG video

warning: nothing is watched: there is no `[[monitor]]`
--> stakeout.toml
 = help: `stakeout config` prints an example"#;
    assert_eq!(said, told);
}

/// A monitor that asks `model` for what `more` says.
fn monitor(model: &str, more: &str) -> String {
    format!(
        "[[camera]]\nname = \"dock\"\nurl = \"rtsp://10.0.0.21/1\"\n[[endpoint]]\nname = \"ops\"\n\
         url = \"https://example.com\"\n[[monitor]]\nname = \"m\"\ncamera = \"dock\"\nmodel = \"{model}\"\n{more}\n"
    )
}

#[test]
fn an_unknown_model() {
    if runtime().is_none() {
        return;
    }
    let site = Site::new();
    site.model("yolox-nano", "detector", "yolox", b"x", "person\ncar\n");
    let (ready, said) = site.check(&monitor("yolox-nona", "labels = [\"person\"]"));
    assert!(ready.is_none());
    let known = model::available(Path::new(&site.path("")));
    let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let told = r#"
error: monitor `m`: unknown model `yolox-nona`
  --> stakeout.toml:11:9
   |
11 | model = "yolox-nona"
   |         ^^^^^^^^^^^^ did you mean `yolox-nano`? models known here: KNOWN
   |
   = note: there is no `yolox-nona/manifest.toml` in `SITE/models`, `/usr/share/stakeout/models`, `./models`
   = help: copy its folder into one of these places, or name it in a `[[model]]` section"#;
    assert_eq!(said.replace(&format!("here: {known}"), "here: KNOWN"), told);
}

#[test]
fn a_label_that_the_model_lacks() {
    if runtime().is_none() {
        return;
    }
    let Some(file) = shared("models/yolox_nano.onnx") else { return };
    let labels = fs::read_to_string(shared("models/coco80_labels.txt").unwrap()).unwrap();
    let site = Site::new();
    site.model("yolox-nano", "detector", "yolox", &fs::read(file).unwrap(), &labels);
    let (ready, said) = site.check(&monitor("yolox-nano", "labels = [\"person\", \"persn\"]"));
    assert!(ready.is_none());
    let told = r#"
error: monitor `m`: model `yolox-nano` has no label `persn`
  --> stakeout.toml:12:21
   |
12 | labels = ["person", "persn"]
   |                     ^^^^^^^ the nearest it has: `person`, `bear`, `oven`"#;
    assert_eq!(said, told);

    let (ready, said) = site.check(&monitor("yolox-nano", "labels = [\"person\"]"));
    assert_eq!(said, "");
    assert_eq!(ready.unwrap().models.len(), 1);

    let (ready, said) = site.check(&monitor("yolox-nano", "condition = \"Is anybody there?\""));
    assert!(ready.is_some());
    let told = r#"
warning: monitor `m`: model `yolox-nano` reads no questions, so that any of its labels counts
  --> stakeout.toml:11:9
   |
11 | model = "yolox-nano"
   |         ^^^^^^^^^^^^ name `labels`; it has `person`, `bicycle`, `car`, …"#;
    assert_eq!(said, told);
}

#[test]
fn a_wrong_hash() {
    if runtime().is_none() {
        return;
    }
    let site = Site::new();
    site.model("yard", "classifier", "softmax", b"one", "person\ncar\n");
    fs::write(site.path("models/yard/model.onnx"), "another").unwrap();
    let (ready, said) = site.check(&monitor("yard", "labels = [\"person\"]"));
    assert!(ready.is_none());
    let told = r#"
error: model `yard`: `model.onnx` has SHA-256 ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5, the manifest says 7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed
  --> stakeout.toml:11:9
   |
11 | model = "yard"
   |         ^^^^^^
   |
   = help: copy the model's folder again, or correct the SHA-256 in manifest.toml"#;
    assert_eq!(said, told);
}

#[test]
fn a_corrupt_model_that_is_asked_for_what_no_classifier_has() {
    if runtime().is_none() {
        return;
    }
    let site = Site::new();
    site.model("yard", "classifier", "softmax", b"this is no ONNX", "person\ncar\n");
    let more = "labels = [\"person\"]\nmin_count = 2\nzone = [[0, 0], [1, 0], [1, 1]]";
    let source = monitor("yard", more) + "[[model]]\nname = \"yard\"\npath = \"SITE/models/yard\"\n";
    let (ready, said) = site.check(&source);
    assert!(ready.is_none());
    let told = r#"
error: monitor `m`: `zone` needs a detector, which `yard` is not
  --> stakeout.toml:11:9
   |
11 | model = "yard"
   |         ^^^^^^ a classifier sees the picture as a whole: leave `zone` out

error: monitor `m`: `min_count = 2` can never be reached
  --> stakeout.toml:11:9
   |
11 | model = "yard"
   |         ^^^^^^ a classifier gives one score a label, and it is asked for 1

error: model `yard`: `model.onnx` isn't a model that ONNX Runtime can load: Protobuf parsing failed
  --> stakeout.toml:17:8
   |
17 | path = "SITE/models/yard"
   |        ^^^^^^^^^^^^^^^^^^
   |
   = help: copy the model's folder again, or export it anew"#;
    assert_eq!(said, told);
}

#[test]
fn certificates_that_cannot_be_used() {
    let site = Site::new();
    let (one, other) = (Identity::self_signed("a"), Identity::self_signed("b"));
    site.secret("ca.pem", "no certificate\n", 0o644);
    site.secret("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    site.secret("one.pem", &one.pem, 0o644);
    site.secret("one.key", &one.key_pem, 0o600);
    site.secret("other.key", &other.key_pem, 0o644);
    let (ready, said) = site.check(
        r#"
[[endpoint]]
name = "a"
url = "https://example.com"
ca_file = "SITE/missing"
client_cert = "SITE/broken.pem"
client_key = "SITE/one.pem"
[[endpoint]]
name = "b"
url = "https://example.com"
ca_file = "SITE/ca.pem"
[[endpoint]]
name = "c"
url = "https://example.com"
client_cert = "SITE/one.pem"
client_key = "SITE/other.key"
[[endpoint]]
name = "d"
url = "https://example.com"
client_cert = "SITE/one.pem"
client_key = "SITE/ca.pem"
"#,
    );
    assert!(ready.is_none());
    assert!(!said.contains("-----BEGIN PRIVATE KEY-----\n"), "{said}");
    let told = r#"
error: endpoint `a`: `SITE/missing` does not exist
 --> stakeout.toml:6:11
  |
6 | ca_file = "SITE/missing"
  |           ^^^^^^^^^^^^^^ name a file with a certificate in PEM

error: endpoint `a`: `SITE/broken.pem` has a certificate in it that can't be read
 --> stakeout.toml:7:15
  |
7 | client_cert = "SITE/broken.pem"
  |               ^^^^^^^^^^^^^^^^^ export it again as PEM

warning: endpoint `a`: everybody on this machine can read `SITE/one.pem`
 --> stakeout.toml:8:14
  |
8 | client_key = "SITE/one.pem"
  |              ^^^^^^^^^^^^^^ its mode is 644: `chmod 600` it

error: endpoint `b`: `SITE/ca.pem` has no certificate in it
  --> stakeout.toml:12:11
   |
12 | ca_file = "SITE/ca.pem"
   |           ^^^^^^^^^^^^^ it must be PEM, `-----BEGIN CERTIFICATE-----`

warning: endpoint `c`: everybody on this machine can read `SITE/other.key`
  --> stakeout.toml:17:14
   |
17 | client_key = "SITE/other.key"
   |              ^^^^^^^^^^^^^^^^ its mode is 644: `chmod 600` it

error: endpoint `c`: `client_key` does not belong to the certificate
  --> stakeout.toml:17:14
   |
17 | client_key = "SITE/other.key"
   |              ^^^^^^^^^^^^^^^^ the first certificate of `client_cert` must be the key's

warning: endpoint `d`: everybody on this machine can read `SITE/ca.pem`
  --> stakeout.toml:22:14
   |
22 | client_key = "SITE/ca.pem"
   |              ^^^^^^^^^^^^^ its mode is 644: `chmod 600` it

error: endpoint `d`: `client_key` has no private key in it
  --> stakeout.toml:22:14
   |
22 | client_key = "SITE/ca.pem"
   |              ^^^^^^^^^^^^^ it must be PEM, `-----BEGIN PRIVATE KEY-----`, without a passphrase

warning: nothing is watched: there is no `[[monitor]]`
--> stakeout.toml
 = help: `stakeout config` prints an example"#;
    assert_eq!(said, told);
}

#[test]
fn a_cameras_authority_that_cannot_be_used() {
    let site = Site::new();
    site.secret("nonsense.pem", "no certificate\n", 0o644);
    site.secret("own.pem", &Identity::self_signed("a").pem, 0o644);
    let camera = |name: &str, file: &str| {
        format!("[[camera]]\nname = \"{name}\"\nurl = \"rtsps://10.0.0.1/{name}\"\nca_file = \"SITE/{file}\"\n")
    };
    let (ready, said) =
        site.check(&(camera("a", "missing.pem") + &camera("b", "nonsense.pem") + &camera("c", "own.pem")));
    assert!(ready.is_none());
    let told = r#"
error: camera `a`: `SITE/missing.pem` does not exist
 --> stakeout.toml:5:11
  |
5 | ca_file = "SITE/missing.pem"
  |           ^^^^^^^^^^^^^^^^^^ name a file with a certificate in PEM

error: camera `b`: `SITE/nonsense.pem` has no certificate in it
 --> stakeout.toml:9:11
  |
9 | ca_file = "SITE/nonsense.pem"
  |           ^^^^^^^^^^^^^^^^^^^ it must be PEM, `-----BEGIN CERTIFICATE-----`

warning: nothing is watched: there is no `[[monitor]]`
--> stakeout.toml
 = help: `stakeout config` prints an example"#;
    assert_eq!(said, told);
}

#[test]
fn certificates_that_can_be_used() {
    let site = Site::new();
    let one = Identity::self_signed("a");
    site.secret("one.pem", &one.pem, 0o644);
    site.secret("one.key", &one.key_pem, 0o600);
    let (ready, said) = site.check(
        "[[endpoint]]\nname = \"a\"\nurl = \"https://example.com\"\nca_file = \"SITE/one.pem\"\n\
         client_cert = \"SITE/one.pem\"\nclient_key = \"SITE/one.key\"\n",
    );
    let tls = &ready.unwrap().tls[&stakeout::name::Name::new("a").unwrap()];
    assert_eq!(format!("{tls:?}"), "Tls { own_authorities: true, own_certificate: true }");
    assert!(!said.contains("error"), "{said}");
}

#[test]
fn candidates_that_can_decide_nothing() {
    if runtime().is_none() {
        return;
    }
    let site = Site::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR"));
    let section = |name: &str, place: &str| {
        format!("[[model]]\nname = \"{name}\"\npath = \"{}\"\n", models.join(place).display())
    };
    let config = |only_when: &str| {
        let more = format!(
            "condition = \"Is it bright?\"\nzone = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]\nonly_when = \"{only_when}\""
        );
        let sections = [("tiny-smolvlm", "tests/data/models/tiny-smolvlm"), ("yard", "models/yard-classifier")];
        monitor("tiny-smolvlm", &more) + &sections.map(|(name, place)| section(name, place)).concat()
    };
    let (ready, said) = site.check(&config("yard: persom, vehicle > 0.5"));
    assert!(ready.is_none());
    let told = r#"
error: monitor `m`: `zone` needs a detector, which neither `tiny-smolvlm` nor `yard` is
  --> stakeout.toml:14:14
   |
14 | only_when = "yard: persom, vehicle > 0.5"
   |              ^^^^ name a detector here, or leave `zone` out

error: monitor `m`: model `yard` has no label `persom`
  --> stakeout.toml:14:20
   |
14 | only_when = "yard: persom, vehicle > 0.5"
   |                    ^^^^^^ the nearest it has: `person`, `person_in_zone`, `vehicle`"#;
    assert_eq!(said, told);

    let (ready, said) = site.check(&config("yars: person > 0.5"));
    assert!(ready.is_none());
    assert!(said.contains("error: monitor `m`: unknown model `yars`"), "{said}");
    assert!(said.contains("14 | only_when = \"yars: person > 0.5\""), "{said}");

    let of_clients = format!("[api]\ndefault_model = \"zz\"\n{}", config("yard: person > 0.5"));
    let (ready, said) = site.check(&of_clients);
    assert!(ready.is_none() && said.contains("error: `[api] default_model`: "), "{said}");

    let whole = config("yard: person > 0.5").replace("zone = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]\n", "");
    let (ready, said) = site.check(&whole);
    assert_eq!((said.as_str(), ready.unwrap().models.len()), ("", 2));

    let other = whole
        .replace("model = \"tiny-smolvlm\"", "model = \"yard\"")
        .replace("condition = \"Is it bright?\"", "labels = [\"person\"]");
    let (ready, said) = site.check(&other.replace("yard: person >", "tiny-smolvlm: person >"));
    assert!(ready.is_none());
    assert!(
        said.contains("monitor `m`: model `tiny-smolvlm` knows no labels, so that it can't be a candidate"),
        "{said}"
    );

    let detector = |above: &str| {
        let place = "tests/data/models/detectors/yolov5";
        whole.replace("yard: person > 0.5", &format!("yolov5: person > {above}")) + &section("yolov5", place)
    };
    let (ready, said) = site.check(&detector("0.2"));
    assert!(ready.is_none());
    assert!(said.contains("error: monitor `m`: model `yolov5` never reports a score below 0.3"), "{said}");
    assert!(said.contains("^^^^^^ write `> 0.3` or more, or lower `[output] score_threshold`"), "{said}");
    assert_eq!(site.check(&detector("0.3")).1, "");
}
