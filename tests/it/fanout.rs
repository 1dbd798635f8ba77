//! One event at Slack, at PagerDuty, by mail and at a signed webhook: the same id, each as its receiver expects it, through
//! one journal; and no secret of any of them anywhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::appliance::Appliance;
use crate::certificates::Authority;
use crate::mail::MailServer;
use crate::receiver::{Answer, Arrived, Receiver};
use crate::secrecy::{files, found, told};
use crate::shared::runtime;

const ROUTING_KEY: &str = "R0UT1NGKEYR0UT1NGKEYR0UT1NGKEY01";
const SLACK_PATH: &str = "T0000/B0000/sl4ck-s3cr3t-path";
const PASSWORD: &str = "m4il p@ssw0rd \"ö";

/// The daemon, and whoever it tells.
struct Scene {
    appliance: Appliance,
    ops: Receiver,
    slack: Receiver,
    pager: Receiver,
    mail: MailServer,
}

impl Scene {
    /// None where the mail server can't be had. Its first answer is "come back later", PagerDuty's is lost.
    fn new() -> Option<Scene> {
        let authority = Authority::new("Yard CA");
        let wanted = json!({
            "login": ["box", PASSWORD], "defer": 1, "refuse": {"gone@site.example": "550 5.1.1 nobody here"}
        });
        let mail = MailServer::of(&authority, "later", wanted)?;
        let ops = Receiver::start(|_, _| Answer::status(204));
        let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        let slack = Receiver::start(|_, _| Answer::Bytes(ok.to_vec()));
        let pager = Receiver::start(|n, _| if n == 0 { Answer::HangUp } else { Answer::status(202) });
        let appliance = Appliance::new(&config(&ops, &pager, &mail));
        for (name, text) in [
            ("slack.url", format!("http://{}/services/{SLACK_PATH}\n", slack.address())),
            ("pager.secret", format!("{ROUTING_KEY}\n")),
            ("mail.pass", PASSWORD.to_owned()),
            ("ca.pem", authority.pem),
        ] {
            let path = appliance.folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Some(Scene { appliance, ops, slack, pager, mail })
    }
}

/// An alert as soon as there is a picture, which ends the job, and so the alert.
fn config(ops: &Receiver, pager: &Receiver, mail: &MailServer) -> String {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let letters = |name: &str, to: &str| {
        format!(
            "[[endpoint]]\nname = \"{name}\"\nformat = \"email\"\nurl = \"{}\"\nusername = \"box\"\n\
             password_file = \"HERE/mail.pass\"\nca_file = \"HERE/ca.pem\"\nfrom = \"Dock box <box@site.example>\"\n\
             to = [\"{to}@site.example\"]\nretry = {{ delays = [\"1s\", \"1s\", \"1s\"] }}\n",
            mail.url("smtp")
        )
    };
    format!(
        "[log]\nfilter = \"trace\"\n[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"anybody\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
         confidence_threshold = 0.0001\nclear_threshold = 0.0\nstop_on_trigger = true\n\
         metadata = {{ zone = \"Dock <3> & gate\", severity = \"critical\" }}\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\nevents = [\"monitor.*\"]\n\
         [[endpoint]]\nname = \"slack\"\nformat = \"slack\"\nurl_file = \"HERE/slack.url\"\n\
         [[endpoint]]\nname = \"pager\"\nformat = \"pagerduty\"\nurl = \"{}\"\nrouting_key_file = \"HERE/pager.secret\"\n\
         {}{}",
        clip.display(),
        ops.url(),
        pager.url(),
        letters("mail", "ops"),
        letters("nobody", "gone"),
    )
}

fn body(arrived: &Arrived) -> Value {
    serde_json::from_slice(&arrived.body).unwrap()
}

/// The first request whose body says that.
fn find<'a>(arrived: &'a [Arrived], key: &str, value: &str) -> &'a Arrived {
    arrived.iter().find(|request| body(request)[key] == value).unwrap_or_else(|| panic!("no `{value}` in {arrived:?}"))
}

fn assert_unsigned(arrived: &Arrived) {
    let ours = |name: &str| ["x-trio", "webhook-"].iter().any(|prefix| name.starts_with(prefix));
    assert!(!arrived.headers.iter().any(|(name, _)| ours(name)), "{:?}", arrived.headers);
}

#[test]
fn an_event_reaches_everybody_in_his_own_language_under_one_id() {
    if runtime().is_none() {
        return;
    }
    let Some(mut scene) = Scene::new() else { return };
    scene.appliance.start();
    let settled = |it: &Appliance| {
        let deliveries = it.json(&["deliveries", "--json"]);
        let over = |one: &&Value| one["state"] == "delivered" || one["state"] == "dead";
        (deliveries.len() == 7 && deliveries.iter().filter(over).count() == 7).then_some(deliveries)
    };
    let deliveries = scene.appliance.until("an alert and its end are delivered to all", settled);
    let Scene { appliance, ops, slack, pager, mail } = &mut scene;

    let arrived = ops.arrived();
    assert_eq!(arrived.len(), 2, "an alert and its end, in any order");
    let alert = find(&arrived, "type", "monitor.triggered");
    find(&arrived, "type", "monitor.cleared");
    let id = body(alert)["data"]["event_id"].as_str().unwrap().to_owned();
    assert!(alert.has_header("webhook-signature") && alert.has_header("x-trio-signature"), "this one is signed");

    let [message] = &slack.arrived()[..] else { panic!("one message") };
    assert_eq!(message.request_line, format!("POST /services/{SLACK_PATH} HTTP/1.1"));
    assert_eq!(message.header("idempotency-key"), id);
    assert!(body(message)["text"].as_str().unwrap().contains("Dock &lt;3&gt; &amp; gate"));
    assert_unsigned(message);

    // The first answer was lost, so one of the two came twice.
    let arrived = pager.arrived();
    assert_eq!(arrived.len(), 3);
    let (first, resolve) = (find(&arrived, "event_action", "trigger"), find(&arrived, "event_action", "resolve"));
    assert_eq!(body(first)["dedup_key"], body(resolve)["dedup_key"]);
    assert_eq!(first.header("idempotency-key"), id);
    for request in &arrived {
        assert_eq!(body(request)["routing_key"], ROUTING_KEY);
        assert_unsigned(request);
    }

    assert_eq!(mail.count(), 1);
    let letter = mail.letter(0);
    assert_eq!(letter["id"], format!("<{id}@site.example>"));
    assert!(letter["subject"].as_str().unwrap().starts_with("[Stakeout] Dock <3> & gate — "), "{letter}");
    assert!(letter["text"].as_str().unwrap().contains("Zone: Dock <3> & gate\n"), "{letter}");
    assert_eq!((&letter["defects"], mail.envelope(0)["login"].as_bool()), (&json!([]), Some(true)));
    let [picture] = &letter["pictures"].as_array().unwrap()[..] else { panic!("one picture") };
    let jpeg = STANDARD.decode(picture["bytes"].as_str().unwrap()).unwrap();
    assert!(image::load_from_memory(&jpeg).unwrap().width() > 100);
    let inline = STANDARD.decode(body(alert)["data"]["frame_b64"].as_str().unwrap()).unwrap();
    assert_eq!(jpeg, inline, "everybody gets the same frame");

    counted_like_any_endpoint(appliance, &deliveries);
    let mut surfaces = told(appliance, &["endpoint check slack", "endpoint check pager --json", "endpoint check mail"]);
    let log = appliance.log();
    appliance.stop();
    surfaces.extend(files(appliance));
    for secret in [ROUTING_KEY, SLACK_PATH, PASSWORD] {
        assert!(found(&surfaces, secret).is_empty(), "{secret}: {:?}", found(&surfaces, secret));
    }
    assert!(found(&surfaces, "dedup_key").contains(&"journal.db"), "the search finds what is there");
    assert!(log.contains("TRACE"), "everything was logged");
}

/// Retries, dead letters and statistics.
fn counted_like_any_endpoint(appliance: &Appliance, deliveries: &[Value]) {
    let of = |endpoint: &str| deliveries.iter().filter(|one| one["endpoint"] == endpoint).collect::<Vec<_>>();
    assert!(of("mail")[0]["attempts"].as_u64() >= Some(1) && of("pager").iter().any(|one| one["attempts"] == 2));
    assert_eq!((&of("nobody")[0]["state"], &of("nobody")[0]["reason"]), (&json!("dead"), &json!("exhausted")));
    let [letter] = &appliance.json(&["dlq", "list", "--json"])[..] else { panic!("one dead letter") };
    assert_eq!((&letter["endpoint"], &letter["last_status"]), (&json!("nobody"), &json!(550)));
    assert!(letter["last_error"].as_str().unwrap().contains("`550 5.1.1 nobody here`"), "{letter}");
    let status = appliance.status();
    let endpoints = status["endpoints"].as_array().unwrap();
    let statistics = |name: &str| &endpoints.iter().find(|it| it["name"] == name).unwrap()["statistics"];
    assert_eq!(statistics("nobody")["dlq_count"], 1);
    assert_eq!(statistics("mail")["delivered_24h"], 1);
    assert_eq!(statistics("pager")["delivered_24h"], 2);
}

#[test]
fn each_can_be_checked_and_nobody_is_alarmed() {
    let Some(scene) = Scene::new() else { return };
    let Scene { appliance, slack, pager, mail, .. } = &scene;
    let check = |name: &str| {
        let output = appliance.run(&["endpoint", "check", name]);
        (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = check("slack");
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("\nurl          (secret)\n")
            && said.contains("\nsignature    none: its format knows none\n")
            && !said.contains("unsigned"),
        "{said}"
    );
    assert!(body(&slack.arrived()[0])["text"].as_str().unwrap().contains("Nothing happened."));

    assert_eq!(check("pager").0, 7, "its first answer is lost");
    let (code, said) = check("pager");
    assert_eq!(code, 0, "{said}");
    let asked = body(&pager.arrived()[1]);
    assert_eq!((&asked["event_action"], &asked["routing_key"]), (&json!("resolve"), &json!(ROUTING_KEY)));

    let (code, said) = check("mail");
    assert!(
        said.contains("\nanswer       451 after ") && said.contains("`451 4.7.1 Greylisted, come back later`"),
        "{said}"
    );
    assert_eq!(code, 7);
    let (code, said) = check("mail");
    assert_eq!(code, 0, "{said}");
    for line in ["\ncertificate  CN=localhost, issued by CN=Yard CA, ", "\nanswer       250 after ", " with TLS\n"] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(mail.letter(0)["text"].as_str().unwrap().contains("Nothing happened."));
    let (code, said) = check("nobody");
    assert!(code == 7 && said.contains("`550 5.1.1 nobody here` to RCPT"), "{code} {said}");
}
