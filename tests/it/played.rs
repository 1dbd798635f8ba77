//! Clips as receivers open them: in a phone's browser, in ranges, with links that are forged, out of date or asked for by
//! a thousand at once.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use stakeout::journal::Reader;
use stakeout::recording::link::Piece;
use stakeout::time::now;

use crate::appliance::Appliance;
use crate::definitions::clip as yard;
use crate::receiver::{Answer, Receiver};
use crate::shared::skip;

const TOKEN: &str = "t0ken-of-the-api";

/// A box that records the yard, reached by `http://127.0.0.1:{port}`.
struct Filmed {
    appliance: Appliance,
    receiver: Receiver,
    port: u16,
}

/// A port that nobody has; it stands in the configuration, so the box can't choose it.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An answer over TCP, without the token.
struct Seen {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Filmed {
    fn start() -> Filmed {
        let (receiver, port) = (Receiver::start(|_, _| Answer::status(200)), free_port());
        let mut appliance = Appliance::new(&format!(
            "[[camera]]\nname = \"yard\"\nurl = \"{}\"\nloop = true\n\
             [[monitor]]\nname = \"person\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\n\
             condition = \"Is a person inside the marked <zone>?\"\ncheck_interval = \"100ms\"\ncooldown = \"1h\"\n\
             clear_after = \"1s\"\nclip = {{ before = \"2s\", after = \"2s\", max = \"8s\" }}\n\
             [[endpoint]]\nname = \"ops\"\nformat = \"videodb\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n",
            yard(),
            receiver.url(),
        ));
        let token = appliance.folder.path().join("api.token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        let reached = format!(
            "[api]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\ntoken_file = \"{}\"\n",
            token.display()
        );
        appliance.edit("[api]\n", &reached);
        appliance.start();
        Filmed { appliance, receiver, port }
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
    let box_ = Filmed::start();
    let alert: Value = serde_json::from_slice(&box_.receiver.wait_for(1)[0].body).unwrap();
    let clip = box_.clip("ready");
    let id = clip["id"].as_str().unwrap();
    for key in ["player_url", "stream_url"] {
        let start = format!("http://127.0.0.1:{}/clips/{id}/", box_.port);
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
    let picture = box_.get(&path(&alert["player_url"]).replace("/player?", "/thumbnail.jpg?"));
    assert_eq!(picture.status, 200, "{}", String::from_utf8_lossy(&picture.body));
    assert!(stakeout::picture::still(&picture.body).is_ok());
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
    let box_ = Filmed::start();
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
    let box_ = Filmed::start();
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
    // As it was signed, and then time went by.
    let key = Reader::open(&box_.appliance.folder.path().join("state")).unwrap().link_key().unwrap().unwrap();
    let (clip, seconds) = (id.parse().unwrap(), Duration::from_secs(1));
    let expired = box_.get(&key.path(clip, Piece::Player, now().wall.minus(seconds)));
    assert!(
        expired.status == 403 && String::from_utf8_lossy(&expired.body).contains("has expired"),
        "{}",
        expired.head
    );
    let fresh = box_.get(&key.path(clip, Piece::Player, now().wall.plus(60 * seconds)));
    assert_eq!(fresh.status, 200, "the same, while it is good");
}

#[test]
fn a_thousand_players_at_once_are_served_or_told_to_come_again() {
    let box_ = Filmed::start();
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

/// puppeteer-core drives Debian's Chromium.
const NPM: &str = "puppeteer-core@24.43.1";

fn modules() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/npm-play");
    let modules = folder.join("node_modules");
    if !modules.join("puppeteer-core/package.json").exists() {
        fs::create_dir_all(&folder).unwrap();
        let options = ["install", "--no-audit", "--no-fund", "--no-save", "--prefix"];
        let installed = Command::new("npm").args(options).arg(&folder).arg(NPM).output();
        if !modules.join("puppeteer-core/package.json").exists() {
            skip(&format!("no Node.js with npm to install `{NPM}`: {installed:?}"));
            return None;
        }
    }
    Some(modules)
}

#[test]
fn the_page_plays_in_a_browser_and_shows_what_was_found_at_its_moment() {
    if !Path::new("/usr/bin/chromium").exists() {
        return skip("no Chromium");
    }
    let Some(modules) = modules() else { return };
    let box_ = Filmed::start();
    let clip = box_.clip("ready");
    let screenshot = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clip-in-a-browser.png");
    let script = modules.parent().unwrap().join("play.mjs");
    // Node looks for modules beside the script, wherever it is called from.
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/played/play.mjs"), &script).unwrap();
    let link = clip["player_url"].as_str().unwrap();
    let output = Command::new("node").arg(&script).arg(link).arg(&screenshot).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_str(&told).expect(&told);
    // Beside the picture, for whoever looks at it.
    fs::write(screenshot.with_extension("json"), told.as_bytes()).unwrap();
    assert_eq!((&seen["error"], &seen["trouble"]), (&Value::Null, &serde_json::json!([])), "{seen}");
    assert_eq!((seen["width"].as_u64(), seen["height"].as_u64()), (Some(640), Some(360)), "{seen}");
    assert!(seen["frames"].as_u64() > Some(10), "{seen}");
    assert!(fs::metadata(&screenshot).unwrap().len() > 10_000);
}
