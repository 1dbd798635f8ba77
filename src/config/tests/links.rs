//! Names, references and URLs: bad input, and what is said about it, to the letter.

use super::{changed, good, refused};

#[test]
fn two_cameras_of_the_same_name() {
    let source =
        changed(&[("\n[[monitor]]", "[[camera]]\nname = \"dock\"\nurl = \"rtsp://10.0.0.22/\"\n\n[[monitor]]")]);
    let told = r#"
error: two cameras are named `dock`
 --> stakeout.toml:6:8
  |
3 | name = "dock"
  |        ------ the first one
...
6 | name = "dock"
  |        ^^^^^^ give this one another name"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_unknown_camera() {
    let source = changed(&[("camera = \"dock\"", "camera = \"dcok\"")]);
    let told = r#"
error: monitor `person`: unknown camera `dcok`
 --> stakeout.toml:8:10
  |
8 | camera = "dcok"
  |          ^^^^^^ did you mean `dock`? cameras known here: `dock`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_unknown_endpoint() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nendpoints = [\"office\"]\n")]);
    let told = r#"
error: monitor `person`: unknown endpoint `office`
  --> stakeout.toml:11:14
   |
11 | endpoints = ["office"]
   |              ^^^^^^^^ endpoints known here: `ops`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_camera_and_cameras() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ncameras = [\"dock\"]\n")]);
    let told = r#"
error: monitor `person`: `camera` and `cameras` exclude each other
  --> stakeout.toml:11:11
   |
11 | cameras = ["dock"]
   |           ^^^^^^^^ leave one of them out"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn credentials_in_the_url_of_a_camera() {
    let source = changed(&[("rtsp://10.0.0.21/stream1", "rtsp://viewer:hunter2@10.0.0.21/stream1")]);
    let told = r#"
error: camera `dock`: `url` must not contain credentials
 --> stakeout.toml:4:7
  |
4 | url = "rtsp://viewer:*******@10.0.0.21/stream1"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ leave out what stands before the `@`
  |
  = help: write `username = "viewer"` and `password_file = "/etc/stakeout/cam.pass"` beside it"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn credentials_in_the_query_of_a_camera() {
    let source = changed(&[("rtsp://10.0.0.21/stream1", "rtsp://10.0.0.21/s?user=viewer&password=hunter2")]);
    let told = r#"
error: camera `dock`: `url` must not contain credentials (`user=`)
 --> stakeout.toml:4:7
  |
4 | url = "rtsp://10.0.0.21/s?user=viewer&password=*******"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ use `username` and `password_file`, if the camera takes them
  |
  = help: otherwise put the whole URL into a file of its own, and name that as `url_file`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn credentials_by_whatever_name() {
    let camera = "rtsp://10.0.0.21/stream1";
    let endpoint = "https://your-app.example/events";
    for name in "pass pwd pw psw auth key sig signature credential loginpas token api_key user".split(' ') {
        for url in [camera, endpoint] {
            let told = refused(&changed(&[(url, &format!("{url}?n=1&{name}=hunter2"))]));
            assert!(told.contains(&format!("`url` must not contain credentials (`{name}=`)")), "{told}");
            assert!(name == "user" || !told.contains("hunter2"), "{told}");
        }
    }
    let told = refused(&changed(&[(camera, "rtsp://10.0.0.21/user=admin_password=hunter2_channel=1.sdp")]));
    assert!(told.contains("(`user=`)") && !told.contains("hunter2"), "{told}");
    for harmless in ["?channel=1&subtype=0", "/keyframes=1", "?token=", "?design=x"] {
        good(&changed(&[(camera, &format!("{camera}{harmless}"))]));
    }
}

