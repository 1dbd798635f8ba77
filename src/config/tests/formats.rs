//! What goes with which format, and what is said where it doesn't, to the letter.

use super::*;
use crate::event::EventType;

/// The endpoint `ops` with other settings instead of its `url`.
fn endpoint(settings: &str) -> String {
    changed(&[("url = \"https://your-app.example/events\"\n", settings)])
}

fn told(settings: &str) -> String {
    refused(&endpoint(settings))
}

const MAIL: &str =
    "format = \"email\"\nurl = \"smtps://mail.example\"\nfrom = \"box@site.example\"\nto = [\"ops@site.example\"]\n";

#[test]
fn settings_of_every_format() {
    let ops = |settings: &str| good(&endpoint(settings)).endpoints.remove(0);
    let open = |endpoint: &Endpoint| match &endpoint.url {
        EndpointUrl::Open(url) => url.value.to_string(),
        EndpointUrl::Secret(_) => "secret".to_owned(),
    };

    let slack = ops("format = \"slack\"\nurl_file = \"/slack.url\"\n");
    assert_eq!((open(&slack).as_str(), &slack.routing_key, &slack.mail), ("secret", &None, &None));
    assert!(matches!(&slack.url, EndpointUrl::Secret(SecretRef::File(path)) if path.value.as_os_str() == "/slack.url"));

    let pagerduty = ops("format = \"pagerduty\"\nrouting_key_file = \"/pd.key\"\n");
    assert_eq!(open(&pagerduty), "https://events.pagerduty.com/v2/enqueue");
    assert!(pagerduty.routing_key.is_some());
    let elsewhere = ops("format = \"pagerduty\"\nrouting_key_credential = \"pd\"\nurl = \"https://pd.example/x\"\n");
    assert_eq!(open(&elsewhere), "https://pd.example/x");

    let mail = ops(&format!("{MAIL}username = \"box\"\npassword_file = \"/mail.pass\"\nallow_http = true\n"));
    assert_eq!((open(&mail).as_str(), mail.allow_http), ("smtps://mail.example", true));
    let settings = mail.mail.unwrap();
    assert_eq!((settings.username.as_deref(), settings.password.is_some()), (Some("box"), true));
    assert_eq!((settings.from.as_str(), &settings.to[..]), ("box@site.example", &["ops@site.example".to_owned()][..]));

    for format in ["trio-live-monitor", "trio-stream", "videodb"] {
        let signed = ops(&format!("format = \"{format}\"\nurl = \"https://a.example/\"\nsecret_file = \"/s\"\n"));
        assert_eq!((signed.format.as_str(), signed.secrets.len()), (format, 1));
    }
}

#[test]
fn every_format_of_the_file_has_its_name() {
    for format in Format::ALL {
        let more = match format {
            Format::Pagerduty => "routing_key_file = \"/k\"\n",
            Format::Email => "from = \"a@b\"\nto = [\"a@b\"]\n",
            _ => "",
        };
        let url = match format {
            Format::Email => "smtp://m",
            Format::Upload => "https://a.example/{clip}",
            _ => "https://a.example/",
        };
        let source = endpoint(&format!("format = \"{}\"\nurl = \"{url}\"\n{more}", format.as_str()));
        assert_eq!(good(&source).endpoints[0].format, format);
    }
}

#[test]
fn all_events_are_those_that_the_format_can_say() {
    let events = |format: &str, filter: &str| {
        let source = endpoint(&format!("format = \"{format}\"\nurl = \"https://a.example/\"\n{filter}"));
        good(&source).endpoints.remove(0).events
    };
    assert_eq!(events("trio-stream", ""), [EventType::Triggered]);
    assert_eq!(events("trio-stream", "events = [\"*\"]\n"), [EventType::Triggered]);
    assert_eq!(events("trio-live-monitor", ""), [EventType::Triggered, EventType::JobStatus]);
    assert_eq!(events("trio-live-monitor", "events = [\"job.*\"]\n"), [EventType::JobStatus]);
    assert_eq!(events("slack", "events = [\"monitor.*\"]\n"), [EventType::Triggered]);
    let ends = [EventType::ClipReady, EventType::ClipFailed];
    assert_eq!(events("stakeout", "events = [\"clip.*\"]\n"), ends, "the others are AIOZ's");
    assert_eq!(events("aioz", "").len(), 5);
    assert_eq!(events("aioz", "events = [\"clip.ready\"]\n"), [EventType::ClipReady]);
    assert_eq!(events("stakeout", "").len(), EventType::ALL.len() - 3);
}

