//! Clips by their playlist, as ffmpeg plays it: whole ones, and one that grows meanwhile.

use std::fs::File;
use std::process::{Command, Output};

use serde_json::Value;
use stakeout::journal::clip_path;

use super::{CLASSIFIER, Filmed, path};
use crate::shared::skip;

/// Whether there is a player.
fn ffmpeg() -> bool {
    let is_there = ["ffmpeg", "ffprobe"].iter().all(|it| Command::new(it).arg("-version").output().is_ok());
    if !is_there {
        skip("no ffmpeg");
    }
    is_there
}

fn quiet(output: &Output) -> &[u8] {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
    &output.stdout
}

/// How many pictures are decoded, from the beginning to the end.
fn pictures(url: &str) -> u64 {
    let how = ["-v", "warning", "-count_frames", "-select_streams", "v", "-show_streams", "-of", "json"];
    let output = Command::new("ffprobe").args(how).arg(url).output().unwrap();
    let told: Value = serde_json::from_slice(quiet(&output)).unwrap();
    told["streams"][0]["nb_read_frames"].as_str().expect(url).parse().unwrap()
}

/// How long each segment is, and which bytes of the file it takes: `2.0,1000@700`.
fn segments(playlist: &str) -> Vec<String> {
    let lines: Vec<&str> = playlist.lines().collect();
    let ranged = lines.windows(2).filter_map(|pair| {
        let (lasts, range) = (pair[0].strip_prefix("#EXTINF:")?, pair[1].strip_prefix("#EXT-X-BYTERANGE:")?);
        Some(format!("{lasts}{range}"))
    });
    ranged.collect()
}

#[test]
fn a_player_gets_all_pictures_by_the_playlist() {
    if !ffmpeg() {
        return;
    }
    let Some(box_) = Filmed::start() else { return };
    let clip = box_.clip("ready");
    let [stream, file] = ["stream_url", "file_url"].map(|link| pictures(&box_.url(&path(&clip[link]))));
    assert!(stream == file && file > 20, "{stream} by the playlist, {file} in the file");
}

#[test]
fn a_player_follows_a_clip_that_grows() {
    if !ffmpeg() {
        return;
    }
    let Some(box_) = Filmed::seeing(CLASSIFIER, "before = \"2s\", after = \"60s\", max = \"3m\"") else { return };
    let alert: Value = serde_json::from_slice(&box_.receiver.wait_for(1)[0].body).unwrap();
    let link = path(&alert["stream_url"]);
    let playlist = |least: usize| {
        box_.appliance.until(&format!("{least} segments"), |_| {
            let seen = box_.get(&link);
            let text = String::from_utf8(seen.body).unwrap();
            match seen.status {
                404 => assert!(seen.head.contains("retry-after: "), "{}\n{text}", seen.head),
                status => assert_eq!(status, 200, "{text}"),
            }
            (segments(&text).len() >= least).then_some(text)
        })
    };
    let early = playlist(1);
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-i", &box_.url(&link)])
        .args(["-frames:v", "20", "-vf", "scale=16:9", "-pix_fmt", "gray", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    assert_eq!(quiet(&output).len(), 20 * 16 * 9, "it begins to play");
    let later = playlist(segments(&early).len() + 2);
    assert!(later.starts_with(&early) && !later.contains("ENDLIST"), "{early}\nbecame\n{later}");

    // As it is before the first fragment: only what says how to decode.
    let clip = box_.clip("recording");
    let id = clip["id"].as_str().unwrap().parse().unwrap();
    let init: u64 = later.split_once("BYTERANGE=\"").unwrap().1.split_once('@').unwrap().0.parse().unwrap();
    let file = clip_path(&box_.appliance.folder.path().join("state"), id);
    File::options().write(true).open(file).unwrap().set_len(init).unwrap();
    let seen = box_.get(&link);
    assert_eq!(seen.status, 404, "{}", String::from_utf8_lossy(&seen.body));
    assert!(seen.head.contains("retry-after: 2\r\n"), "{}", seen.head);
    let movie = box_.get(&path(&clip["file_url"]));
    assert!(movie.head.contains("cache-control: private, no-store\r\n"), "what grows is not kept: {}", movie.head);
}
