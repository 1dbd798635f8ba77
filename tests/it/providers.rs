//! Libraries and execution providers, with the built binary: a process has one library, so each of these needs its own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::appliance::Appliance;
use crate::shared::{runtime, skip};

const MONITOR: &str = "[[camera]]\nname = \"dock\"\nurl = \"rtsp://10.0.0.21/1\"\n\
    [[endpoint]]\nname = \"ops\"\nurl = \"https://example.com\"\nsecret_file = \"HERE/ops.secret\"\n\
    [[monitor]]\nname = \"m\"\ncamera = \"dock\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n";

/// A box whose `[runtime]` names this library and these providers.
fn with(library: &Path, providers: &str) -> Appliance {
    let appliance = Appliance::new(MONITOR);
    let text = fs::read_to_string(appliance.config()).unwrap();
    let named = text.lines().find(|line| line.starts_with("onnxruntime = ")).unwrap();
    let line = format!("onnxruntime = \"{}\"\nexecution_providers = {providers}", library.display());
    appliance.edit(named, &line);
    appliance
}

fn installed() -> PathBuf {
    let fetched = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/lib/libonnxruntime.so");
    std::env::var_os("ORT_LIB").map_or_else(fetched, PathBuf::from)
}

/// Another version, as `scripts/setup --dev` fetches it.
fn version(version: &str) -> Option<PathBuf> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(".setup/lib-{version}/libonnxruntime.so"));
    if library.exists() {
        return Some(library);
    }
    skip(&format!("`{}` is not here; `scripts/setup --dev` fetches it", library.display()));
    None
}

/// What `check` and `run` say, which is the same, with the library called `LIBRARY`.
fn refused(appliance: &Appliance, library: &Path) -> String {
    let checked = appliance.run(&["check"]);
    assert_eq!(checked.status.code(), Some(78), "{}", String::from_utf8_lossy(&checked.stderr));
    let said = |output: std::process::Output| String::from_utf8(output.stderr).unwrap();
    let title = |said: &str| -> String {
        let helps = said.lines().filter(|line| line.starts_with("error: ") || line.contains("= help: "));
        helps.map(str::trim).collect::<Vec<_>>().join("\n").replace(library.to_str().unwrap(), "LIBRARY")
    };
    let (checked, started) = (title(&said(checked)), title(&said(appliance.run(&["run"]))));
    assert_eq!(checked, started);
    checked
}

const OTHERWISE: &str =
    "put a libonnxruntime.so of 1.21 or later into /usr/lib/stakeout (in a checkout, scripts/setup fetches one)";

#[test]
fn a_library_that_is_too_old_is_told() {
    let Some(old) = version("1.20.1") else { return };
    assert_eq!(
        refused(&with(&old, "[\"auto\"]"), &old),
        format!(
            "error: `[runtime] onnxruntime` names `LIBRARY`, which can't be loaded: it is version 1.20.1, and 1.21 or later \
             is needed\n= help: correct it, or leave it out and {OTHERWISE}"
        )
    );
}

#[test]
fn what_is_no_library_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("libonnxruntime.so");
    let help = format!("= help: correct it, or leave it out and {OTHERWISE}");
    let error = "error: `[runtime] onnxruntime` names `LIBRARY`, which can't be loaded: LIBRARY:";
    assert_eq!(
        refused(&with(&missing, "[\"cpu\"]"), &missing),
        format!("{error} cannot open shared object file: No such file or directory\n{help}")
    );
    fs::write(&missing, "x".repeat(4096)).unwrap();
    assert_eq!(refused(&with(&missing, "[\"cpu\"]"), &missing), format!("{error} invalid ELF header\n{help}"));
}

#[test]
fn a_provider_that_the_library_lacks_is_told() {
    if runtime().is_none() {
        return;
    }
    let library = installed();
    for named in ["cuda", "tensorrt", "openvino"] {
        let said = refused(&with(&library, &format!("[\"{named}\", \"cpu\"]")), &library);
        let (before, after) = said.split_once("(ONNX Runtime ").unwrap();
        assert_eq!(before, format!("error: `execution_providers` names `{named}`, but `LIBRARY` "));
        let (_version, after) = after.split_once(')').unwrap();
        assert_eq!(
            after,
            format!(
                " offers only `cpu`\n= help: name one of these, or set `[runtime] onnxruntime` to a library that was built \
                 with {named}"
            )
        );
    }
}

/// The oldest that is supported on JetPack 6 and that ort's own defaults abort with, and the newest that is fetched.
#[test]
fn status_tells_the_library_and_what_really_runs_a_model() {
    let Some(older) = version("1.22.1") else { return };
    let newest = installed();
    if runtime().is_none() {
        return;
    }
    for (library, providers) in [(&older, "[\"auto\"]"), (&newest, "[\"auto\"]"), (&newest, "[\"cpu\"]")] {
        let mut appliance = with(library, providers);
        appliance.edit("rtsp://10.0.0.21/1", &format!("file://{}/tests/data/yard.mp4", env!("CARGO_MANIFEST_DIR")));
        appliance.start();
        let status = appliance.until("a run", |it| Some(it.status()).filter(|it| it["models"][0]["runs"] != 0));
        let told = &status["onnxruntime"];
        assert_eq!(told["path"].as_str(), library.to_str());
        let version = told["version"].as_str().unwrap();
        assert!(if *library == older { version == "1.22.1" } else { version.starts_with("1.") }, "{version}");
        let model = &status["models"][0];
        assert_eq!([&model["name"], &model["state"], &model["provider"]], ["yard-classifier", "ready", "cpu"]);
        assert_eq!([&model["rung"], &model["cause"]], [&"with all optimisations".into(), &serde_json::Value::Null]);
        let screen = String::from_utf8(appliance.run(&["status"]).stdout).unwrap();
        assert!(screen.contains(&format!("ONNX Runtime {version}, {}", library.display())), "{screen}");
        assert!(screen.contains("with all optimisations"), "{screen}");
        appliance.stop();
    }
}
