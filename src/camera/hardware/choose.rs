//! Which decoders come into question, and in which order.
//!
//! Owns the order of preference, what each decoder needs around it and how it is set; refuses to ask the machine. Pure.

use std::fmt;

use super::super::codec::Codec;
use super::inventory::Inventory;
use crate::config::Hardware;

/// A decoder that may be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// GStreamer's name for it.
    pub element: String,
    /// Not the processor.
    pub hardware: bool,
    /// What is set, of what it has.
    pub settings: Vec<(&'static str, &'static str)>,
    /// The same, but for streams that don't reorder pictures: these settings give up the right order for less delay.
    pub low_delay: Vec<(&'static str, &'static str)>,
    /// What stands before it. Decoders but libav's only take streams whose caps tell sizes and profiles, which a parser
    /// reads out of the stream.
    pub before: &'static str,
    /// What follows it, so that pictures lie in plain memory: elements and caps, or nothing.
    pub after: &'static str,
}

impl Candidate {
    /// As text of a pipeline; the decoder is called `decoder`.
    pub fn description(&self, low_delay: bool) -> String {
        let mut text = self.before.to_owned();
        text.push_str(if text.is_empty() { "" } else { " ! " });
        text.push_str(&format!("{} name=decoder", self.element));
        let more = self.low_delay.iter().filter(|_| low_delay);
        for (name, value) in self.settings.iter().chain(more) {
            text.push_str(&format!(" {name}={value}"));
        }
        if !self.after.is_empty() {
            text.push_str(" ! ");
            text.push_str(self.after);
        }
        text
    }
}

/// A decoder that does not come into question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// GStreamer's name for it.
    pub element: String,
    /// Why not.
    pub why: Why,
}

/// Why a decoder does not come into question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no such element here.
    NotInstalled,
    /// It can't do without this element, which is not here.
    Needs(&'static str),
    /// It decodes something else, or nothing.
    NoDecoder(Codec),
    /// `hardware = "off"`.
    SwitchedOff,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NotInstalled => f.write_str("is not installed"),
            Why::Needs(element) => write!(f, "needs `{element}`, which is not installed"),
            Why::NoDecoder(codec) => write!(f, "is no decoder for {}", codec.as_str()),
            Why::SwitchedOff => f.write_str("is hardware, which is switched off"),
        }
    }
}

/// What comes into question, best first, and what doesn't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// To be tried in this order.
    pub candidates: Vec<Candidate>,
    /// The others that we know.
    pub passed: Vec<Passed>,
}

/// A kind of decoder that we know.
struct Known {
    element: &'static str,
    codec: Codec,
    hardware: bool,
    settings: &'static [(&'static str, &'static str)],
    low_delay: &'static [(&'static str, &'static str)],
    after: &'static str,
    needs: Option<&'static str>,
}

/// Caps without a memory feature: the decoder itself brings its pictures into plain memory.
const PLAIN: &str = "video/x-raw";

/// Of every decoder that has them. A broken picture is no broken decoder; nobody waits for a late one.
const ALWAYS: [(&str, &str); 2] = [("max-errors", "-1"), ("qos", "false")];

/// `std-compliance=normal`: otherwise streams without reordering information wait for a whole picture buffer.
/// `output-corrupt=false`: half-built pictures never reach a model. One thread: cameras are many, cores are few.
const LIBAV: &[(&str, &str)] = &[("max-threads", "1"), ("output-corrupt", "false"), ("std-compliance", "normal")];

const JETSON: &[(&str, &str)] = &[("enable-max-performance", "true")];
const JETSON_LOW_DELAY: &[(&str, &str)] = &[("low-latency-mode", "true"), ("disable-dpb", "true")];
const JETSON_JPEG: &[(&str, &str)] = &[("enable-max-performance", "true"), ("mjpeg", "true")];
const NVDEC: &[(&str, &str)] = &[("max-display-delay", "0")];
const VAAPI_LOW_DELAY: &[(&str, &str)] = &[("low-latency", "true")];

