//! Every kind of bad input that a file alone can show, and what is said about it, to the letter.

use super::{LEAST, refused};

/// The least file with parts replaced.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(LEAST.to_owned(), |source, (from, to)| {
        assert!(source.contains(from), "{from}");
        source.replacen(from, to, 1)
    })
}

#[test]
fn an_unknown_key_with_what_was_meant() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldwon = \"5s\"\n")]);
    let told = r#"
error: monitor `person`: unknown key `cooldwon`
  --> stakeout.toml:11:1
   |
11 | cooldwon = "5s"
   | ^^^^^^^^ did you mean `cooldown`?"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_unknown_key_like_no_other() {
    let source = changed(&[("name = \"dock\"\n", "name = \"dock\"\ncolour = \"red\"\n")]);
    let told = r#"
error: camera `dock`: unknown key `colour`
 --> stakeout.toml:4:1
  |
4 | colour = "red"
  | ^^^^^^ no such key here; `stakeout config` prints all there are"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_unknown_section() {
    let source = changed(&[("[[camera]]", "[[camra]]")]);
    let told = r#"
error: unknown section `camra`
 --> stakeout.toml:2:3
  |
2 | [[camra]]
  |   ^^^^^ did you mean `camera`?

error: monitor `person`: unknown camera `dock`
 --> stakeout.toml:8:10
  |
8 | camera = "dock"
  |          ^^^^^^ there is no `[[camera]]` in this file"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_key_outside_of_any_section() {
    let source = changed(&[("\n[[camera]]", "cooldown = \"5s\"\n\n[[camera]]")]);
    let told = r#"
error: unknown key `cooldown`
 --> stakeout.toml:1:1
  |
1 | cooldown = "5s"
  | ^^^^^^^^ keys belong below a section such as `[device]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_section_that_is_written_as_one_of_a_kind() {
    let source = changed(&[("[[endpoint]]", "[endpoint]")]);
    let told = r#"
error: `endpoint` must be a list of sections
  --> stakeout.toml:12:1
   |
12 | [endpoint]
   | ^^^^^^^^^^ write `[[endpoint]]`: there can be several"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_section_that_is_written_as_one_of_many() {
    let source = changed(&[("\n[[camera]]", "[[storage]]\n\n[[camera]]")]);
    let told = r#"
error: there is only one `[storage]`
 --> stakeout.toml:1:1
  |
1 | [[storage]]
  | ^^^^^^^^^^^ write `[storage]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_number_for_a_duration() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldown = 60\n")]);
    let told = r#"
error: monitor `person`: `cooldown` must be a duration, not an integer
  --> stakeout.toml:11:12
   |
11 | cooldown = 60
   |            ^^ for example `"30s"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_string_for_a_number() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nconfidence_threshold = \"0.8\"\n")]);
    let told = r#"
error: monitor `person`: `confidence_threshold` must be a number, not a string
  --> stakeout.toml:11:24
   |
11 | confidence_threshold = "0.8"
   |                        ^^^^^ for example `0.8`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_string_for_a_list() {
    let source = changed(&[("labels = [\"person\"]", "labels = \"person\"")]);
    let told = r#"
error: monitor `person`: `labels` must be a list, not a string
  --> stakeout.toml:10:10
   |
10 | labels = "person"
   |          ^^^^^^^^ for example `["person"]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_number_among_labels() {
    let source = changed(&[("labels = [\"person\"]", "labels = [\"person\", 3]")]);
    let told = r#"
error: monitor `person`: `labels` must be strings, not an integer
  --> stakeout.toml:10:21
   |
10 | labels = ["person", 3]
   |                     ^ for example `["person"]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_duration_in_words() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldown = \"5 minutes\"\n")]);
    let told = r#"
error: monitor `person`: `cooldown` is not a duration
  --> stakeout.toml:11:12
   |
11 | cooldown = "5 minutes"
   |            ^^^^^^^^^^^ a whole number and one of `ms`, `s`, `m`, `h`, `d`: for example `"30s"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_size_in_the_wrong_units() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nmax_body = \"256KB\"\n")]);
    let told = r#"
error: endpoint `ops`: `max_body` is not a size
  --> stakeout.toml:14:12
   |
