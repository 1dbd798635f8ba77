//! Decoders that are there, fail, or aren't: the built binary, with a GStreamer plugin of ours that stands in for hardware.
//!
//! `decoders/standin.c` is an `nvh264dec` that fails as the environment tells it. Machines without a C compiler have not
//! built Stakeout either.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::appliance::Appliance;
use crate::camera::make_clip;
use crate::rtsp::Server;

const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/yard.mp4");

/// A machine with an `nvh264dec` that fails as `how` says, and without other hardware.
struct Machine {
    appliance: Appliance,
    plugins: TempDir,
    how: &'static str,
}

impl Machine {
    fn new(how: &'static str, camera: &str) -> Machine {
        let plugins = TempDir::new().unwrap();
        let flags = Command::new("pkg-config").args(["--cflags", "--libs", "gstreamer-1.0"]).output().unwrap();
        let flags = String::from_utf8(flags.stdout).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(plugins.path().join("libgststandin.so"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/decoders/standin.c"))
            .args(flags.split_whitespace())
            .status();
        assert!(built.unwrap().success());
        let appliance = Appliance::new(&format!("[[camera]]\nname = \"yard\"\ndecode = \"all\"\n{camera}\n"));
        Machine { appliance, plugins, how }
    }

    fn environment(&self) -> Vec<(&str, String)> {
        let plugins = self.plugins.path().to_str().unwrap();
        let registry = format!("{plugins}/registry.bin");
        vec![("GST_PLUGIN_PATH", plugins.to_owned()), ("GST_REGISTRY", registry), ("STANDIN", self.how.to_owned())]
    }

    /// `stakeout ARGS` to its end: exit code, stdout, stderr.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
        command.args(args).arg("--config").arg(self.appliance.config()).envs(self.environment()).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    fn start(&mut self) {
        let environment = self.environment().into_iter().map(|(name, value)| (name.to_owned(), value));
        let environment: Vec<(String, String)> = environment.collect();
        let borrowed: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        self.appliance.start_with(&borrowed);
    }

    fn camera(&self) -> Value {
        self.appliance.status()["cameras"][0].clone()
    }

    /// Waits until the camera is as it should be.
    fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.appliance.until(what, |it| Some(it.status()["cameras"][0].clone()).filter(&is))
    }

    fn warnings(&self) -> String {
        self.appliance.status()["warnings"].to_string()
    }
}

fn clip(hardware: &str) -> String {
    format!("url = \"file://{CLIP}\"\nloop = true\nhardware = \"{hardware}\"")
}

#[test]
fn a_named_decoder_that_is_not_there_is_an_error_that_lists_what_is() {
    let machine = Machine::new("", &clip("v4l2h264dec"));
    let (code, _, err) = machine.run(&["check"]);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("error: camera `yard`: the decoder `v4l2h264dec` is not installed\n"), "{err}");
    assert!(err.contains("hardware = \"v4l2h264dec\"\n"), "it points at the line: {err}");
    let here = err.lines().find(|line| line.contains("decoders here: ")).expect(&err);
    assert!(here.contains("`avdec_h264`") && here.contains("`nvh264dec`") && !here.contains("`v4l2h264dec`"), "{err}");

    machine.appliance.edit("v4l2h264dec", "videoconvert");
    let (code, _, err) = machine.run(&["check"]);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("the decoder `videoconvert` is no decoder of what cameras speak\n"), "{err}");

    machine.appliance.edit("videoconvert", "nvh264dec");
    let (code, _, err) = machine.run(&["check"]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_named_decoder_that_fails_starts_nothing() {
    let machine = Machine::new("no-device", &clip("nvh264dec"));
    let told = "error: camera `yard`: the decoder `nvh264dec` fails: The stand-in has no device\n";
    let (code, _, err) = machine.run(&["check"]);
    assert!(code == 78 && err.contains(told), "{code} {err}");
    let (code, _, err) = machine.run(&["run"]);
    assert!(code != 0 && err.contains(told), "{code} {err}");

    // It needs a second picture for the first, as research found out: keyframes alone would never come out of it.
    machine.appliance.edit("nvh264dec", "openh264dec");
    let (code, _, err) = machine.run(&["check"]);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("the decoder `openh264dec` holds back a keyframe until others follow\n"), "{err}");
}

#[test]
fn a_decoder_that_hangs_is_given_up() {
    let machine = Machine::new("hangs", &clip("nvh264dec"));
    let (code, _, err) = machine.run(&["check"]);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("error: camera `yard`: the decoder `nvh264dec` does not answer\n"), "{err}");
}

