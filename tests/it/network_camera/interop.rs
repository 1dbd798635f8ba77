//! RTSP servers that are not ours: GStreamer's, VLC's, and one from npm. Each is watched, dies, and comes back.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use stakeout::camera::Problem;
use stakeout::config::Transport;
use url::Url;

use super::{at, loss, watch};
use crate::camera::{frame_of, small_clip, until};
use crate::rtsp::Server;
use crate::shared::skip;

const NPM: &str = "rtsp-streaming-server@2.1.0";

/// Processes that are killed together.
struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for process in &mut self.0 {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Watches what `start` serves at `url`, over its death. The camera may be there first: it is tried until there is something.
fn survives<S>(url: &Url, transport: Transport, start: impl Fn() -> S) {
    let server = start();
    let camera = watch(at(url, transport));
    let first = frame_of(&camera, "a frame");
    assert_eq!((first.width, first.height), (320, 240));
    drop(server);
    until(&camera, "the loss", |mail| {
        let lost = |notice: &stakeout::camera::Notice| matches!(notice, stakeout::camera::Notice::Lost(_));
        mail.notices.iter().any(lost).then_some(())
    });
    let _server = start();
    let returned = |mail: stakeout::camera::Mail| mail.frames.into_iter().find(|it| it.connection > first.connection);
    until(&camera, "a frame after the return", returned);
}

#[test]
fn gstreamers_server() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    for transport in [Transport::Tcp, Transport::Udp] {
        let [port] = free_ports();
        let url = format!("rtsp://127.0.0.1:{port}/cam").parse().unwrap();
        survives(&url, transport, || Server::start(&clip, port, &["--audio", "aac"]));
    }
}

/// It serves RTP over UDP only, so `auto` must find that out, and `tcp` must say so.
#[test]
fn vlc() {
    if Command::new("vlc").arg("--version").output().is_err() {
        skip("no VLC (Debian's vlc-bin and vlc-plugin-base)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let [port] = free_ports();
    let url: Url = format!("rtsp://127.0.0.1:{port}/cam").parse().unwrap();
    survives(&url, Transport::Auto, || start_vlc(&clip, port));

    let _server = start_vlc(&clip, port);
    let camera = watch(at(&url, Transport::Udp));
    frame_of(&camera, "a frame over UDP");
    assert_eq!(loss(at(&url, Transport::Tcp)), Problem::Transport("TCP"));
}

/// VLC refuses to be root.
fn start_vlc(clip: &Path, port: u16) -> Running {
    let root = rustix::process::geteuid().is_root();
    let mut vlc = if root { Command::new("setpriv") } else { Command::new("vlc") };
    if root {
        vlc.args(["--reuid=65534", "--regid=65534", "--clear-groups", "vlc"]);
    }
    let out = format!("#rtp{{sdp=rtsp://127.0.0.1:{port}/cam}}");
    vlc.args(["-I", "dummy", "--no-dbus", "--loop", "--sout-keep", "--sout", &out]).arg(clip);
    Running(vec![quiet(&mut vlc).env("HOME", "/nonexistent").spawn().unwrap()])
}

/// RTP over UDP only, no keep-alive answers, no `Content-Base`: a camera of the simplest kind.
#[test]
fn one_from_npm() {
    let Some(modules) = npm_server() else { return };
    let [publish, serve] = free_ports();
    // Its streams must be called so, and what is published by GStreamer calls them otherwise: thus the name of the path.
    let url = format!("rtsp://127.0.0.1:{serve}/cam/streamid=0/").parse().unwrap();
    survives(&url, Transport::Auto, || start_npm_server(&modules, publish, serve));
}

/// Where its modules are; it is installed once. None where it can't be had; in CI that is a failure.
fn npm_server() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/npm-rtsp");
    let modules = folder.join("node_modules");
    let there = || modules.join("rtsp-streaming-server/package.json").exists();
    if !there() {
        std::fs::create_dir_all(&folder).unwrap();
        let options = ["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix"];
        let installed = Command::new("npm").args(options).arg(&folder).arg(NPM).output();
        if !there() {
            skip(&format!("no Node.js with npm to install `{NPM}`: {installed:?}"));
            return None;
        }
    }
    if !Command::new("gst-inspect-1.0").args(["--exists", "rtspclientsink"]).status().is_ok_and(|it| it.success()) {
        skip("nothing to publish a stream with (Debian's gstreamer1.0-rtsp)");
        return None;
    }
    Some(modules)
}

fn start_npm_server(modules: &Path, publish: u16, serve: u16) -> Running {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/network_camera/npm_server.cjs");
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules).arg(script).args([publish, serve].map(|port| port.to_string()));
    let mut server = node.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "listening\n");
    let pipeline = format!(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=15/1 \
         ! x264enc speed-preset=ultrafast tune=zerolatency key-int-max=15 ! h264parse config-interval=-1 \
         ! rtspclientsink protocols=udp location=rtsp://127.0.0.1:{publish}/cam/streamid=0"
    );
    let mut publisher = Command::new("gst-launch-1.0");
    let publisher = quiet(publisher.arg("-q").args(pipeline.split_whitespace())).spawn().unwrap();
    Running(vec![publisher, server])
}