14 | max_body = "256KB"
   |            ^^^^^^^ a whole number and one of `KiB`, `MiB`, `GiB`: for example `"512MiB"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_duration_that_is_too_long() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\ntimeout = \"2m\"\n")]);
    let told = r#"
error: endpoint `ops`: `timeout` is out of range
  --> stakeout.toml:14:11
   |
14 | timeout = "2m"
   |           ^^^^ must be between `1s` and `30s`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_threshold_above_one() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nconfidence_threshold = 80\n")]);
    let told = r#"
error: monitor `person`: `confidence_threshold` is out of range
  --> stakeout.toml:11:24
   |
11 | confidence_threshold = 80
   |                        ^^ must be between 0 and 1"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_missing_key() {
    let source = changed(&[("url = \"rtsp://10.0.0.21/stream1\"\n", "")]);
    let told = r#"
error: camera `dock`: `url` is missing
 --> stakeout.toml:2:1
  |
2 | [[camera]]
  | ^^^^^^^^^^ add `url = "rtsp://10.0.0.21/stream1"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

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
error: camera `dock`: `url` must not contain a secret (`password=`)
 --> stakeout.toml:4:7
  |
4 | url = "rtsp://10.0.0.21/s?user=viewer&password=*******"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ use `username` and `password_file`, if the camera takes them
  |
  = help: `url_file`, for a URL that is itself a secret, is not implemented yet"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
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

#[test]
fn an_endpoint_at_the_metadata_service() {
    let source = changed(&[("https://your-app.example/events", "http://169.254.169.254/latest")]);
    let told = r#"
error: endpoint `ops`: `url` must not be link-local
  --> stakeout.toml:14:7
   |
14 | url = "http://169.254.169.254/latest"
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ link-local and metadata addresses are refused
   |
   = help: give the receiver an address of the network; `[egress] allow` is not implemented yet"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_hold_in_other_words() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nhold = \"2/3\"\n")]);
    let told = r#"
error: monitor `person`: `hold` can't be `2/3`
  --> stakeout.toml:11:8
   |
