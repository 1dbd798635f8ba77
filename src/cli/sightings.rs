//! `stakeout check --live`: a look at every camera, one line for each.
//!
//! Owns the words; refuses to know how a camera is looked at (`camera`) and to show addresses, which may be secret. All are
//! looked at at once, each on a thread of its own.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use super::exit::Failure;
use super::print;
use crate::camera::{self, Problem, Settings, Sighting, Why};
use crate::config::Config;
use crate::preflight::Ready;

/// For the first picture: slow cameras need 8 s to connect, and then a keyframe.
const PATIENCE: Duration = Duration::from_secs(15);

/// Looks at every camera. How many don't work.
pub(super) fn look_at_all(config: &Config, ready: &Ready) -> Result<usize, Failure> {
    let settings = config.cameras.iter().filter_map(|camera| {
        let address = ready.addresses.get(&camera.name)?.clone();
        Some((&camera.name, Settings::of(camera, &config.monitors, address)))
    });
    thread::scope(|scope| {
        let looks: Vec<_> = settings
            .map(|(name, settings)| {
                let look = thread::Builder::new().name(format!("look-{name}"));
                (name, look.spawn_scoped(scope, move || camera::look(settings, PATIENCE)))
            })
            .collect();
        let mut failures = 0;
        for (name, look) in looks {
            let look = look.map_err(|error| Failure::plain(format_args!("cannot start a thread: {error}")))?;
            // A panic there has been reported by its own thread.
            match look.join().unwrap_or(Err(Problem::Decoder)) {
                Ok(sighting) => {
                    writeln!(io::stdout(), "camera `{name}`: works ({})", describe(&sighting))?;
                    warnings(&sighting).iter().for_each(|(what, hint)| {
                        print::say(&format!("warning: camera `{name}`: {what}\nhint: {hint}"));
                    });
                }
                Err(problem) => {
                    failures += 1;
                    let text = problem.to_string();
                    let (what, hint) = text.rsplit_once("; ").unwrap_or((&text, "look at its own pages"));
                    Failure::plain(format_args!("camera `{name}` does not work: {what}")).hint(hint).report();
                }
            }
        }
        Ok(failures)
    })
}

/// What was seen, in one line.
fn describe(seen: &Sighting) -> String {
    let (width, height) = seen.size;
    let mut parts = vec![format!("{} {width}x{height}", seen.codec.as_str())];
    parts.extend(seen.fps.map(|fps| format!("{fps:.1} fps")));
    parts.push(match seen.keyframe_interval {
        Some(interval) => format!("a keyframe every {:.1} s", interval.as_secs_f64()),
        None if seen.codec == camera::Codec::Mjpeg => "every picture a keyframe".to_owned(),
        None => format!("no second keyframe within {:.0} s", seen.watched.as_secs_f64()),
    });
    parts.extend(seen.decoder.running.as_ref().map(ToString::to_string));
    parts.push(format!("first picture after {} ms", seen.first_picture.as_millis()));
    parts.join(", ")
}

/// What is odd about a camera that works, each with what to do.
fn warnings(seen: &Sighting) -> Vec<(String, String)> {
    let mut warnings = Vec::new();
    if let Some(degraded) = seen.decoder.degraded() {
        let hint = "mend the decoder's driver, or write `hardware = \"off\"` for this camera";
        warnings.push((format!("degraded: {degraded}"), hint.to_owned()));
    }
    match seen.decision.why {
        Why::TooRare { within, .. } => {
            let interval = within.min(Duration::from_secs(1)).as_secs_f64();
            let saved = seen.saving.map(|saving| {
                let share = 100.0 * (1.0 - saving.asleep / saving.now);
                format!("; while nothing happens that saves {share:.0} % of the decoding")
            });
            let hint = format!("set the camera's I-frame interval to {interval:.0} s{}", saved.unwrap_or_default());
            warnings.push((format!("every picture is decoded: {}", seen.decision.why), hint));
        }
        Why::NotAlone => {
            let hint =
                "switch off open GOPs and intra refresh at the camera (often called \"smart codec\"), to save decoding";
            warnings.push((format!("every picture is decoded: {}", seen.decision.why), hint.to_owned()));
        }
        _ => {}
    }
    warnings
}
