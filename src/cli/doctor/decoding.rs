//! GStreamer: which one, what it lacks, which decoders work.
//!
//! Owns the order; refuses to know elements (`camera`).

use std::io;

use super::report::{Finding, Report};
use crate::camera::{self, Codec, Distrust, Lineup};
use crate::config::{Camera, CameraUrl, Hardware};

const CHECK: &str = "decoding";

/// Whether cameras can be looked at.
pub(super) fn examine(cameras: &[Camera], report: &mut Report) -> io::Result<bool> {
    if let Err(error) = camera::init() {
        return report.tell(Finding::failed(CHECK, error)).map(|()| false);
    }
    let missing = camera::missing_elements();
    for element in &missing {
        report.tell(Finding::failed(CHECK, element).only_odd(element.only_for.is_some()))?;
    }
    if cameras.iter().any(speaks_tls) && !camera::tls_installed() {
        report.tell(Finding::failed(CHECK, Distrust::NotInstalled))?;
    }
    if missing.iter().any(|element| element.only_for.is_none()) {
        return Ok(false);
    }
    report.tell(Finding::ok(CHECK, format!("{}, all elements that cameras need", camera::version())))?;
    decoders(report)
}

fn speaks_tls(camera: &Camera) -> bool {
    matches!(&camera.url, CameraUrl::Open(url) if url.value.scheme() == "rtsps")
}

fn decoders(report: &mut Report) -> io::Result<bool> {
    let lineup = Lineup::from(&Hardware::Auto);
    let (mut works, mut works_at_all) = (Vec::new(), false);
    for codec in Codec::ALL {
        let needed_by_all = codec == Codec::H264;
        match lineup.works(codec) {
            Ok(()) => {
                works_at_all |= needed_by_all;
                works.push(codec.as_str());
            }
            Err(problem) => {
                let finding = Finding::failed(CHECK, format_args!("{}: {problem}", codec.as_str()));
                report.tell(finding.only_odd(!needed_by_all))?;
            }
        }
    }
    for fallen in lineup.report().fallen {
        let found = format!("the decoder `{}` {}: the next one decodes in its place", fallen.element, fallen.why);
        report.tell(Finding::warn(CHECK, found, "mend its driver, or write `hardware = \"off\"` for every camera"))?;
    }
    let hardware = match camera::hardware_decoders() {
        some if some.is_empty() => "no hardware decoder is installed".to_owned(),
        some => format!("hardware: {}", some.join(", ")),
    };
    report.tell(Finding::ok(CHECK, format!("tried: {} can be decoded; {hardware}", works.join(", "))))?;
    Ok(works_at_all)
}
