//! Bodies to the letter. Those of the format `stakeout` stand beside it.

use super::*;
use crate::event::{AlertClip, Metadata};

fn with(change: impl FnOnce(&mut Event)) -> Event {
    let mut event = event(EventData::Triggered(triggered()));
    change(&mut event);
    event
}

fn body(format: Format, event: &Event) -> String {
    render(format, event, ENVELOPE, FrameChoice::Inline).unwrap()
}

#[test]
fn a_heartbeat() {
    let of_the_box = Event { camera: None, monitor: None, job: None, ..event(EventData::Heartbeat(heartbeat())) };
    assert_eq!(
        body(Format::Stakeout, &of_the_box),
        concat!(
            r#"{"type":"device.heartbeat","timestamp":"2026-01-26T10:35:00.120Z","data":{"#,
            r#""event_id":"00000000-0000-0000-0000-000000000001","device":"dock-box-01","#,
            r#""epoch":"00000000-0000-0000-0000-00000000000e","sequence":42,"#,
            r#""observed_at":"2026-01-26T10:35:00.120Z","clock":"synced","interval_s":300.012,"#,
            r#""cameras":[{"camera":"loading-dock-east","state":"online","decode":"keyframes","frames_decoded":302,"#,
            r#""last_frame_age_s":0.4}],"#,
            r#""monitors":[{"monitor":"person-in-zone","camera":"loading-dock-east","checks":17,"#,
            r#""skipped":{"nothing_moved":280,"rate":1200,"load":3},"last_confidence":0.1234,"last_check_age_s":9.5,"#,
            r#""open":"00000000-0000-0000-0000-000000000003"}],"#,
            r#""endpoints":[{"endpoint":"ops","pending":2,"held":1,"dead":4,"oldest_s":62.5}],"#,
            r#""version":"0.1.0","uptime_s":86400}}"#,
        )
    );
}

#[test]
fn trio_live_monitor() {
    assert_eq!(
        rendered(Format::TrioLiveMonitor, EventData::Triggered(triggered())),
        concat!(
            r#"{"type":"live_monitor_triggered","timestamp":"2026-01-26T10:35:00.120007Z","#,
            r#""source_url":"rtsp://10.0.0.21/stream1","data":{"condition":"Is a person inside the zone?","#,
            r#""triggered":true,"explanation":"A person is inside the yellow zone.","#,
            "\"frame_b64\":\"\0\"}}",
        )
    );
    assert_eq!(
        rendered(Format::TrioLiveMonitor, EventData::JobStatus(report(JobReason::MaxDurationReached))),
        concat!(
            r#"{"type":"job_status","timestamp":"2026-01-26T10:35:00.120007Z","#,
            r#""job_id":"00000000-0000-0000-0000-000000000002","status":"stopped","#,
            r#""details":{"checks_performed":45,"triggers_fired":3,"frames_skipped":112,"#,
            r#""auto_stopped":true,"reason":"max_duration_reached","elapsed_seconds":600}}"#,
        )
    );
}