/// Best first, of each codec. Ranks aren't asked: the same element has another one in every version of GStreamer, and
/// `va` had none at all in 1.20.
const KNOWN: [Known; 24] = [
    // Jetson (JetPack 5 to 7). Its pictures lie in NVIDIA's own memory, from which only `nvvidconv` gets them.
    jetson(Codec::H264, JETSON),
    jetson(Codec::H265, JETSON),
    jetson(Codec::Mjpeg, JETSON_JPEG),
    // NVIDIA elsewhere. `…sl…` is the newer decoder of GStreamer 1.18 to 1.22, which is called `nvh264dec` from 1.24 on.
    hardware("nvh264dec", Codec::H264, NVDEC, &[]),
    hardware("nvh264sldec", Codec::H264, NVDEC, &[]),
    hardware("nvh265dec", Codec::H265, NVDEC, &[]),
    hardware("nvh265sldec", Codec::H265, NVDEC, &[]),
    hardware("nvjpegdec", Codec::Mjpeg, &[], &[]),
    // Intel and AMD: `va` since 1.20, `vaapi` before.
    hardware("vah264dec", Codec::H264, &[], &[]),
    hardware("vah265dec", Codec::H265, &[], &[]),
    hardware("vajpegdec", Codec::Mjpeg, &[], &[]),
    hardware("vaapih264dec", Codec::H264, &[], VAAPI_LOW_DELAY),
    hardware("vaapih265dec", Codec::H265, &[], VAAPI_LOW_DELAY),
    hardware("vaapijpegdec", Codec::Mjpeg, &[], &[]),
    // Small boards: drivers with a state of their own (Raspberry Pi 4, Qualcomm), and such without (Raspberry Pi 5, Rockchip).
    hardware("v4l2h264dec", Codec::H264, &[], &[]),
    hardware("v4l2slh264dec", Codec::H264, &[], &[]),
    hardware("v4l2h265dec", Codec::H265, &[], &[]),
    hardware("v4l2slh265dec", Codec::H265, &[], &[]),
    hardware("v4l2jpegdec", Codec::Mjpeg, &[], &[]),
    hardware("v4l2mjpegdec", Codec::Mjpeg, &[], &[]),
    // The processor.
    software("avdec_h264", Codec::H264, LIBAV),
    software("avdec_h265", Codec::H265, LIBAV),
    software("jpegdec", Codec::Mjpeg, &[]),
    software("avdec_mjpeg", Codec::Mjpeg, LIBAV),
];

const fn jetson(codec: Codec, settings: &'static [(&'static str, &'static str)]) -> Known {
    let (element, after) = ("nvv4l2decoder", "nvvidconv ! video/x-raw,format=NV12");
    Known { element, codec, hardware: true, settings, low_delay: JETSON_LOW_DELAY, after, needs: Some("nvvidconv") }
}

const fn hardware(
    element: &'static str,
    codec: Codec,
    settings: &'static [(&'static str, &'static str)],
    low_delay: &'static [(&'static str, &'static str)],
) -> Known {
    Known { element, codec, hardware: true, settings, low_delay, after: PLAIN, needs: None }
}

const fn software(element: &'static str, codec: Codec, settings: &'static [(&'static str, &'static str)]) -> Known {
    Known { element, codec, hardware: false, settings, low_delay: &[], after: "", needs: None }
}

/// Which decoders of `installed` may decode `codec`, best first.
///
/// A named element is the only one, known to us or not.
pub fn choose(codec: Codec, wanted: &Hardware, installed: &Inventory) -> Choice {
    let mut choice = Choice::default();
    let mut judged = |element: &str, judged: Result<Candidate, Why>| match judged {
        Ok(candidate) => choice.candidates.push(candidate),
        Err(why) => choice.passed.push(Passed { element: element.to_owned(), why }),
    };
    if let Hardware::Element(name) = wanted {
        judged(name, candidate(name, codec, installed));
        return choice;
    }
    for known in KNOWN.iter().filter(|known| known.codec == codec) {
        let off = known.hardware && *wanted == Hardware::Off;
        judged(known.element, if off { Err(Why::SwitchedOff) } else { candidate(known.element, codec, installed) });
    }
    choice
}

