//! Every camera: one picture, and how long that took.
//!
//! Owns the words; refuses to know how a camera is looked at (`camera`). All at once, each on a thread of its own.

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::Duration;

use super::reach;
use super::report::{Finding, Report};
use crate::api::{CameraState, Status};
use crate::camera::{self, Glimpse, Problem, Settings};
use crate::config::{Camera, Config, Defined};
use crate::preflight::{self, Folders, Opened};

/// For the picture: slow cameras need 8 s to connect, and then a keyframe.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn examine(config: &Config, status: Option<&Status>, report: &mut Report) -> io::Result<()> {
    let findings: Vec<Finding> = thread::scope(|scope| {
        let look = |camera| thread::Builder::new().spawn_scoped(scope, move || look(camera, config, status));
        let looks: Vec<_> = config.cameras.iter().map(|camera| (camera, look(camera))).collect();
        let told = looks.into_iter().map(|(camera, look)| {
            // A panic there has been reported by its own thread.
            let told = look.ok().and_then(|look| look.join().ok());
            told.unwrap_or_else(|| Finding::failed("camera", Problem::Decoder)).of(&camera.name)
        });
        told.collect()
    });
    findings.into_iter().try_for_each(|finding| report.tell(finding))
}

fn look(camera: &Camera, config: &Config, status: Option<&Status>) -> Finding {
    if let Some((what, remedy)) = reach::beyond(reach::of_camera(camera)) {
        return Finding::warn("camera", what, remedy);
    }
    let opened =
        preflight::open(&Defined::Camera(camera.clone()), None, config, &BTreeMap::new(), &mut Folders::default());
    let address = match opened {
        Ok(Opened::Camera(address)) => address,
        Ok(_) => return Finding::failed("camera", Problem::Decoder),
        Err(unfit) => return Finding::fail("camera", unfit.error, unfit.hint),
    };
    match camera::glimpse(Settings::of(camera, &config.monitors, address), PATIENCE) {
        Ok(glimpse) => seen(&glimpse),
        Err(Problem::Busy) if is_online(camera, status) => {
            Finding::ok("camera", "the daemon sees it; it has no room for a second viewer")
        }
        Err(problem) => Finding::failed("camera", problem),
    }
}

fn is_online(camera: &Camera, status: Option<&Status>) -> bool {
    let cameras = status.map(|status| status.cameras.as_slice()).unwrap_or_default();
    cameras.iter().any(|seen| seen.name == camera.name && seen.state == CameraState::Online)
}

fn seen(glimpse: &Glimpse) -> Finding {
    let Glimpse { codec, frame, took, decoder } = glimpse;
    let decoded = decoder.running.as_ref().map(|running| format!(", decoded by {running}")).unwrap_or_default();
    let (width, height) = (frame.width, frame.height);
    let found = format!("{} {width}x{height} after {} ms{decoded}", codec.as_str(), took.as_millis());
    match decoder.degraded() {
        Some(degraded) => Finding::warn(
            "camera",
            format!("{found}; degraded: {degraded}"),
            "mend the decoder's driver, or write `hardware = \"off\"` for this camera",
        ),
        None => Finding::ok("camera", found),
    }
}
