//! The page of a clip in a phone's browser: Debian's Chromium plays it, and shows what was found at its moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Filmed, path};
use crate::shared::skip;

/// puppeteer-core drives Debian's Chromium.
const NPM: &str = "puppeteer-core@24.43.1";

/// A model that finds people and other things in any picture.
const DETECTOR: &str = "model = \"finder\"\nlabels = [\"person\"]\nconfidence_threshold = 0.5\n";

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

/// What the browser saw at `link`, with a picture of it in `screenshot`.
fn played(modules: &Path, link: &str, screenshot: &Path) -> Value {
    let script = modules.parent().unwrap().join("play.mjs");
    // Node looks for modules beside the script, wherever it is called from.
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/played/play.mjs"), &script).unwrap();
    let output = Command::new("node").arg(&script).arg(link).arg(screenshot).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    // Beside the picture, for whoever looks at it.
    fs::write(screenshot.with_extension("json"), told.as_bytes()).unwrap();
    serde_json::from_str(&told).expect(&told)
}

/// A box that finds something as soon as it looks, and what Chromium saw of its clip once that was in `state`; None: what
/// it takes is not here, and the test is skipped.
fn in_chromium(clip: &str, state: &str, screenshot: &str) -> Option<(Filmed, Value, Value)> {
    if !Path::new("/usr/bin/chromium").exists() {
        skip("no Chromium");
        return None;
    }
    let modules = modules()?;
    let finder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models/detectors/yolov8");
    let model = format!("{DETECTOR}[[model]]\nname = \"finder\"\npath = \"{}\"\n", finder.display());
    let box_ = Filmed::seeing(&model, clip)?;
    let clip = box_.appliance.until("there is something to play", |_| {
        let clip = box_.clip(state);
        let stream = clip["stream_url"].is_string().then(|| box_.get(&path(&clip["stream_url"])))?;
        (stream.status == 200).then_some(clip)
    });
    let screenshot = Path::new(env!("CARGO_TARGET_TMPDIR")).join(screenshot);
    let seen = played(&modules, &box_.url(&path(&clip["player_url"])), &screenshot);
    assert_eq!((&seen["error"], &seen["trouble"]), (&Value::Null, &serde_json::json!([])), "{seen}");
    assert_eq!((seen["width"].as_u64(), seen["height"].as_u64()), (Some(640), Some(360)), "{seen}");
    assert!(seen["frames"].as_u64() > Some(10), "{seen}");
    assert!(fs::metadata(&screenshot).unwrap().len() > 10_000);
    Some((box_, clip, seen))
}

#[test]
fn the_page_plays_in_a_browser_and_shows_what_was_found_at_its_moment() {
    let short = "before = \"2s\", after = \"1s\", max = \"10s\"";
    let Some((box_, clip, seen)) = in_chromium(short, "ready", "clip-in-a-browser.png") else { return };
    let event = box_.appliance.json(&["events", "show", clip["alerts"][0].as_str().unwrap(), "--json"]).remove(0);
    let found = regions(&event);
    let (then, later) = (seen["then"].as_array().unwrap(), seen["later"].as_array().unwrap());
    assert!(!found.is_empty() && then.len() == found.len(), "{found:?}: {seen}");
    for (shown, found) in then.iter().zip(&found) {
        for (edge, wanted) in found.iter().enumerate() {
            let at = shown[edge].as_f64().unwrap();
            assert!((at - wanted).abs() < 0.02, "{shown} is not {found:?} of the picture");
        }
    }
    assert!(later.is_empty(), "gone again: {seen}");
}

#[test]
fn the_page_plays_a_clip_that_is_still_being_recorded() {
    let long = "before = \"2s\", after = \"1s\", max = \"5m\"";
    let Some((box_, clip, seen)) = in_chromium(long, "recording", "growing-clip-in-a-browser.png") else { return };
    assert_eq!(seen["source"], "index.m3u8", "it is followed by its playlist: {seen}");
    assert!(seen["then"][0].is_array() && !seen["later"][0].is_array(), "{seen}");
    assert_eq!(box_.clip("recording")["id"], clip["id"], "the control: it goes on");
}

/// Left, top, right and bottom of what was found, in shares of the picture.
fn regions(event: &Value) -> Vec<[f64; 4]> {
    let regions = event["data"]["regions"].as_array().or(event["regions"].as_array()).expect("it tells what was found");
    regions.iter().map(|region| serde_json::from_value(region["box"].clone()).expect("four shares")).collect()
}