fn candidate(name: &str, codec: Codec, installed: &Inventory) -> Result<Candidate, Why> {
    let element = installed.0.get(name).ok_or(Why::NotInstalled)?;
    if !element.decodes.contains(&codec) {
        return Err(Why::NoDecoder(codec));
    }
    let known = KNOWN.iter().find(|known| known.element == name && known.codec == codec);
    if let Some(needed) = known.and_then(|known| known.needs).filter(|needed| !installed.0.contains_key(*needed)) {
        return Err(Why::Needs(needed));
    }
    // Packets are what a parser gave, and libav reads the rest by itself: a second one would cost and bring nothing.
    let is_ours = known.is_some_and(|known| !known.hardware);
    let has = |(name, _): &(&'static str, &'static str)| element.properties.contains(*name);
    let (own, low_delay) = known.map_or((&[][..], &[][..]), |known| (known.settings, known.low_delay));
    Ok(Candidate {
        element: name.to_owned(),
        hardware: element.hardware || known.is_some_and(|known| known.hardware),
        settings: ALWAYS.iter().chain(own).copied().filter(has).collect(),
        low_delay: low_delay.iter().copied().filter(has).collect(),
        before: if is_ours { "" } else { codec.parser() },
        after: known.map_or(PLAIN, |known| known.after),
    })
}

#[cfg(test)]
mod tests {
    use super::super::inventory::Element;
    use super::*;