#[test]
fn hardware_that_works_is_used_unless_it_is_switched_off() {
    let mut machine = Machine::new("", &clip("auto"));
    let (code, _, err) = machine.run(&["check"]);
    assert!(code == 0 && !err.contains("decoder"), "{err}");
    machine.start();
    let camera = machine.until("pictures come", |camera| camera["decoder"].is_string());
    assert_eq!(camera["decoder"], "nvh264dec (hardware)");
    assert!(camera["degraded"].is_null() && camera["decoder_failures"] == 0, "{camera}");
    assert!(!machine.warnings().contains("degraded"));
    let screen = String::from_utf8(machine.appliance.run(&["status"]).stdout).unwrap();
    assert!(screen.contains("nvh264dec (hardware)"), "{screen}");
    machine.appliance.stop();

    machine.appliance.edit("hardware = \"auto\"", "hardware = \"off\"");
    machine.start();
    let camera = machine.until("pictures come", |camera| camera["decoder"].is_string());
    assert_eq!(camera["decoder"], "avdec_h264 (software)");
    assert!(camera["degraded"].is_null(), "that is as it should be: {camera}");
    machine.appliance.stop();
}

#[test]
fn hardware_that_does_not_start_is_told_of_and_replaced() {
    let mut machine = Machine::new("no-device", &clip("auto"));
    let (code, _, err) = machine.run(&["check"]);
    assert_eq!(code, 0, "{err}");
    let told =
        "warning: the decoder `nvh264dec` fails: The stand-in has no device: the next one decodes in its place\n";
    assert!(err.contains(told), "{err}");
    machine.start();
    let camera = machine.until("pictures come", |camera| camera["decoder"].is_string());
    assert_eq!(camera["decoder"], "avdec_h264 (software)");
    assert_eq!(camera["degraded"], "nvh264dec fails: The stand-in has no device, decoding in software");
    assert_eq!(camera["decoder_failures"], 1);
    assert!(machine.warnings().contains("camera `yard`: degraded: nvh264dec fails: "), "{}", machine.warnings());
    machine.appliance.stop();
}

#[test]
fn hardware_that_fails_while_it_runs_is_replaced_and_the_camera_goes_on() {
    for (how, why) in [("fails-after=40", "fails: The stand-in gives up"), ("silent-after=40", "gives no pictures")] {
        let mut machine = Machine::new(how, &clip("auto"));
        machine.start();
        machine.until("hardware decodes", |camera| camera["decoder"] == "nvh264dec (hardware)");
        let camera = machine.until("software decodes", |camera| camera["decoder"] == "avdec_h264 (software)");
        assert_eq!(camera["degraded"], format!("nvh264dec {why}, decoding in software"));
        assert_eq!(camera["decoder_failures"], 1);
        let decoded = camera["frames_decoded"].as_u64().unwrap();
        let camera = machine.until("it goes on", |camera| camera["frames_decoded"].as_u64().unwrap() > decoded + 30);
        assert_eq!(camera["decoder_failures"], 1, "it was tried once");
        assert_eq!((&camera["state"], &camera["reconnects"]), (&"online".into(), &0.into()), "{camera}");
        assert!(!machine.appliance.log().contains("camera offline"), "{}", machine.appliance.log());
        machine.appliance.stop();
    }
}

/// Asleep, with a decoder that cameras share.
#[test]
fn hardware_that_fails_on_a_lone_keyframe_is_replaced() {
    let mut machine = Machine::new("fails-after=8", &clip("auto"));
    machine.appliance.edit("decode = \"all\"", "decode = \"keyframes\"");
    machine.start();
    machine.until("hardware decodes", |camera| camera["decoder"] == "nvh264dec (hardware)");
    let camera = machine.until("software decodes", |camera| camera["decoder"] == "avdec_h264 (software)");
    assert_eq!(camera["degraded"], "nvh264dec fails: The stand-in gives up, decoding in software");
    let decoded = camera["frames_decoded"].as_u64().unwrap();
    let camera = machine.until("it goes on", |camera| camera["frames_decoded"].as_u64().unwrap() > decoded + 2);
    assert_eq!((&camera["state"], &camera["decoder_failures"]), (&"online".into(), &1.into()), "{camera}");
    machine.appliance.stop();
}

