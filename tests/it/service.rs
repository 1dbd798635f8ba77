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
    let socket = appliance.folder.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    let socket = socket.to_str().unwrap().to_owned();
    appliance.start_with(&[("NOTIFY_SOCKET", &socket), ("WATCHDOG_USEC", "2000000")]);
    assert_eq!(next(&systemd), "READY=1");
    assert_eq!([next(&systemd), next(&systemd)], ["WATCHDOG=1", "WATCHDOG=1"]);
    appliance.stop();
    while next(&systemd) != "STOPPING=1" {}
}