11 | hold = "2/3"
   |        ^^^^^ k of the last n checks: for example `"2 of 3"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_hold_that_asks_for_more_than_it_sees() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nhold = \"3 of 2\"\n")]);
    let told = r#"
error: monitor `person`: `hold` can't be `3 of 2`
  --> stakeout.toml:11:8
   |
11 | hold = "3 of 2"
   |        ^^^^^^^^ more checks than it looks at: the first number must not be larger"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_hold_that_can_never_be_reached() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nhold = \"20 of 20\"\n")]);
    let told = r#"
error: monitor `person`: `hold` can never be reached with a `check_interval` of `1s`
  --> stakeout.toml:11:8
   |
11 | hold = "20 of 20"
   |        ^^^^^^^^^^ checks are remembered for 10s: at most `11 of …`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_clear_threshold_above_the_threshold() {
    let source = changed(&[(
        "labels = [\"person\"]\n",
        "labels = [\"person\"]\nconfidence_threshold = 0.5\nclear_threshold = 0.6\n",
    )]);
    let told = r#"
error: monitor `person`: `clear_threshold` is above `confidence_threshold`
  --> stakeout.toml:12:19
   |
12 | clear_threshold = 0.6
   |                   ^^^ must be at most `confidence_threshold`, 0.5"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_zone_of_two_points() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nzone = [[0.1, 0.1], [0.9, 0.9]]\n")]);
    let told = r#"
error: monitor `person`: `zone` needs at least three points
  --> stakeout.toml:11:8
   |
11 | zone = [[0.1, 0.1], [0.9, 0.9]]
   |        ^^^^^^^^^^^^^^^^^^^^^^^^ for example `[[0.1, 0.2], [0.9, 0.2], [0.5, 0.9]]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_zone_in_pixels() {
    let source =
        changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nzone = [[10, 0.1], [0.9, 0.9], [0.5, 0.1]]\n")]);
    let told = r#"
error: monitor `person`: `zone` is out of range
  --> stakeout.toml:11:10
   |
11 | zone = [[10, 0.1], [0.9, 0.9], [0.5, 0.1]]
   |          ^^ points are normalised: 0 is left or top, 1 is right or bottom"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_zone_without_area() {
    let source =
        changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nzone = [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]\n")]);
    let told = r#"
error: monitor `person`: `zone` has no area
  --> stakeout.toml:11:8
   |
11 | zone = [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]
   |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ its points lie on a line, or its sides cross"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn neither_condition_nor_labels() {
    let source = changed(&[("labels = [\"person\"]\n", "")]);
    let told = r#"
error: monitor `person`: `condition` is missing
 --> stakeout.toml:6:1
  |
6 | [[monitor]]
  | ^^^^^^^^^^^ add `condition = "Is a person inside the yellow zone?"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_event_that_does_not_exist() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nevents = [\"monitor.triggerd\"]\n")]);
    let told = r#"
error: endpoint `ops`: `events` names no event: `monitor.triggerd`
  --> stakeout.toml:14:11
   |
14 | events = ["monitor.triggerd"]
   |           ^^^^^^^^^^^^^^^^^^ did you mean `monitor.triggered`?"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_endpoint_that_lets_nothing_through() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nevents = []\n")]);
    let told = r#"
error: endpoint `ops`: `events` lets nothing through
  --> stakeout.toml:14:10
   |
14 | events = []
   |          ^^ use `["*"]`, or `enabled = false` to keep what is owed"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_preset_that_does_not_exist() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nretry = \"never\"\n")]);
    let told = r#"
error: endpoint `ops`: `retry` can't be `never`
  --> stakeout.toml:14:9
   |
14 | retry = "never"
   |         ^^^^^^^ one of `edge`, `trio`, `aioz`, `standard`, or `{ delays = ["1s", "10s"], max_age = "72h" }`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_schedule_without_delays() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nretry = { max_age = \"1h\" }\n")]);
    let told = r#"
error: endpoint `ops`: `retry` has no `delays`
  --> stakeout.toml:14:9
   |
14 | retry = { max_age = "1h" }
   |         ^^^^^^^^^^^^^^^^^^ for example `{ delays = ["1s", "10s"], max_age = "72h" }`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_header_of_ours() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nheaders = { \"Webhook-Id\" = \"1\" }\n")]);
    let told = r#"
error: endpoint `ops`: `headers` can't set `Webhook-Id`
  --> stakeout.toml:14:13
   |
14 | headers = { "Webhook-Id" = "1" }
   |             ^^^^^^^^^^^^ this one is set by the daemon"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_header_with_a_newline() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nheaders = { \"X-Site\" = \"a\\nb\" }\n")]);
    let told = r#"
error: endpoint `ops`: `headers` has an invalid value for `X-Site`
  --> stakeout.toml:14:24
   |
14 | headers = { "X-Site" = "a\nb" }
   |                        ^^^^^^ printable ASCII, no space at either end"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn names_with_spaces() {
    let source = changed(&[("name = \"ops\"", "name = \"my ops\"")]);
    let told = r#"
error: endpoint `my ops`: `name` is not a name
  --> stakeout.toml:13:8
   |
13 | name = "my ops"
   |        ^^^^^^^^ a name has only letters, digits, `-`, `_` and `.`, and starts with a letter or digit"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn the_gate() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ngate = \"motion\"\n")]);
    let told = r#"
error: monitor `person`: `gate`: `motion` is not implemented yet
  --> stakeout.toml:11:8
   |
11 | gate = "motion"
   |        ^^^^^^^^ use `"off"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn another_format() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nformat = \"slack\"\n")]);
    let told = r#"
error: endpoint `ops`: `format`: `slack` is not implemented yet
  --> stakeout.toml:14:10
   |