/// What NVIDIA calls `disable-dpb` brings pictures out sooner, and in the wrong order where there are B-frames.
#[test]
fn a_jetson_reorders_once_a_stream_turns_out_to_need_it() {
    let folder = TempDir::new().unwrap();
    for encoder in ["bframes=0", "bframes=2 b-adapt=false"] {
        let clip = make_clip(
            &folder,
            "clip.mp4",
            150,
            "width=320,height=240,framerate=15/1",
            &format!("key-int-max=15 {encoder}"),
        );
        let camera = format!("url = \"file://{}\"\nloop = true\nhardware = \"auto\"", clip.display());
        let mut machine = Machine::new("jetson", &camera);
        machine.start();
        let camera = machine.until("a good many pictures", |camera| camera["frames_decoded"].as_u64().unwrap() > 100);
        assert_eq!(camera["decoder"], "nvv4l2decoder (hardware)", "{camera}");
        assert_eq!(camera["decoder_failures"], 0, "{camera}");
        machine.appliance.stop();
    }
}

#[test]
fn a_named_decoder_that_fails_while_it_runs_is_the_cameras_problem() {
    let mut machine = Machine::new("fails-after=40", &clip("nvh264dec"));
    machine.start();
    machine.until("hardware decodes", |camera| camera["decoder"] == "nvh264dec (hardware)");
    let log = machine.appliance.until("it fails", |it| Some(it.log()).filter(|log| log.contains("camera offline")));
    assert!(log.contains("the decoder `nvh264dec` fails: The stand-in gives up"), "{log}");
    let camera = machine.camera();
    assert_eq!(camera["decoder"], "nvh264dec (hardware)", "never silently something else");
    machine.appliance.stop();
}

/// A camera that answers, one that doesn't, and one that is a clip, all at once.
#[test]
fn check_live_looks_at_every_camera() {
    let server = Server::start(Path::new(CLIP), 0, &["--user", "viewer", "--password", "Tr0ub4dor"]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = format!(
        "url = \"{}\"\nusername = \"viewer\"\npassword_file = \"HERE/camera.secret\"\n\
         [[camera]]\nname = \"gone\"\nurl = \"rtsp://{nobody}/stream\"\n\
         [[camera]]\nname = \"wrong\"\nurl = \"{}\"\nusername = \"viewer\"\npassword_file = \"HERE/wrong.secret\"\n\
         [[camera]]\nname = \"clip\"\nurl = \"file://{CLIP}\"\n",
        server.url, server.url,
    );
    let machine = Machine::new("no-device", &more);
    for (file, secret) in [("camera.secret", "Tr0ub4dor"), ("wrong.secret", "c0rrecthorse")] {
        let path = machine.appliance.folder.path().join(file);
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let (code, out, err) = machine.run(&["check", "--live"]);
    assert_eq!(code, 1, "{out}{err}");
    for name in ["yard", "clip"] {
        let line = out.lines().find(|line| line.starts_with(&format!("camera `{name}`: works ("))).expect(&out);
        for part in ["H.264 640x360, ", " fps, ", "a keyframe every ", "avdec_h264 (software), first picture after "] {
            assert!(line.contains(part), "`{part}` is not in {line}");
        }
        assert!(err.contains(&format!("warning: camera `{name}`: degraded: nvh264dec fails: ")), "{err}");
    }
    assert!(
        err.contains("error: camera `gone` does not work: the camera refuses connections\nhint: check the port"),
        "{err}"
    );
    assert!(err.contains("error: camera `wrong` does not work: the camera refuses the login\nhint: "), "{err}");
    assert!(err.ends_with("error: 2 cameras do not work\n"), "{err}");
    for secret in ["Tr0ub4dor", "c0rrecthorse", "viewer"] {
        assert!(!format!("{out}{err}").contains(secret), "{out}{err}");
    }
}

#[test]
fn check_live_says_what_a_shorter_keyframe_interval_would_save() {
    let machine = Machine::new("", &clip("off"));
    let config = std::fs::read_to_string(machine.appliance.config()).unwrap();
    let watched = "decode = \"auto\"\n";
    let monitor = "[[endpoint]]\nname = \"ops\"\nurl = \"http://127.0.0.1:9/\"\nenabled = false\n[[monitor]]\nname = \"m\"\n\
                   camera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\nnotice_within = \"500ms\"\n";
    std::fs::write(machine.appliance.config(), config.replace("decode = \"all\"\n", watched) + monitor).unwrap();
    if crate::shared::runtime().is_none() {
        return;
    }
    let (code, out, err) = machine.run(&["check", "--live"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("warning: camera `yard`: every picture is decoded: a keyframe only every "), "{err}");
    assert!(err.contains("hint: set the camera's I-frame interval to "), "{err}");
}