/// Receivers start a job again when it was stopped automatically.
#[test]
fn trio_live_monitor_says_of_the_duration_limit_only_that_it_was_automatic() {
    for (reason, said) in [
        (JobReason::MaxDurationReached, r#""auto_stopped":true,"reason":"max_duration_reached""#),
        (JobReason::ConditionTriggered, r#""auto_stopped":false,"reason":"condition_triggered""#),
        (JobReason::UserRequested, r#""auto_stopped":false,"reason":"user_requested""#),
        (JobReason::StreamEnded, r#""auto_stopped":false,"reason":"stream_ended""#),
        (JobReason::StreamError, r#""auto_stopped":false,"reason":"stream_error""#),
        (JobReason::DefinitionChanged, r#""auto_stopped":false,"reason":"definition_changed""#),
    ] {
        let text = rendered(Format::TrioLiveMonitor, EventData::JobStatus(report(reason)));
        assert!(text.contains(said), "{text}");
        assert!(text.contains(&format!(r#""status":"{}""#, reason.status().as_str())), "{text}");
    }
}

#[test]
fn trio_stream() {
    assert_eq!(
        rendered(Format::TrioStream, EventData::Triggered(triggered())),
        concat!(
            r#"{"request_id":"00000000-0000-0000-0000-000000000001","stream_id":"loading-dock-east","#,
            r#""subscription_id":"person-in-zone","question":"Is a person inside the zone?","#,
            r#""answer":"A person is inside the yellow zone.","confidence":0.91,"#,
            r#""frame_ts":"2026-01-26T10:35:00.120000+00:00","#,
            r#""metadata":{"zone":"dock","severity":"low","a":1}}"#,
        )
    );
    let bare = with(|event| event.metadata = Metadata::new());
    assert!(body(Format::TrioStream, &bare).ends_with(r#""metadata":{}}"#));
}

#[test]
fn videodb() {
    assert_eq!(
        rendered(Format::Videodb, EventData::Triggered(triggered())),
        concat!(
            // sha256("dock-box-01" 00 "person-in-zone"), from outside of this program.
            r#"{"event_id":"event-9dea597a2a171db6","label":"person_in_zone","confidence":0.91,"#,
            r#""explanation":"A person is inside the yellow zone.","timestamp":"2026-01-26T10:35:00.120007Z","#,
            r#""start_time":1234.5,"end_time":1238.0,"stream_url":"","player_url":""}"#,
        )
    );
}

#[test]
fn videodb_leads_to_the_clip() {
    let link = |piece: &str| format!("https://box.example/clips/c/{piece}?expires=1&signature=a");
    let clip = AlertClip { id: Uuid::from_u128(0xc), stream_url: link("index.m3u8"), player_url: link("player") };
    let text = rendered(Format::Videodb, EventData::Triggered(Triggered { clip: Some(clip), ..triggered() }));
    let end = r#""stream_url":"https://box.example/clips/c/index.m3u8?expires=1&signature=a","player_url":"https://box.example/clips/c/player?expires=1&signature=a"}"#;
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn clips_in_our_format() {
    let ready = concat!(
        r#"{"type":"clip.ready","timestamp":"2026-01-26T10:35:00.120Z","data":{"#,
        r#""event_id":"00000000-0000-0000-0000-000000000001","device":"dock-box-01","#,
        r#""epoch":"00000000-0000-0000-0000-00000000000e","sequence":42,"#,
        r#""observed_at":"2026-01-26T10:35:00.120Z","clock":"synced","#,
        r#""trigger_event_id":"00000000-0000-0000-0000-000000000004","#,
        r#""url":"https://box.example/clips/00000000-0000-0000-0000-00000000000c/clip.mp4?expires=1&signature=a-_","#,
        r#""player_url":"https://box.example/clips/00000000-0000-0000-0000-00000000000c/player?expires=1&signature=a-_","#,
        r#""duration_s":15.25,"bytes":4000000,"sha256":"abababababababababababababababababababababababababababababababab"}}"#,
    );
    assert_eq!(rendered(Format::Stakeout, clip(ClipStage::Ready)), ready);
    let failed = rendered(Format::Stakeout, clip(ClipStage::Failed));
    let end = r#""url":"","player_url":"","duration_s":0.0,"bytes":0,"sha256":""}}"#;
    assert!(failed.starts_with(r#"{"type":"clip.failed","#) && failed.ends_with(end), "{failed}");
}

#[test]
fn aioz() {
    for (stage, kind, status) in [
        (ClipStage::Received, "file.received", "transcoding"),
        (ClipStage::Started, "encoding.started", "transcoding"),
        (ClipStage::Partial, "partial.finished", "transcoding"),
        (ClipStage::Ready, "encoding.finished", "done"),
        (ClipStage::Failed, "encoding.failed", "fail"),
    ] {
        let expected = format!(
            "{{\"type\":\"{kind}\",{}\"status\":\"{status}\",\"user_id\":\"dock-box-01\"}}",
            concat!(
                r#""emitted_at":"2026-01-26T10:35:00.120007Z","media_id":"00000000-0000-0000-0000-00000000000c","#,
                r#""media_type":"video","qualities":"1080p","#,
                r#""title":"person-in-zone, loading-dock-east, 2026-01-26 10:34:50 UTC","#,
            )
        );
        assert_eq!(rendered(Format::Aioz, clip(stage)), expected);
    }
}

#[test]
fn videodb_names_a_monitor_on_a_device_and_nothing_else() {
    let id = |change: fn(&mut Event)| {
        let body: serde_json::Value = serde_json::from_str(&body(Format::Videodb, &with(change))).unwrap();
        body["event_id"].as_str().unwrap().to_owned()
    };
    let usual = id(|_| {});
    assert_eq!(usual, id(|event| event.id = Uuid::from_u128(99)), "another occurrence");
    assert_eq!(usual, id(|event| event.camera = Some(name("west"))));
    assert_ne!(usual, id(|event| event.monitor = Some(name("person"))));
    assert_ne!(usual, id(|event| event.device = "dock-box-02".into()));
}

#[test]
fn slack() {
    assert_eq!(
        rendered(Format::Slack, EventData::Triggered(triggered())),
        concat!(
            r#"{"blocks":[{"type":"section","text":{"type":"mrkdwn","text":"🚨 *Video Alert — dock*\n"#,
            r#"A person is inside the yellow zone.\nConfidence: 91% | 10:35:00 UTC"}}],"#,
            r#""text":"🚨 Video Alert — dock: A person is inside the yellow zone. (91%)"}"#,
        )
    );
    let hostile = with(|event| {
        event.metadata = Metadata::from_iter([("zone".to_owned(), "<!here> & co".into())]);
        if let EventData::Triggered(triggered) = &mut event.data {
            triggered.explanation = "a < b\n<https://evil.example|click>".into();
        }
    });
    assert_eq!(
        body(Format::Slack, &hostile),
        concat!(
            r#"{"blocks":[{"type":"section","text":{"type":"mrkdwn","text":"🚨 *Video Alert — &lt;!here&gt; &amp; co*\n"#,
            r#"a &lt; b &lt;https://evil.example|click&gt;\nConfidence: 91% | 10:35:00 UTC"}}],"#,
            r#""text":"🚨 Video Alert — &lt;!here&gt; &amp; co: a &lt; b &lt;https://evil.example|click&gt; (91%)"}"#,
        )
    );
}

#[test]
fn a_place_without_a_zone_is_the_camera() {
    for zone in [serde_json::Value::Null, "".into(), " \n".into()] {
        let event = with(|event| event.metadata = Metadata::from_iter([("zone".to_owned(), zone)]));
        assert!(body(Format::Slack, &event).contains("*Video Alert — loading-dock-east*"));
    }
    let numbered = with(|event| event.metadata = Metadata::from_iter([("zone".to_owned(), 7.into())]));
    assert!(body(Format::Slack, &numbered).contains("*Video Alert — 7*"));
}

#[test]
fn pagerduty() {
    assert_eq!(
        rendered(Format::Pagerduty, EventData::Triggered(triggered())),
        concat!(
            r#"{"routing_key":"","event_action":"trigger","#,
            r#""dedup_key":"person-in-zone:00000000-0000-0000-0000-000000000003","#,
            r#""payload":{"summary":"A person is inside the yellow zone.","source":"loading-dock-east","severity":"info","#,
            r#""timestamp":"2026-01-26T10:35:00.120Z","custom_details":{"confidence":0.91,"#,
            r#""subscription_id":"person-in-zone","frame_ts":"2026-01-26T10:35:00.120000+00:00","#,
            r#""zone":"dock","severity":"low","a":1}}}"#,
        )
    );
    assert_eq!(
        rendered(Format::Pagerduty, EventData::Cleared(cleared())),
        concat!(
            r#"{"routing_key":"","event_action":"resolve","#,
            r#""dedup_key":"person-in-zone:00000000-0000-0000-0000-000000000003"}"#,
        )
    );
}

#[test]
fn pagerduty_has_one_incident_for_an_alert_and_its_repeats() {
    let key = |repeat| {
        let data = EventData::Triggered(Triggered { repeat, ..triggered() });
        let body: serde_json::Value = serde_json::from_str(&rendered(Format::Pagerduty, data)).unwrap();
        body["dedup_key"].clone()
    };
    assert_eq!(key(0), key(3));
}

#[test]
fn pagerduty_knows_four_severities() {
    let severity = |said: Option<serde_json::Value>, priority| {
        let event = with(|event| {
            event.priority = priority;
            event.metadata = said.map(|said| ("severity".to_owned(), said)).into_iter().collect();
        });
        let body: serde_json::Value = serde_json::from_str(&body(Format::Pagerduty, &event)).unwrap();
        body["payload"]["severity"].as_str().unwrap().to_owned()
    };
    let of_priority = Priority::ALL.map(|priority| severity(None, priority));
    assert_eq!(of_priority, ["critical", "error", "warning", "info"]);
    for (said, meant) in [("Critical", "critical"), ("high", "error"), ("medium", "warning"), ("low", "info")] {
        assert_eq!(severity(Some(said.into()), Priority::Normal), meant);
    }
    assert_eq!(severity(Some("purple".into()), Priority::High), "error", "what means nothing counts for nothing");
    assert_eq!(severity(Some(1.into()), Priority::Low), "info");
}

#[test]
fn pagerduty_keeps_its_own_details_when_metadata_has_their_names() {
    let event = with(|event| {
        event.metadata = Metadata::from_iter([("confidence".to_owned(), "sure".into()), ("b".to_owned(), 2.into())]);
    });
    let text = body(Format::Pagerduty, &event);
    assert!(text.ends_with(r#""frame_ts":"2026-01-26T10:35:00.120000+00:00","b":2}}}"#), "{text}");
    assert_eq!(text.matches("\"confidence\"").count(), 1);
}

#[test]
fn email() {
    assert_eq!(
        rendered(Format::Email, EventData::Triggered(triggered())),
        concat!(
            r#"{"subject":"[Stakeout] dock — A person is inside the yellow zone.","#,
            r#""text":"A person is inside the yellow zone.\n\nZone: dock\nConfidence: 91%\nStream: loading-dock-east\n"#,
            r#"Time: 2026-01-26 10:35:00 UTC\n","#,
            "\"frame_b64\":\"\0\"}",
        )
    );
    let long = with(|event| {
        if let EventData::Triggered(triggered) = &mut event.data {
            triggered.explanation = format!("{}\r\nBcc: all@site.example", "x".repeat(59));
        }
    });
    let long: serde_json::Value = serde_json::from_str(&body(Format::Email, &long).replace(HOLE, "")).unwrap();
    assert_eq!(long["subject"], format!("[Stakeout] dock — {}", "x".repeat(59)));
}

#[test]
fn an_answer_without_words_is_the_question() {
    let mut silent = Triggered { explanation: " ".into(), ..triggered() };
    assert!(rendered(Format::Slack, EventData::Triggered(silent.clone())).contains("Is a person inside the zone?"));
    silent.condition.clear();
    assert!(rendered(Format::Pagerduty, EventData::Triggered(silent)).contains(r#""summary":"person-in-zone""#));
}

#[test]
fn checks_mean_nothing_to_whoever_gets_them() {
    let now = Now { mono: Mono(5), wall: Wall(1_769_423_700_120), synced: true };
    let check = |format| check(format, Uuid::from_u128(1), "box <1>", &name("ops"), now);
    let slack = "*Stakeout on box &lt;1&gt;*, endpoint ops: This is a check of the endpoint. Nothing happened.";
    let expected =
        format!(r#"{{"blocks":[{{"type":"section","text":{{"type":"mrkdwn","text":"{slack}"}}}}],"text":"{slack}"}}"#);
    assert_eq!(check(Format::Slack), Some(expected));
    let resolve = r#"{"routing_key":"","event_action":"resolve","dedup_key":"stakeout-check:00000000-0000-0000-0000-000000000001"}"#;
    assert_eq!(check(Format::Pagerduty).as_deref(), Some(resolve));
    let mail = concat!(
        r#"{"subject":"[Stakeout] Check of endpoint ops","text":"This is a check of the endpoint. Nothing happened.\n\n"#,
        r#"Device: box <1>\nEndpoint: ops\n","frame_b64":""}"#,
    );
    assert_eq!(check(Format::Email).as_deref(), Some(mail));
    for format in [Format::TrioLiveMonitor, Format::TrioStream, Format::Videodb] {
        assert_eq!(check(format), None, "its receivers act on whatever comes");
    }
}