#[test]
fn events_that_the_format_cannot_say() {
    let expected = r#"
error: endpoint `ops`: `events` names what the format `slack` can't say
  --> stakeout.toml:16:11
   |
16 | events = ["job.*"]
   |           ^^^^^^^ it says `monitor.triggered`"#;
    let settings = "format = \"slack\"\nurl_file = \"/slack.url\"\nevents = [\"job.*\"]\n";
    assert_eq!(format!("\n{}", told(settings)), expected);
}

#[test]
fn a_url_that_is_a_secret() {
    let expected = r#"
error: endpoint `ops`: `url` is a secret: whoever has it can post there
  --> stakeout.toml:15:7
   |
15 | url = "https://hooks.slack.com/*****************"
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ put it into a file of its own, and name that as `url_file`"#;
    assert_eq!(
        format!("\n{}", told("format = \"slack\"\nurl = \"https://hooks.slack.com/services/T0/B0/xy\"\n")),
        expected
    );
}

#[test]
fn settings_of_another_format() {
    let expected = r#"
error: endpoint `ops`: `routing_key_file` belongs to the format `pagerduty`
  --> stakeout.toml:15:20
   |
15 | routing_key_file = "/pd.key"
   |                    ^^^^^^^^^ leave it out, or write `format = "pagerduty"`

error: endpoint `ops`: `to` belongs to the format `email`
  --> stakeout.toml:16:6
   |
16 | to = ["ops@site.example"]
   |      ^^^^^^^^^^^^^^^^^^^^ leave it out, or write `format = "email"`"#;
    let settings =
        "url = \"https://a.example/\"\nrouting_key_file = \"/pd.key\"\nto = [\"ops@site.example\"]\nfrom = \"\"\n";
    assert_eq!(format!("\n{}", told(settings)), expected);
}

#[test]
fn secrets_that_would_sign_nothing() {
    let expected = r#"
error: endpoint `ops`: `secret_file` would sign nothing: the format `slack` knows no signatures
  --> stakeout.toml:16:15
   |
16 | secret_file = "/ops.secret"
   |               ^^^^^^^^^^^^^ leave it out"#;
    let settings = "format = \"slack\"\nurl_file = \"/slack.url\"\nsecret_file = \"/ops.secret\"\n";
    assert_eq!(format!("\n{}", told(settings)), expected);
}

#[test]
fn frames_that_a_format_cannot_choose() {
    let expected = r#"
error: endpoint `ops`: the format `trio-live-monitor` always has the frame
  --> stakeout.toml:16:9
   |
16 | frame = "none"
   |         ^^^^^^ leave it out, or take another format"#;
    let settings = "format = \"trio-live-monitor\"\nurl = \"https://a.example/\"\nframe = \"none\"\n";
    assert_eq!(format!("\n{}", told(settings)), expected);
    let other = told("format = \"videodb\"\nurl = \"https://a.example/\"\nframe = \"inline\"\n");
    assert!(other.starts_with("error: endpoint `ops`: the format `videodb` has no place for a frame\n"), "{other}");
    good(&endpoint("format = \"videodb\"\nurl = \"https://a.example/\"\nframe = \"none\"\n"));
}

#[test]
fn a_pager_without_its_key() {
    let expected = r#"
error: endpoint `ops`: `routing_key_file` is missing
  --> stakeout.toml:12:1
   |
12 | [[endpoint]]
   | ^^^^^^^^^^^^ add `routing_key_file = "/etc/stakeout/pagerduty.key"`"#;
    assert_eq!(format!("\n{}", told("format = \"pagerduty\"\n")), expected);
}

#[test]
fn an_upload_has_a_place_for_each_clip_and_a_bandwidth() {
    let ops = |settings: &str| good(&endpoint(&format!("format = \"upload\"\n{settings}"))).endpoints.remove(0);
    let usual = ops("url = \"https://a.example/clips/{clip}.mp4\"\n");
    assert_eq!((usual.events, usual.bandwidth), (vec![EventType::ClipReady], None));
    assert_eq!((usual.concurrency, usual.timeout), (1, Duration::from_secs(30)));
    for (bandwidth, bits) in [("64kbit/s", Some(64_000)), ("2Mbit/s", Some(2_000_000)), ("", None)] {
        let capped = ops(&format!("url = \"https://a.example/put?id={{clip}}\"\nbandwidth = \"{bandwidth}\"\n"));
        assert_eq!(capped.bandwidth, bits, "{bandwidth}");
    }
    let expected = r#"
error: endpoint `ops`: `url` is the same for every clip
  --> stakeout.toml:15:7
   |
15 | url = "https://a.example/clips.mp4"
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ write `{clip}` where the clip's id goes: "https://your-app.example/clips/{clip}.mp4"

error: endpoint `ops`: `bandwidth` is out of range
  --> stakeout.toml:16:13
   |
16 | bandwidth = "1kbit/s"
   |             ^^^^^^^^^ must be between `64kbit/s` and `100Gbit/s`"#;
    let wrong = "format = \"upload\"\nurl = \"https://a.example/clips.mp4\"\nbandwidth = \"1kbit/s\"\n";
    assert_eq!(format!("\n{}", told(wrong)), expected);
    let megabytes = "format = \"upload\"\nurl = \"https://a.example/{clip}\"\nbandwidth = \"1MB/s\"\n";
    assert!(told(megabytes).contains("`bandwidth` is not a bandwidth"), "{}", told(megabytes));
}