#[test]
fn credentials_in_the_url_of_an_endpoint() {
    let source = changed(&[("https://your-app.example/events", "https://viewer:hunter2@your-app.example/events")]);
    let told = r#"
error: endpoint `ops`: `url` must not contain credentials
  --> stakeout.toml:14:7
   |
14 | url = "https://viewer:*******@your-app.example/events"
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ leave out what stands before the `@`
   |
   = help: events are signed with `secret_file`; a receiver that wants a password is not supported yet"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_password_that_is_written_into_the_file() {
    let source = changed(&[("name = \"dock\"\n", "name = \"dock\"\npassword = \"hunter2\"\n")]);
    let told = r#"
error: camera `dock`: unknown key `password`
 --> stakeout.toml:4:1
  |
4 | password = *********
  | ^^^^^^^^ secrets don't stand in this file: put it into one of its own and name that as `password_file`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_camera_of_another_protocol() {
    let source = changed(&[("rtsp://10.0.0.21/stream1", "http://10.0.0.21/stream1")]);
    let told = r#"
error: camera `dock`: `url` can't start with `http://`
 --> stakeout.toml:4:7
  |
4 | url = "http://10.0.0.21/stream1"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^ use `rtsp://`, `rtsps://` or `file://`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_clip_without_an_absolute_path() {
    let source = changed(&[("rtsp://10.0.0.21/stream1", "file://clips/dock.mp4")]);
    let told = r#"
error: camera `dock`: `url` does not name a file
 --> stakeout.toml:4:7
  |
4 | url = "file://clips/dock.mp4"
  |       ^^^^^^^^^^^^^^^^^^^^^^^ an absolute path follows `file://`: `"file:///srv/clips/dock.mp4"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_password_without_a_username() {
    let source = changed(&[("name = \"dock\"\n", "name = \"dock\"\npassword_credential = \"cam\"\n")]);
    let told = r#"
error: camera `dock`: a password needs a `username`
 --> stakeout.toml:4:23
  |
4 | password_credential = "cam"
  |                       ^^^^^ add `username = "viewer"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_password_in_two_places() {
    let source = changed(&[(
        "name = \"dock\"\n",
        "name = \"dock\"\nusername = \"v\"\npassword_file = \"/p\"\npassword_credential = \"cam\"\n",
    )]);
    let told = r#"
error: camera `dock`: `password_file` and `password_credential` exclude each other
 --> stakeout.toml:6:23
  |
6 | password_credential = "cam"
  |                       ^^^^^ leave one of them out"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_loop_of_a_live_camera() {
    let source = changed(&[("name = \"dock\"\n", "name = \"dock\"\nloop = true\n")]);
    let told = r#"
error: camera `dock`: only a clip can be played in a loop
 --> stakeout.toml:4:8
  |
4 | loop = true
  |        ^^^^ `loop` is for `file://` cameras"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_encrypted_camera_over_udp() {
    let url = "rtsps://10.0.0.21/stream1";
    let source =
        changed(&[("rtsp://10.0.0.21/stream1", url), ("name = \"dock\"\n", "name = \"dock\"\ntransport = \"udp\"\n")]);
    let told = r#"
error: camera `dock`: over UDP the video of an `rtsps://` camera would not be encrypted
 --> stakeout.toml:5:7
  |
5 | url = "rtsps://10.0.0.21/stream1"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^ leave `transport` out: the video stays within the TLS connection"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_certificate_of_a_camera_in_the_clear() {
    let source = changed(&[("name = \"dock\"\n", "name = \"dock\"\nca_file = \"/etc/stakeout/ca.pem\"\n")]);
    let told = r#"
error: camera `dock`: only an `rtsps://` camera shows a certificate
 --> stakeout.toml:4:11
  |
4 | ca_file = "/etc/stakeout/ca.pem"
  |           ^^^^^^^^^^^^^^^^^^^^^^ write `rtsps://` in `url`, or leave `ca_file` out"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_endpoint_in_the_clear() {
    let source = changed(&[("https://your-app.example/events", "http://your-app.example/events")]);
    let told = r#"
error: endpoint `ops`: `url` is not encrypted
  --> stakeout.toml:14:7
   |
14 | url = "http://your-app.example/events"
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ anybody on the way can read it: use `https://`
   |
   = help: `allow_http = true` beside it sends in the clear nevertheless"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}
