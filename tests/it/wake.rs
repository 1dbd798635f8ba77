//! A camera that sleeps while nothing happens, with the built binary: a real RTSP server, a person who comes after a while.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::appliance::Appliance;
use crate::rtsp::Server;
use crate::shared::runtime;

/// The yard as it is before anybody comes stands still for 12 s, then tests/data/yard.mp4 goes on: a person comes at 16.5 s.
/// A keyframe comes every `gop` pictures, 15 are a second.
fn quiet_at_first(folder: &Path, gop: u32) -> PathBuf {
    let clip = folder.join(format!("quiet-{gop}.mp4"));
    let yard = format!("filesrc location={}/tests/data/yard.mp4 ! qtdemux ! h264parse", env!("CARGO_MANIFEST_DIR"));
    let pipeline = format!(
        "concat name=c ! videoconvert ! video/x-raw,format=I420 ! x264enc speed-preset=veryfast bframes=0 key-int-max={gop} \
         ! h264parse ! mp4mux ! filesink location={} \
         {yard} ! avdec_h264 ! imagefreeze num-buffers=180 ! video/x-raw,framerate=15/1 ! c. {yard} ! avdec_h264 ! c.",
        clip.display()
    );
    let made = Command::new("gst-launch-1.0").arg("-q").args(pipeline.split_whitespace()).status().unwrap();
    assert!(made.success());
    clip
}

fn watched(server: &Server, more: &str) -> Appliance {
    let mut appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"{}\"\n{more}\n\
         [[monitor]]\nname = \"person\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n",
        server.url
    ));
    appliance.start();
    appliance
}

fn camera(appliance: &Appliance) -> Value {
    appliance.status()["cameras"][0].clone()
}

#[test]
fn a_quiet_camera_sleeps_and_whoever_comes_wakes_it() {
    if runtime().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&quiet_at_first(folder.path(), 15), 0, &[]);
    let mut appliance = watched(&server, "");
    let asleep = appliance.until("it sleeps", |it| Some(camera(it)).filter(|camera| camera["decode"] == "keyframes"));
    assert_eq!(asleep["decode_why"], "nothing moves");
    assert!((0.9..1.2).contains(&asleep["keyframe_interval_s"].as_f64().unwrap()), "{asleep}");
    let told = String::from_utf8(appliance.run(&["status"]).stdout).unwrap();
    assert!(told.contains("keyframes") && told.contains("nothing moves"), "{told}");

    let counts = |camera: &Value| (camera["packets"].as_u64().unwrap(), camera["packets_decoded"].as_u64().unwrap());
    let before = counts(&asleep);
    let awake = appliance.until("it wakes", |it| Some(camera(it)).filter(|camera| camera["decode"] == "awake"));
    assert_eq!(awake["decode_why"], "something moved");
    let after = counts(&awake);
    let (passed, decoded) = (after.0 - before.0, after.1 - before.1);
    assert!(decoded < passed, "{decoded} of {passed} packets were decoded");
    let event = appliance
        .until("the person is seen", |it| it.events().into_iter().find(|event| event["type"] == "monitor.triggered"));
    assert_eq!(event["monitor"], "person", "{event}");
    appliance.stop();
}

/// The control: the same yard, but a keyframe only every 4 s, or everything asked for.
#[test]
fn a_camera_that_cannot_or_must_not_sleep_says_why() {
    if runtime().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&quiet_at_first(folder.path(), 60), 0, &[]);
    let mut appliance = watched(&server, "");
    let why = "a keyframe only every 4.0 s, `notice_within` is 2.0 s";
    let rare = appliance.until("it is measured", |it| Some(camera(it)).filter(|camera| camera["decode_why"] == why));
    assert_eq!(rare["decode"], "all");
    let warned = appliance.until_within(Duration::from_secs(120), "what would be saved is known", |it| {
        let status = it.status();
        status["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["what"].as_str().unwrap().contains("can't sleep"))
            .cloned()
    });
    assert!(warned["do"].as_str().unwrap().starts_with("set the camera's I-frame interval to 1 s"), "{warned}");
    appliance.stop();

    let mut appliance = watched(&server, "decode = \"all\"");
    let all = appliance.until("packets come", |it| Some(camera(it)).filter(|it| it["packets"].as_u64() > Some(45)));
    assert_eq!((&all["decode"], &all["decode_why"]), (&"all".into(), &"as configured".into()));
    assert_eq!(all["packets"], all["packets_decoded"]);
    appliance.stop();
}