    /// A platform of `tests/data/elements`.
    fn platform(text: &str) -> Inventory {
        let mut inventory = Inventory::default();
        let mut latest = Element::default();
        for line in text.lines().rev() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["decodes", media @ ..] => {
                    let fits = |codec: &Codec| media.contains(&codec.media_type());
                    latest.decodes = Codec::ALL.into_iter().filter(fits).collect();
                }
                ["has", properties @ ..] => latest.properties = properties.iter().map(ToString::to_string).collect(),
                ["hardware"] => latest.hardware = true,
                ["#", ..] | [] => {}
                [_, element, ..] => {
                    let name = element.trim_end_matches(':').to_owned();
                    inventory.0.insert(name, std::mem::take(&mut latest));
                }
                [_] => panic!("{line}"),
            }
        }
        inventory
    }

    macro_rules! platforms {
        ($($name:literal),*) => {
            [$(($name, platform(include_str!(concat!("../../../tests/data/elements/", $name, ".txt"))))),*]
        };
    }

    fn of(name: &str) -> Inventory {
        let all = platforms![
            "jetpack-5",
            "jetpack-6",
            "jetpack-7",
            "x86-nvidia",
            "intel-va",
            "raspberry-pi-4",
            "raspberry-pi-5",
            "plain"
        ];
        all.into_iter().find(|(known, _)| *known == name).unwrap().1
    }

    fn elements(name: &str, codec: Codec, wanted: &Hardware) -> Vec<String> {
        choose(codec, wanted, &of(name)).candidates.into_iter().map(|candidate| candidate.element).collect()
    }

    #[test]
    fn every_platform_has_its_order() {
        use Codec::{H264, H265, Mjpeg};
        let auto = |name, codec| elements(name, codec, &Hardware::Auto);
        for jetson in ["jetpack-5", "jetpack-6", "jetpack-7"] {
            assert_eq!(auto(jetson, H264), ["nvv4l2decoder", "avdec_h264"], "{jetson}");
            assert_eq!(auto(jetson, H265), ["nvv4l2decoder", "avdec_h265"], "{jetson}");
        }
        assert_eq!(auto("jetpack-6", Mjpeg), ["nvv4l2decoder", "nvjpegdec", "jpegdec", "avdec_mjpeg"]);
        assert_eq!(auto("x86-nvidia", H264), ["nvh264dec", "nvh264sldec", "avdec_h264"]);
        assert_eq!(auto("x86-nvidia", H265), ["nvh265dec", "nvh265sldec", "avdec_h265"]);
        assert_eq!(auto("intel-va", H264), ["vah264dec", "vaapih264dec", "avdec_h264"]);
        assert_eq!(auto("intel-va", Mjpeg), ["vajpegdec", "jpegdec", "avdec_mjpeg"]);
        assert_eq!(auto("raspberry-pi-4", H264), ["v4l2h264dec", "avdec_h264"]);
        assert_eq!(auto("raspberry-pi-4", H265), ["avdec_h265"]);
        assert_eq!(auto("raspberry-pi-5", H264), ["avdec_h264"]);
        assert_eq!(auto("raspberry-pi-5", H265), ["v4l2slh265dec", "avdec_h265"]);
        assert_eq!(auto("plain", H264), ["avdec_h264"]);
        assert_eq!(auto("plain", Mjpeg), ["jpegdec", "avdec_mjpeg"]);
    }

    #[test]
    fn off_is_software_everywhere_and_says_what_it_leaves_out() {
        for name in ["jetpack-5", "x86-nvidia", "intel-va", "raspberry-pi-4", "plain"] {
            let choice = choose(Codec::H264, &Hardware::Off, &of(name));
            assert_eq!(choice.candidates.len(), 1, "{name}");
            assert_eq!(choice.candidates[0].element, "avdec_h264", "{name}");
            assert!(choice.passed.iter().all(|passed| passed.why == Why::SwitchedOff), "{name}");
        }
    }

    #[test]
    fn only_what_an_element_has_is_set() {
        let text = |name, codec, low_delay| {
            let choice = choose(codec, &Hardware::Auto, &of(name));
            choice.candidates.iter().map(|candidate| candidate.description(low_delay)).collect::<Vec<_>>()
        };
        assert_eq!(
            text("jetpack-5", Codec::H264, true),
            [
                "h264parse ! nvv4l2decoder name=decoder enable-max-performance=true disable-dpb=true ! nvvidconv ! \
                 video/x-raw,format=NV12",
                "avdec_h264 name=decoder max-threads=1 output-corrupt=false",
            ]
        );
        assert_eq!(
            text("jetpack-6", Codec::H264, false)[0],
            "h264parse ! nvv4l2decoder name=decoder max-errors=-1 qos=false enable-max-performance=true ! nvvidconv ! \
             video/x-raw,format=NV12"
        );
        assert_eq!(
            text("x86-nvidia", Codec::H264, true)[..2],
            [
                "h264parse ! nvh264dec name=decoder max-errors=-1 qos=false max-display-delay=0 ! video/x-raw",
                "h264parse ! nvh264sldec name=decoder max-errors=-1 qos=false ! video/x-raw",
            ]
        );
        assert_eq!(
            text("plain", Codec::H265, true),
            [
                "avdec_h265 name=decoder max-errors=-1 qos=false max-threads=1 output-corrupt=false std-compliance=normal"
            ]
        );
    }

    #[test]
    fn a_decoder_without_its_companion_is_passed_over() {
        let mut inventory = of("jetpack-6");
        inventory.0.remove("nvvidconv");
        let choice = choose(Codec::H264, &Hardware::Auto, &inventory);
        assert_eq!(choice.candidates[0].element, "avdec_h264");
        let passed = choice.passed.iter().find(|passed| passed.element == "nvv4l2decoder").unwrap();
        assert_eq!(passed.why.to_string(), "needs `nvvidconv`, which is not installed");
    }

    #[test]
    fn a_named_element_is_the_only_one() {
        let named = |name: &str, codec| choose(codec, &Hardware::Element(name.to_owned()), &of("plain"));
        let unknown_to_us = named("openh264dec", Codec::H264);
        assert_eq!(
            unknown_to_us.candidates[0].description(true),
            "h264parse ! openh264dec name=decoder max-errors=-1 qos=false ! video/x-raw"
        );
        assert_eq!(unknown_to_us.candidates.len(), 1);
        for (name, codec, why) in
            [("nvh264dec", Codec::H264, "is not installed"), ("openh264dec", Codec::H265, "is no decoder for H.265")]
        {
            let choice = named(name, codec);
            assert!(choice.candidates.is_empty());
            assert_eq!(choice.passed, [Passed { element: name.to_owned(), why: choice.passed[0].why }]);
            assert_eq!(choice.passed[0].why.to_string(), why);
        }
    }
}
