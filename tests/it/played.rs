//! Clips as receivers open them: in a phone's browser, in ranges, with links that are forged, out of date or asked for by
//! a thousand at once.

mod browser;
mod players;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use stakeout::journal::{Reader, clip_path};
use stakeout::recording::link::Piece;
use stakeout::time::now;

use crate::api::port;
use crate::appliance::Appliance;
use crate::definitions::clip as yard;
use crate::receiver::{Answer, Receiver};
use crate::shared::runtime;

const TOKEN: &str = "t0ken-of-the-api";

/// Under which name links say that the box is reached.
const NAME: &str = "http://box.example";

/// What sees somebody in the zone of the yard, from 7.333 s on.
const CLASSIFIER: &str = "model = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\n";

/// A box that records the yard.
struct Filmed {
    appliance: Appliance,
    receiver: Receiver,
    port: u16,
}

/// An answer over TCP, without the token.
struct Seen {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Filmed {
    /// Short clips of whoever is in the zone. None: what it takes is not here, and the test is skipped.
    fn start() -> Option<Filmed> {
        Filmed::seeing(CLASSIFIER, "before = \"2s\", after = \"2s\", max = \"8s\"")
    }

    /// The same with another `model` and its `labels`, and another `clip`.
    fn seeing(model: &str, clip: &str) -> Option<Filmed> {
        runtime()?;
        let receiver = Receiver::start(|_, _| Answer::status(200));
        let mut appliance = Appliance::new(&format!(
            "[[camera]]\nname = \"yard\"\nurl = \"{}\"\nloop = true\n\
             [[monitor]]\nname = \"person\"\ncamera = \"yard\"\nclip = {{ {clip} }}\n\
             condition = \"Is a person inside the marked <zone>?\"\ncheck_interval = \"100ms\"\ncooldown = \"1h\"\n\
             clear_after = \"1s\"\n{model}\
             [[endpoint]]\nname = \"ops\"\nformat = \"videodb\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n",
            yard(),
            receiver.url(),
        ));
        let token = appliance.folder.path().join("api.token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        let reached =
            format!("listen = \"127.0.0.1:0\"\npublic_url = \"{NAME}\"\ntoken_file = \"{}\"", token.display());
        appliance.edit("[api]\n", &format!("[api]\n{reached}\n"));
        appliance.start();
        let port = port(&appliance);
        Some(Filmed { appliance, receiver, port })
    }

    /// Ends the daemon and starts it anew.
    fn restart(&mut self) {
        self.appliance.stop();
        self.appliance.start();
        self.port = port(&self.appliance);
    }

    /// What a link would be where its name led here.
    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The first clip, once it is in `state`.
    fn clip(&self, state: &str) -> Value {
        self.appliance.until(state, |it| {
            let mut clips = it.json(&["clips", "list", "--json"]).into_iter();
            clips.find(|clip| clip["state"] == state)
        })
    }

    /// What somebody sees who comes over TCP with these header lines.
    fn see(&self, request: &str, headers: &str) -> Seen {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        // A proxy's word: this is not this machine, and needs the token wherever one is needed.
        let head =
            format!("{request} HTTP/1.1\r\nHost: box.example\r\nX-Forwarded-For: 192.0.2.7\r\nConnection: close\r\n");
        stream.write_all(format!("{head}{headers}\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer") + 4;
        let body = answer.split_off(end);
        let head = String::from_utf8(answer).unwrap().to_lowercase();
        Seen { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body }
    }

    fn get(&self, path: &str) -> Seen {
        self.see(&format!("GET {path}"), "")
    }
}

/// The path of a link, with its query.
fn path(link: &Value) -> String {
    let link = link.as_str().unwrap();
    link[link.find("/clips/").unwrap()..].to_owned()
}

#[test]
fn a_receiver_opens_the_clip_of_an_alert_with_nothing_but_its_links() {
    let Some(box_) = Filmed::start() else { return };
    let alert: Value = serde_json::from_slice(&box_.receiver.wait_for(1)[0].body).unwrap();
    let clip = box_.clip("ready");
    let id = clip["id"].as_str().unwrap();
    for key in ["player_url", "stream_url"] {
        let start = format!("{NAME}/clips/{id}/");
        assert!(alert[key].as_str().unwrap().starts_with(&start), "{alert}");
    }
    let page = box_.get(&path(&alert["player_url"]));
    let html = String::from_utf8(page.body).unwrap();
    assert_eq!(page.status, 200, "{html}");
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    assert!(html.contains("Is a person inside the marked &lt;zone&gt;?") && !html.contains("<zone>"), "{html}");

    let playlist = box_.get(&path(&alert["stream_url"]));
    let text = String::from_utf8(playlist.body).unwrap();
    assert!(text.starts_with("#EXTM3U") && text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    assert!(playlist.head.contains("access-control-allow-origin: *"), "{}", playlist.head);
    let movie = box_.get(&path(&clip["file_url"]));
    assert_eq!((movie.status, movie.body.len() as u64), (200, clip["bytes"].as_u64().unwrap()));
    // The same needs the token elsewhere, and so does whoever lists clips.
    assert_eq!(box_.get("/v1/clips").status, 401);
    assert_eq!(box_.get(&format!("/v1/clips/{id}/file")).status, 401);

    let (saved, event) = (box_.appliance.folder.path().join("alert.mp4"), clip["alerts"][0].as_str().unwrap());
    let saved = saved.to_str().unwrap();
    for args in [vec!["events", "show", event, "--clip", saved], vec!["clips", "export", id, "-o", saved]] {
        let output = box_.appliance.run(&args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read(saved).unwrap(), movie.body);
        fs::remove_file(saved).unwrap();
    }
    let shown = box_.appliance.run(&["clips", "show", id]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("/player?expires="), "{shown:?}");
    let deleted = box_.appliance.run(&["clips", "delete", id]);
    assert!(deleted.status.success(), "{}", String::from_utf8_lossy(&deleted.stderr));
    assert_eq!(box_.get(&path(&alert["player_url"])).status, 410);
    assert_eq!(box_.clip("gone")["why"], "it was deleted by hand");
}

#[test]
fn players_ask_in_ranges_and_get_no_more_than_there_is() {
    let Some(box_) = Filmed::start() else { return };
    let clip = box_.clip("ready");
    let (movie, length) = (path(&clip["file_url"]), clip["bytes"].as_u64().unwrap());
    let whole = box_.get(&movie).body;
    let range = |range: &str| box_.see(&format!("GET {movie}"), &format!("Range: bytes={range}\r\n"));
    let part = range("4-11");
    assert_eq!((part.status, part.body.as_slice()), (206, &whole[4..12]));
    assert!(part.head.contains(&format!("content-range: bytes 4-11/{length}")), "{}", part.head);
    assert_eq!(range("-10").body, whole[whole.len() - 10..]);
    for beyond in [format!("{length}-"), format!("{}-{}", length + 5, length + 9), "9-3".to_owned(), "x-y".to_owned()] {
        let answer = range(&beyond);
        assert_eq!(answer.status, 416, "{beyond}: {}", answer.head);
    }
    let head = box_.see(&format!("HEAD {movie}"), "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.head.contains(&format!("content-length: {length}\r\n")), "{}", head.head);
    assert_eq!(box_.see(&format!("POST {movie}"), "Content-Length: 0\r\n").status, 401, "a link only opens");
}

#[test]
fn links_that_were_forged_or_have_expired_open_nothing() {
    let Some(box_) = Filmed::start() else { return };
    let clip = box_.clip("ready");
    let (id, player) = (clip["id"].as_str().unwrap(), path(&clip["player_url"]));
    let query = player.split_once('?').unwrap().1;
    let other = "00000000-0000-7000-8000-000000000000";
    for forged in [
        player.replace(id, other),
        player.replace("expires=1", "expires=2"),
        player.replace("signature=", "signature=A"),
        format!("/clips/{id}/player"),
        format!("/clips/{id}/player?{query}&expires=1"),
        format!("/clips/..%2f..%2fstakeout.toml/player?{query}"),
        format!("/clips/{id}/player?expires=%00&signature=%ff"),
    ] {
        let answer = box_.get(&forged);
        assert_eq!(answer.status, 403, "{forged}: {}", String::from_utf8_lossy(&answer.body));
    }
    // As it stands in a fresh link, a path leads no further than the clip.
    for odd in ["..%2f..%2fstakeout.toml", "%2e%2e", "clip.mp4%00", "journal.sqlite"] {
        let fresh = path(&box_.clip("ready")["player_url"]).replace("/player?", &format!("/{odd}?"));
        let answer = box_.get(&fresh);
        assert!([403, 404].contains(&answer.status), "{odd}: {} {}", answer.status, answer.head);
    }
    // As it was signed, and then time went by, since the alert was delivered too.
    let key = Reader::open(&box_.appliance.folder.path().join("state")).unwrap().link_key().unwrap().unwrap();
    let (clip, seconds) = (id.parse().unwrap(), Duration::from_secs(1));
    let late = key.path(clip, Piece::Player, now().wall.minus(seconds));
    let over = |days: i64| {
        let journal = rusqlite::Connection::open(box_.appliance.folder.path().join("state/journal.db")).unwrap();
        journal.execute("UPDATE clip SET over_ms = ?1", [now().wall.0 - days * 86_400_000]).unwrap();
    };
    over(1);
    assert_eq!(box_.get(&late).status, 200, "it may have come late");
    over(8);
    let expired = box_.get(&late);
    let told = String::from_utf8_lossy(&expired.body);
    assert!(expired.status == 403 && told.contains("<h1>the link has expired</h1>"), "{}\n{told}", expired.head);
    assert!(expired.head.contains("content-type: text/html"), "{}", expired.head);
    let fresh = box_.get(&key.path(clip, Piece::Player, now().wall.plus(60 * seconds)));
    assert_eq!(fresh.status, 200, "the same, while it is good");
}

#[test]
fn a_thousand_players_at_once_are_served_or_told_to_come_again() {
    let Some(box_) = Filmed::start() else { return };
    let movie = path(&box_.clip("ready")["file_url"]);
    let request = format!("GET {movie} HTTP/1.1\r\nHost: box.example\r\nConnection: close\r\n\r\n");
    // All of them ask before anybody reads.
    let players: Vec<Option<TcpStream>> = (0..1000)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", box_.port)).ok()?;
            stream.write_all(request.as_bytes()).ok()?;
            Some(stream)
        })
        .collect();
    assert!(box_.appliance.run(&["status", "--json"]).status.success(), "the box itself is not kept waiting");
    let mut told = [0; 3];
    for mut player in players.into_iter().flatten() {
        let mut answer = Vec::new();
        // One that found no seat was closed.
        let _ = player.read_to_end(&mut answer);
        match answer.get(9..12) {
            Some(b"200") => told[0] += 1,
            Some(b"503") => told[1] += 1,
            None => told[2] += 1,
            Some(other) => panic!("{}", String::from_utf8_lossy(other)),
        }
    }
    assert!(told[0] > 0 && told[1] + told[2] > 0, "served, sent away, closed: {told:?}");
    assert_eq!(box_.get(&movie).status, 200, "and afterwards there is room again");
}

#[test]
fn a_thumbnail_is_the_frame_of_the_alert_and_is_decoded_once_where_that_is_gone() {
    let Some(mut box_) = Filmed::start() else { return };
    let clip = box_.clip("ready");
    let thumbnail = path(&clip["player_url"]).replace("/player?", "/thumbnail.jpg?");
    let alert = clip["alerts"][0].as_str().unwrap().parse().unwrap();
    let state = box_.appliance.folder.path().join("state");
    let frame = Reader::open(&state).unwrap().event(alert).unwrap().unwrap().frame.expect("an alert has one");
    assert_eq!(box_.get(&thumbnail).body, fs::read(&frame).unwrap());

    fs::remove_file(&frame).unwrap();
    let decoded = box_.get(&thumbnail);
    assert_eq!(decoded.status, 200, "{}", String::from_utf8_lossy(&decoded.body));
    assert!(stakeout::picture::still(&decoded.body).is_ok());
    let file = clip_path(&state, clip["id"].as_str().unwrap().parse().unwrap());
    // As long as it was: one that isn't is nobody's clip.
    let long = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
    fs::write(&file, vec![0; long]).unwrap();
    assert_eq!(box_.get(&thumbnail).body, decoded.body, "it is kept");
    box_.restart();
    let control = box_.get(&thumbnail);
    assert_eq!(control.status, 404, "{}", String::from_utf8_lossy(&control.body));
}

#[test]
fn what_a_link_opens_is_kept_by_nobody_unasked_and_read_from_anywhere() {
    let Some(box_) = Filmed::start() else { return };
    let clip = box_.clip("ready");
    let (player, movie) = (path(&clip["player_url"]), path(&clip["file_url"]));
    for piece in ["player", "index.m3u8", "thumbnail.jpg", "nothing"] {
        let seen = box_.get(&player.replace("/player?", &format!("/{piece}?")));
        assert!(seen.head.contains("cache-control: private, no-store\r\n"), "{piece}: {}", seen.head);
        assert!(!seen.head.contains("last-modified"), "{piece}: {}", seen.head);
    }
    let seen = box_.get(&movie);
    assert!(seen.head.contains("cache-control: private, no-cache\r\n"), "{}", seen.head);
    let since = seen.head.split_once("last-modified: ").unwrap().1.split("\r\n").next().unwrap();
    // HTTP's dates have one spelling.
    let since = jiff::fmt::rfc2822::parse(since).unwrap().timestamp();
    let since = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&since).unwrap();
    let again = box_.see(&format!("GET {movie}"), &format!("If-Modified-Since: {since}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0), "{}", again.head);
    let forged = box_.see(
        &format!("GET {}", movie.replace("signature=", "signature=A")),
        &format!("If-Modified-Since: {since}\r\n"),
    );
    assert_eq!(forged.status, 403);
    assert!(forged.head.contains("cache-control: private, no-store\r\n"), "{}", forged.head);
    assert!(forged.head.contains("content-type: application/json"), "{}", forged.head);

    let others = "Origin: https://player.example\r\n";
    let asked = format!("{others}Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: range\r\n");
    let preflight = box_.see(&format!("OPTIONS {movie}"), &asked);
    assert_eq!(preflight.status, 200, "{}", preflight.head);
    for line in ["access-control-allow-origin: *\r\n", "access-control-allow-headers: range\r\n"] {
        assert!(preflight.head.contains(line), "{line}: {}", preflight.head);
    }
    let part = box_.see(&format!("GET {movie}"), &format!("{others}Range: bytes=0-7\r\n"));
    let exposed =
        part.head.split_once("access-control-expose-headers: ").expect(&part.head).1.split("\r\n").next().unwrap();
    assert!(exposed.contains("content-range") && exposed.contains("content-length"), "{}", part.head);
    // Nothing else is anybody's.
    assert_eq!(box_.see("OPTIONS /v1/clips", &asked).status, 403);
}
