//! Cameras that could cost less.
//!
//! Owns what an operator is told of a camera that can't sleep; refuses to measure and to decide. Pure.

use std::time::Duration;

use crate::api::Warning;
use crate::camera::{Saving, Snapshot, State, Why};
use crate::name::Name;

/// Who wants to know of events sooner than any camera's keyframes come means to have everything decoded.
const INTENDED: Duration = Duration::from_secs(1);

/// What can be saved at a camera that would sleep, if only it were set otherwise.
pub(super) fn wakeful(camera: &Name, status: &Snapshot) -> Option<Warning> {
    if status.state != State::Online {
        return None;
    }
    let remedy = match status.decoding.why {
        Why::TooRare { within, .. } if within >= INTENDED => {
            let Saving { now, asleep } = status.saving?;
            let share = (1.0 - asleep / now) * 100.0;
            format!(
                "set the camera's I-frame interval to 1 s to save some {share:.0} % of its decoding while nothing moves \
                 ({asleep:.1} instead of {now:.1} CPU seconds a minute, by what its keyframes and all its pictures cost now)"
            )
        }
        Why::NotAlone => "switch off open GOPs, intra refresh and \"smart\" codecs in the camera and set its I-frame \
                          interval to 1 s; or set `decode = \"all\"` if it shall be so"
            .to_owned(),
        Why::TooMuch => "set the camera's I-frame interval to 1 s, or its bitrate lower".to_owned(),
        _ => return None,
    };
    Some(Warning::new(format!("camera `{camera}` can't sleep and is decoded in full: {}", status.decoding.why), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{Decision, Mode};

    fn told(why: Why, saving: Option<Saving>) -> Option<String> {
        let decoding = Decision { mode: Mode::All, why };
        let status = Snapshot { state: State::Online, decoding, saving, ..Snapshot::default() };
        wakeful(&Name::new("gate").unwrap(), &status).map(|warning| format!("{}: {}", warning.what, warning.remedy))
    }

    #[test]
    fn what_would_be_saved_is_told_where_it_was_measured_and_is_not_meant() {
        let saving = Some(Saving { now: 5.0, asleep: 1.9 });
        let rare =
            |within: u64| Why::TooRare { interval: Duration::from_secs(4), within: Duration::from_millis(within) };
        assert_eq!(
            told(rare(2000), saving).unwrap(),
            "camera `gate` can't sleep and is decoded in full: a keyframe only every 4.0 s, `notice_within` is 2.0 s: \
             set the camera's I-frame interval to 1 s to save some 62 % of its decoding while nothing moves \
             (1.9 instead of 5.0 CPU seconds a minute, by what its keyframes and all its pictures cost now)"
        );
        assert_eq!(told(rare(2000), None), None, "not measured yet");
        assert_eq!(told(rare(500), saving), None, "that is how everything is decoded on purpose");
        assert_eq!(told(Why::Moved, saving), None);
        assert!(
            told(Why::TooMuch, None)
                .unwrap()
                .ends_with("than is kept: 8 MiB: set the camera's I-frame interval to 1 s, or its bitrate lower")
        );
        assert!(told(Why::NotAlone, None).unwrap().contains("switch off open GOPs"));
    }
}