14 | format = "slack"
   |          ^^^^^^^ use `"stakeout"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn another_transport() {
    let source = changed(&[("name = \"dock\"\n", "name = \"dock\"\ntransport = \"udp\"\n")]);
    let told = r#"
error: camera `dock`: `transport`: `udp` is not implemented yet
 --> stakeout.toml:4:13
  |
4 | transport = "udp"
  |             ^^^^^ use `"tcp"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_hardware_decoder() {
    let source = changed(&[("name = \"dock\"\n", "name = \"dock\"\nhardware = \"nvv4l2decoder\"\n")]);
    let told = r#"
error: camera `dock`: `hardware` is not implemented yet
 --> stakeout.toml:4:12
  |
4 | hardware = "nvv4l2decoder"
  |            ^^^^^^^^^^^^^^^ use `"auto"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_execution_provider() {
    let source = changed(&[("\n[[camera]]", "[runtime]\nexecution_providers = [\"cuda\", \"cpu\"]\n\n[[camera]]")]);
    let told = r#"
error: `[runtime]`: `execution_providers`: `cuda` is not implemented yet
 --> stakeout.toml:2:24
  |
2 | execution_providers = ["cuda", "cpu"]
  |                        ^^^^^^ use `"auto"` or `"cpu"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_tcp_listener() {
    let source = changed(&[("\n[[camera]]", "[api]\nlisten = \"127.0.0.1:8787\"\n\n[[camera]]")]);
    let told = r#"
error: `[api]`: `listen` is not implemented yet
 --> stakeout.toml:2:10
  |
2 | listen = "127.0.0.1:8787"
  |          ^^^^^^^^^^^^^^^^ leave it out for now"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_event_of_a_later_version() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nevents = [\"camera.*\"]\n")]);
    let told = r#"
error: endpoint `ops`: `events`: `camera.*` is not implemented yet
  --> stakeout.toml:14:11
   |
14 | events = ["camera.*"]
   |           ^^^^^^^^^^ events known here: `monitor.triggered`, `monitor.cleared`, `job.status`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_rate() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nrate = \"5/s\"\n")]);
    let told = r#"
error: endpoint `ops`: `rate` is not implemented yet
  --> stakeout.toml:14:8
   |
14 | rate = "5/s"
   |        ^^^^^ use `"10/s"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn negatives() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nnegatives = [\"an empty room\"]\n")]);
    let told = r#"
error: monitor `person`: `negatives` is not implemented yet
  --> stakeout.toml:11:13
   |
11 | negatives = ["an empty room"]
   |             ^^^^^^^^^^^^^^^^^ use `[]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_url_with_a_password_in_the_wrong_place() {
    let source =
        changed(&[("name = \"dock\"\n", "name = \"dock\"\ndecode = \"rtsp://viewer:hunter2@10.0.0.21/stream1\"\n")]);
    let told = r#"
error: camera `dock`: `decode` can't be `rtsp://viewer:*******@10.0.0.21/stream1`
 --> stakeout.toml:4:10
  |
4 | decode = "rtsp://viewer:*******@10.0.0.21/stream1"
  |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ one of `auto`, `all`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_value_without_quotes() {
    let source = changed(&[("camera = \"dock\"", "camera = dock")]);
    let told = r#"
error: invalid TOML: this is no value
 --> stakeout.toml:8:10
  |
8 | camera = dock
  |          ^^^^ put quotes around it, if it is a string"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_string_without_its_end() {
    let source = changed(&[("camera = \"dock\"", "camera = \"dock")]);
    let told = r#"
error: invalid TOML: invalid basic string
 --> stakeout.toml:8:15
  |
8 | camera = "dock
  |               ^ expected `"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_key_that_is_set_twice() {
    let source =
        changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldown = \"5s\"\ncooldown = \"6s\"\n")]);
    let told = r#"
error: `cooldown` is set twice
  --> stakeout.toml:12:1
   |
12 | cooldown = "6s"
   | ^^^^^^^^ keep one of them"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn syntax_errors_do_not_hide_the_rest_nor_passwords() {
    let source = changed(&[
        ("camera = \"dock\"", "camera = dock"),
        ("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldwon = \"5s\"\n"),
        ("rtsp://10.0.0.21/stream1", "rtsp://viewer:hunter2@10.0.0.21/stream1"),
    ]);
    let told = r#"
error: camera `dock`: `url` must not contain credentials
 --> stakeout.toml:4:7
  |
4 | url = "rtsp://viewer:*******@10.0.0.21/stream1"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ leave out what stands before the `@`
  |
  = help: write `username = "viewer"` and `password_file = "/etc/stakeout/cam.pass"` beside it

error: invalid TOML: this is no value
 --> stakeout.toml:8:10
  |
8 | camera = dock
  |          ^^^^ put quotes around it, if it is a string

error: monitor `person`: unknown key `cooldwon`
  --> stakeout.toml:11:1
   |
11 | cooldwon = "5s"
   | ^^^^^^^^ did you mean `cooldown`?"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}