#[test]
fn mail_without_anybody() {
    let expected = r#"
error: endpoint `ops`: `from` is missing
  --> stakeout.toml:12:1
   |
12 | [[endpoint]]
   | ^^^^^^^^^^^^ add `from = "Dock box <box@site.example>"`

error: endpoint `ops`: `to` names nobody
  --> stakeout.toml:16:6
   |
16 | to = []
   |      ^^ for example `["ops@site.example"]`"#;
    let settings = "format = \"email\"\nurl = \"smtp://mail.example:587\"\nto = []\n";
    assert_eq!(format!("\n{}", told(settings)), expected);
}

#[test]
fn mail_goes_to_mail_servers_only() {
    let url = |url: &str| told(&MAIL.replace("smtps://mail.example", url));
    for (written, said) in [
        ("https://mail.example", "`url` can't start with `https://`"),
        ("smtp://mail.example/inbox", "`url` names more than a server"),
        ("smtp://169.254.169.254", "`url` leads to a link-local address"),
        ("smtps://box:hunter2@mail.example", "`url` must not contain credentials"),
        ("smtp:mail.example", "`url` names no host"),
    ] {
        let told = url(written);
        assert!(told.starts_with(&format!("error: endpoint `ops`: {said}")) && !told.contains("hunter2"), "{told}");
    }
    let told = told("format = \"slack\"\nurl = \"smtps://mail.example\"\n");
    assert!(told.starts_with("error: endpoint `ops`: `url` can't start with `smtps://`"), "{told}");
}

#[test]
fn half_a_login() {
    let alone = |setting: &str| told(&format!("{MAIL}{setting}\n"));
    let told = alone("username = \"box\"");
    assert!(told.starts_with("error: endpoint `ops`: a `username` needs a password\n"), "{told}");
    let told = alone("password_file = \"/mail.pass\"");
    assert!(told.starts_with("error: endpoint `ops`: a password needs a `username`\n"), "{told}");
    for setting in ["headers = { A = \"b\" }", "url_file = \"/x\"", "secret_file = \"/x\""] {
        let told = alone(setting);
        assert!(told.starts_with("error: endpoint `ops`: `"), "{told}");
    }
}

#[test]
fn what_a_secret_url_holds_fits_as_if_it_stood_in_the_file() {
    let egress = crate::egress::Egress::default();
    let slack = good(&endpoint("format = \"slack\"\nurl_file = \"/slack.url\"\n")).endpoints.remove(0);
    let read = |text: &str| secret_destination(&slack, 1..2, text, &egress);
    assert_eq!(read("https://hooks.slack.com/services/T0/B0/x").unwrap().path(), "/services/T0/B0/x");
    assert!(read("https://a.example/?token=hunter2").is_ok(), "that is what it is for");
    for (text, said) in [
        ("hunter2", "`url_file` is not a URL: relative URL without a base"),
        ("ftp://a.example/hunter2", "`url_file` can't start with `ftp://`"),
        ("https://box:hunter2@a.example/", "`url_file` must not contain credentials"),
        ("http://a.example/hunter2", "`url_file` is not encrypted"),
        ("http://169.254.1.1/hunter2", "`url_file` leads to a link-local address"),
        ("https://a.example/hunter2\nhttps://b.example/", "`url_file` does not stand alone"),
    ] {
        let problems = read(text).unwrap_err();
        let [problem] = &problems[..] else { panic!("{text}: {problems:?}") };
        assert_eq!(problem.title, format!("endpoint `ops`: the URL in its {said}"));
        assert_eq!(problem.at, Some(1..2));
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
    }
}

#[test]
fn a_monitors_label() {
    let label = |setting: &str| {
        good(&changed(&[("name = \"person\"\n", &format!("name = \"person-in-zone\"\n{setting}"))]))
            .monitors
            .remove(0)
            .label
    };
    assert_eq!(label(""), "person_in_zone");
    assert_eq!(label("label = \"\"\n"), "person_in_zone");
    assert_eq!(label("label = \"traffic_violation\"\n"), "traffic_violation");
}
