//! As a service: what systemd is told.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::appliance::Appliance;

/// The next message to systemd. Panics when none comes for absurdly long.
fn next(systemd: &UnixDatagram) -> String {
    systemd.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut message = [0; 256];
    let length = systemd.recv(&mut message).expect("systemd is told something");
    String::from_utf8_lossy(&message[..length]).trim_end().to_owned()
}

#[test]
fn systemd_is_told_when_it_runs_that_it_is_alive_and_that_it_stops() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let mut appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"person\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n",
        clip.display()
    ));
    appliance.edit("threads = 1\n", "threads = 1\nrun_timeout = \"7s\"\n");
    let socket = appliance.folder.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    let socket = socket.to_str().unwrap().to_owned();
    appliance.start_with(&[("NOTIFY_SOCKET", &socket), ("WATCHDOG_USEC", "2000000")]);
    let before: Vec<u64> = std::iter::repeat_with(|| next(&systemd))
        .take_while(|told| told != "READY=1")
        .map(|told| told.strip_prefix("EXTEND_TIMEOUT_USEC=").unwrap_or_else(|| panic!("{told}")).parse().unwrap())
        .collect();
    // The model's, at five times `run_timeout` for each provider, then that of what is left to do.
    assert!(
        matches!(before[..], [model, 600_000_000] if model >= 5 * 7_000_000 && model % 35_000_000 == 0),
        "{before:?}"
    );
    assert_eq!([next(&systemd), next(&systemd)], ["WATCHDOG=1", "WATCHDOG=1"]);
    appliance.stop();
    while next(&systemd) != "STOPPING=1" {}
}

#[test]
fn nothing_of_the_box_is_kept_or_told_elsewhere() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let mut appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"person\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n",
        clip.display()
    ));
    let home = tempfile::tempdir().unwrap();
    appliance.start_with(&[("HOME", home.path().to_str().unwrap()), ("XDG_CACHE_HOME", "")]);
    appliance.until("the model runs", |it| it.status()["monitors"][0]["checks"].as_u64().filter(|&checks| checks > 0));
    appliance.stop();
    let made: Vec<_> = walk(home.path());
    // GStreamer keeps the list of its elements; ONNX Runtime would keep a device id and what it is about to report.
    let odd = made.iter().filter(|file| !file.contains("gstreamer-1.0")).collect::<Vec<_>>();
    assert!(odd.is_empty(), "{odd:?}");
}

/// All files under a folder.
fn walk(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }).collect()
}
