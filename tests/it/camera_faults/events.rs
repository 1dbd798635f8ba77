//! The daemon among failing cameras: what it tells the world, and what it leaves alone.

use serde_json::Value;

use super::*;
use crate::appliance::Appliance;
use crate::receiver::{Answer, Receiver};
use crate::shared::runtime;

fn camera(name: &str, server: &Server) -> String {
    format!("[[camera]]\nname = \"{name}\"\nurl = \"{}\"\n", server.url)
}

/// A box with these cameras, one monitor on all of them, and a receiver that wants to know about cameras only.
fn appliance(cameras: &[(&str, &Server)], receiver: &Receiver) -> Appliance {
    let mut config: String = cameras.iter().map(|(name, server)| camera(name, server)).collect();
    let names: Vec<String> = cameras.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    config += &format!(
        "[[monitor]]\nname = \"watch\"\ncameras = [{}]\ncondition = \"Is somebody there?\"\n\
         model = \"yard-classifier\"\nlabels = [\"person\"]\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\nevents = [\"camera.*\"]\n",
        names.join(", "),
        receiver.url(),
    );
    Appliance::new(&config)
}

/// What has arrived, each event once: who is killed sends again.
fn bodies(receiver: &Receiver) -> Vec<Value> {
    let mut bodies: Vec<Value> = Vec::new();
    for request in receiver.arrived() {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if bodies.iter().all(|known| known["data"]["event_id"] != body["data"]["event_id"]) {
            bodies.push(body);
        }
    }
    bodies
}

/// Waits until that many events have arrived.
fn told(receiver: &Receiver, count: usize) -> Vec<Value> {
    let mut requests = count;
    loop {
        requests = receiver.wait_for(requests).len() + 1;
        let bodies = bodies(receiver);
        if bodies.len() >= count {
            return bodies;
        }
    }
}

fn shown<'a>(status: &'a Value, name: &str) -> &'a Value {
    let cameras = status["cameras"].as_array().unwrap();
    cameras.iter().find(|camera| camera["name"] == name).unwrap()
}

fn until_online(appliance: &Appliance, name: &str) {
    let what = format!("{name} is online");
    appliance.until(&what, |it| (shown(&it.status(), name)["state"] == "online").then_some(()));
}

#[test]
fn an_outage_is_told_once_and_its_end_too_although_the_daemon_was_killed_in_between() {
    if runtime().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    let (server, receiver) = (Server::start(&clip, 0, &[]), Receiver::start(|_, _| Answer::status(200)));
    let port = server.url.port().unwrap();
    let mut appliance = appliance(&[("cam", &server)], &receiver);
    appliance.start();
    until_online(&appliance, "cam");
    drop(server);
    told(&receiver, 1);
    appliance.kill();
    appliance.start();
    appliance.until("it is looked for again", |it| it.log().matches("camera offline").nth(1).map(drop));
    let _server = Server::start(&clip, port, &[]);
    let told = told(&receiver, 2);
    appliance.stop();
    assert_eq!(told.iter().map(|body| &body["type"]).collect::<Vec<_>>(), ["camera.offline", "camera.online"]);
    let (offline, online) = (&told[0]["data"], &told[1]["data"]);
    assert_eq!((&offline["camera"], &offline["cause"]), (&"cam".into(), &"refused".into()));
    assert_eq!((&offline["common"], &offline["flaps"]), (&false.into(), &0.into()), "{}", appliance.log());
    assert_eq!((&online["since"], &online["cause"]), (&offline["since"], &"refused".into()));
    let at = |stamp: &Value| stamp.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond() as f64 / 1e3;
    let (since, seen) = (at(&offline["since"]), at(&online["observed_at"]));
    let down = online["down_s"].as_f64().unwrap();
    assert!(at(&offline["observed_at"]) - since >= 10.0, "{offline}");
    // It was told some seconds after the pictures had come back for good.
    assert!(down > 10.0 && down <= seen - since - 9.0, "{down} s of {} s", seen - since);
}

/// A process that is stopped for longer than any limit finds its cameras silent when it goes on. They are not to blame.
#[test]
fn a_daemon_that_stood_still_leaves_its_cameras_alone() {
    if runtime().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (server, receiver) = (Server::start(&small_clip(&folder), 0, &[]), Receiver::start(|_, _| Answer::status(200)));
    let mut appliance = appliance(&[("cam", &server)], &receiver);
    appliance.start();
    until_online(&appliance, "cam");
    appliance.signal("-STOP");
    std::thread::sleep(Duration::from_secs(12));
    appliance.signal("-CONT");
    appliance.until("it says so", |it| it.log().contains("this process stood still").then_some(()));
    appliance.until("pictures are fresh", |it| {
        let age = shown(&it.status(), "cam")["last_frame_age_s"].as_f64()?;
        (age < 2.0).then_some(())
    });
    let status = appliance.status();
    assert_eq!(shown(&status, "cam")["reconnects"], 0, "{}", appliance.log());
    // The control: a camera that is silent while we look is left.
    server.signal("-STOP");
    appliance.until("it is lost", |it| (shown(&it.status(), "cam")["state"] == "offline").then_some(()));
    server.signal("-CONT");
    until_online(&appliance, "cam");
}

#[test]
fn all_at_once_is_one_warning_and_all_come_back_while_the_loss_of_one_touches_nobody_else() {
    if runtime().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    let servers: Vec<Server> = (0..3).map(|_| Server::start(&clip, 0, &[])).collect();
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let names = ["a", "b", "c"];
    let cameras: Vec<(&str, &Server)> = names.into_iter().zip(&servers).collect();
    let mut appliance = appliance(&cameras, &receiver);
    appliance.start();
    names.iter().for_each(|name| until_online(&appliance, name));

    servers[0].signal("-STOP");
    let first = &told(&receiver, 1)[0];
    assert_eq!((&first["data"]["camera"], &first["data"]["common"]), (&"a".into(), &false.into()));
    servers[0].signal("-CONT");
    until_online(&appliance, "a");
    let status = appliance.status();
    assert_eq!(names.map(|name| shown(&status, name)["reconnects"].as_u64().unwrap()), [1, 0, 0]);
    assert!(!appliance.log().contains("all cameras fell silent together"));
    told(&receiver, 2);

    servers.iter().for_each(|server| server.signal("-STOP"));
    told(&receiver, 5);
    servers.iter().for_each(|server| server.signal("-CONT"));
    let told = told(&receiver, 8);
    assert!(
        told[2..5].iter().all(|body| body["type"] == "camera.offline" && body["data"]["common"] == true),
        "{told:?}"
    );
    assert!(told[5..].iter().all(|body| body["type"] == "camera.online"), "{told:?}");
    assert_eq!(appliance.log().matches("all cameras fell silent together").count(), 1);
    appliance.stop();
}
