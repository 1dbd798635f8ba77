//! Every codec and every shape of picture, from an encoder to frames.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::codec::Codec;
use super::decoder::Decoder;
use super::glance::Glance;
use super::ingest::{Ingest, Stop};
use super::nal::Front;
use super::packet::{Class, Packet};
use super::planes::Picture;
use super::problem::Problem;
use super::turn::Turn;
use crate::config::Hardware;
use crate::frame::{Frame, PixelFormat};
use crate::time::Now;

const SMALL: &str = "format=I420,width=160,height=120";
/// Keyframes are 10 pictures apart.
const H264: (Codec, &str) = (Codec::H264, "x264enc speed-preset=ultrafast bframes=0 key-int-max=10");
const H265: (Codec, &str) =
    (Codec::H265, "x265enc log-level=none speed-preset=ultrafast key-int-max=10 option-string=bframes=0:open-gop=0");
const MJPEG: (Codec, &str) = (Codec::Mjpeg, "jpegenc");
const H264_REORDERED: (Codec, &str) =
    (Codec::H264, "x264enc speed-preset=ultrafast bframes=3 b-adapt=false key-int-max=10");
/// Its keyframes are CRA pictures, which have leading pictures that refer to what was before.
const H265_OPEN: (Codec, &str) = (
    Codec::H265,
    "x265enc log-level=none speed-preset=ultrafast key-int-max=10 option-string=bframes=3:b-adapt=0:open-gop=1",
);

/// What comes out of `text`, which ends in a tail.
fn run(text: &str) -> Vec<Packet> {
    gst::init().unwrap();
    let mut ingest = Ingest::start(text, |_| (), 1).unwrap();
    let mut packets = Vec::new();
    loop {
        match ingest.next(Duration::from_secs(30)) {
            Ok(packet) => packets.extend(packet),
            Err(Stop::End) => return packets,
            Err(Stop::Error { error, .. }) => panic!("{text}: {error}"),
            Err(Stop::NoVideo { instead }) => panic!("{text}: {instead:?}"),
        }
    }
}

fn source(frames: u32, raw: &str) -> String {
    format!("videotestsrc pattern=ball num-buffers={frames} ! video/x-raw,framerate=15/1,{raw}")
}

/// A moving ball; `raw` are caps.
fn packets(frames: u32, raw: &str, (codec, encoder): (Codec, &str)) -> Vec<Packet> {
    let packets = run(&format!("{} ! {encoder} ! {}", source(frames, raw), codec.tail()));
    assert_eq!(packets.len(), frames as usize, "{encoder}");
    assert!(packets.iter().all(|packet| packet.codec == codec));
    packets
}

/// The same ball without an encoder; `more` elements come behind.
fn originals(frames: u32, raw: &str, more: &str) -> Vec<Frame> {
    gst::init().unwrap();
    let text = format!("{} ! {more} appsink name=out sync=false async=false", source(frames, raw));
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink: gst_app::AppSink = pipeline.by_name("out").unwrap().downcast().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let pull = || sink.try_pull_sample(gst::ClockTime::from_seconds(30));
    let pictures = std::iter::from_fn(pull)
        .map(|sample| Picture::of(&sample).unwrap().copy(Now::in_clip(Duration::ZERO), Duration::ZERO, 1).unwrap())
        .collect();
    pipeline.set_state(gst::State::Null).unwrap();
    pictures
}

fn decoder(codec: Codec) -> Decoder {
    gst::init().unwrap();
    Decoder::new(codec, &Hardware::Off).unwrap()
}

fn all(decoder: &mut Decoder, packets: &[Packet]) -> Vec<Frame> {
    let mut frames: Vec<Frame> =
        packets.iter().flat_map(|packet| decoder.decode(packet, |_| true).unwrap().frames).collect();
    frames.extend(decoder.drain(|_| true).unwrap().frames);
    frames
}

fn keyframes(packets: &[Packet]) -> Vec<usize> {
    (0..packets.len()).filter(|at| packets[*at].class == Class::Idr).collect()
}

/// The mean difference between the samples of two pictures, of the plane where it is largest.
fn difference(one: &Frame, other: &Frame) -> f64 {
    assert_eq!((one.width, one.height, one.format), (other.width, other.height, other.format));
    let mean = |(one, other): (&crate::frame::Plane, &crate::frame::Plane)| {
        assert_eq!((one.stride, one.data.len()), (other.stride, other.data.len()));
        let sum: u64 = one.data.iter().zip(&other.data).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
        sum as f64 / one.data.len() as f64
    };
    one.planes.iter().zip(&other.planes).map(mean).fold(0.0, f64::max)
}

/// Encoders lose something, but a picture of a moment before or after, turned or sheared, differs by more.
fn assert_shown(what: &str, frames: &[Frame], originals: &[Frame]) {
    assert_eq!(frames.len(), originals.len(), "{what}");
    for (at, (frame, original)) in frames.iter().zip(originals).enumerate() {
        let difference = difference(frame, original);
        assert!(difference < 2.0, "{what}: picture {at} differs by {difference}");
    }
}

#[test]
fn every_codec_comes_out_before_the_next_packet() {
    let originals = originals(30, SMALL, "");
    assert!(difference(&originals[3], &originals[4]) > 2.0, "one picture is told from the next");
    for (codec, encoder) in [H264, H265, MJPEG] {
        let packets = packets(30, SMALL, (codec, encoder));
        let mut decoder = decoder(codec);
        let mut frames = VecDeque::new();
        for packet in &packets {
            frames.extend(decoder.decode(packet, |_| true).unwrap().frames);
            assert_eq!(frames.back().map(|frame| frame.arrived), Some(packet.arrived), "{encoder}");
        }
        assert_shown(encoder, frames.make_contiguous(), &originals);
    }
}

#[test]
fn a_lone_keyframe_of_every_codec_comes_out_with_a_drain() {
    for (codec, encoder) in [H265, H265_OPEN, MJPEG] {
        let packets = packets(40, SMALL, (codec, encoder));
        let mut decoder = decoder(codec);
        let keyframes = keyframes(&packets);
        assert!(keyframes.len() >= 4, "{encoder}: {keyframes:?}");
        for at in keyframes {
            let frames = all(&mut decoder, &packets[at..=at]);
            assert_eq!(frames.len(), 1, "{encoder}");
            assert_eq!(frames[0].pts, packets[at].pts - packets[0].pts);
        }
    }
}

#[test]
fn going_back_in_h265_and_mjpeg_gives_the_same_pictures_again() {
    for (codec, encoder) in [H265, H265_OPEN, MJPEG] {
        let packets = packets(40, SMALL, (codec, encoder));
        let straight = all(&mut decoder(codec), &packets);
        assert_eq!(straight.len(), 40);
        let mut decoder = decoder(codec);
        for at in keyframes(&packets) {
            all(&mut decoder, &packets[at..=at]);
        }
        for start in keyframes(&packets).into_iter().filter(|start| start % 5 == 0 || codec != Codec::Mjpeg) {
            let again = all(&mut decoder, &packets[start..]);
            // Leading pictures are shown before the keyframe that they come after.
            let begins = packets[start].pts - packets[0].pts;
            let expected: Vec<&Frame> = straight.iter().filter(|frame| frame.pts >= begins).collect();
            assert_eq!(again.len(), expected.len(), "{encoder} from {start}");
            for (is, should) in again.iter().zip(expected) {
                assert_eq!(is.pts, should.pts);
                assert!(is.planes == should.planes, "{encoder} from {start}: another picture at {:?}", is.pts);
            }
        }
    }
}

#[test]
fn an_open_gop_has_leading_pictures() {
    let packets = packets(40, SMALL, H265_OPEN);
    let leading = |at: &usize| packets[at + 1..].iter().any(|packet| packet.pts < packets[*at].pts);
    assert!(keyframes(&packets).iter().any(leading), "otherwise the tests with open GOPs show nothing");
}

/// libav itself hands out whatever it makes of what is left, and does not tell.
#[test]
fn after_a_loss_only_whole_pictures_come_out() {
    for (codec, encoder) in [H264, H265, H264_REORDERED] {
        let mut packets = packets(40, SMALL, (codec, encoder));
        let straight = all(&mut decoder(codec), &packets);
        let starts = keyframes(&packets);
        let (lost, next) = (starts[1] + 1, starts[2]);
        packets.remove(lost);
        let smeared = all(&mut decoder(codec), &packets);
        packets[lost].after_loss = true;
        let whole = all(&mut decoder(codec), &packets);

        let same = |frame: &&Frame| straight.iter().any(|it| it.arrived == frame.arrived && it.planes == frame.planes);
        assert_eq!(whole.iter().filter(same).count(), whole.len(), "{encoder}");
        assert_eq!(whole.len(), lost + (40 - next), "{encoder}: it goes on at the next keyframe");
        assert!(smeared.iter().filter(same).count() < smeared.len(), "{encoder}: the loss is seen without the mark");
    }
}

/// One packet in twenty of RTP is lost.
#[test]
fn a_loss_on_the_network_is_noticed() {
    for ((codec, encoder), pay, depay) in [
        (H264, "rtph264pay mtu=300", "rtph264depay"),
        (H265, "rtph265pay mtu=300", "rtph265depay"),
        (
            (Codec::H264, "x264enc speed-preset=ultrafast bframes=0 key-int-max=10 option-string=slices=4"),
            "rtph264pay mtu=300",
            "rtph264depay",
        ),
        (MJPEG, "rtpjpegpay mtu=300", "rtpjpegdepay"),
    ] {
        let raw = source(80, "format=I420,width=320,height=240");
        let lossy = |share| {
            let lossy = format!("{pay} ! identity drop-probability={share} ! {depay}");
            run(&format!("{raw} ! {encoder} ! {lossy} ! {}", codec.tail()))
        };
        let straight = all(&mut decoder(codec), &lossy("0"));
        assert_eq!(straight.len(), 80, "{encoder}");
        let left = lossy("0.02");
        let frames = all(&mut decoder(codec), &left);
        let broken = frames.iter().filter(|frame| straight.iter().all(|it| it.planes != frame.planes)).count();
        assert_eq!(broken, 0, "{encoder}: of {} packets came {} pictures", left.len(), frames.len());
        assert!(frames.len() < 80, "{encoder}: nothing was lost");
    }
}

#[test]
fn parameter_sets_that_are_only_in_the_session_description_are_put_in_front() {
    for ((codec, encoder), parser, format, sets) in [
        (H264, "h264parse", "video/x-h264,stream-format=avc,alignment=au", 2),
        (H265, "h265parse", "video/x-h265,stream-format=hvc1,alignment=au", 3),
    ] {
        let (pay, depay) = (codec.depayloader().replace("depay", "pay"), codec.depayloader());
        let raw = source(30, SMALL);
        let outside = format!("{parser} ! {format} ! {pay} config-interval=0 ! {depay}");
        let packets = run(&format!("{raw} ! {encoder} ! {outside} ! {}", codec.tail()));
        for at in keyframes(&packets) {
            let front = Front::of(codec, &packets[at].data);
            assert_eq!(front.sets.iter().filter(|set| !set.is_empty()).count(), sets, "{encoder} at {at}");
            assert_eq!(all(&mut decoder(codec), &packets[at..]).len(), 30 - at, "{encoder} from {at}");
        }
    }
}

#[test]
fn sizes_that_no_codec_likes_are_shown_as_they_are() {
    // 4:2:0 of H.264 and H.265 has no odd sizes.
    let even = ["width=854,height=480", "width=1366,height=768", "width=322,height=242"];
    let codecs = [(H264, &even[..]), (H265, &even[..]), (MJPEG, &["width=854,height=480", "width=321,height=241"])];
    for ((codec, encoder), sizes) in codecs {
        for size in sizes {
            let raw = format!("format=I420,{size}");
            let frames = all(&mut decoder(codec), &packets(2, &raw, (codec, encoder)));
            assert_shown(&format!("{encoder} {size}"), &frames, &originals(2, &raw, ""));
        }
    }
}

#[test]
fn a_camera_may_change_its_size_while_it_runs() {
    let large = "format=I420,width=854,height=480";
    for (codec, encoder) in [H264, H264_REORDERED, H265, H265_OPEN, MJPEG] {
        let mut stream = packets(12, SMALL, (codec, encoder));
        let last = stream.iter().map(|packet| packet.pts).max().unwrap() + Duration::from_millis(66);
        for (raw, round) in [(large, 0), (SMALL, 1)] {
            let first = last + Duration::from_secs(1) * round;
            let more = packets(12, raw, (codec, encoder));
            let start = more.iter().map(|packet| packet.pts).min().unwrap();
            stream.extend(more.into_iter().map(|packet| Packet {
                after_loss: false,
                pts: packet.pts - start + first,
                ..packet
            }));
        }
        let frames = all(&mut decoder(codec), &stream);
        let widths: Vec<u32> = frames.iter().map(|frame| frame.width).collect();
        let expected: Vec<u32> = [[160; 12], [854; 12], [160; 12]].concat();
        assert_eq!(widths, expected, "{encoder}");
        assert_shown(encoder, &frames[12..24], &originals(12, large, ""));
    }
}

#[test]
fn other_samples_become_eight_bits_and_a_quarter_of_the_colour() {
    let lossless = "x264enc speed-preset=ultrafast bframes=0 quantizer=4 pass=quant";
    let h265 = H265.1;
    for (codec, encoder, format) in [
        (Codec::H265, h265, "I420_10LE"),
        (Codec::H265, h265, "I422_10LE"),
        (Codec::H265, h265, "Y444"),
        (Codec::H264, lossless, "I420_10LE"),
        (Codec::H264, lossless, "Y42B"),
        (Codec::H264, lossless, "Y444"),
        (Codec::Mjpeg, "jpegenc", "Y42B"),
        (Codec::Mjpeg, "jpegenc", "Y444"),
        (Codec::Mjpeg, "jpegenc", "GRAY8"),
    ] {
        for size in ["width=160,height=120", "width=322,height=242"] {
            let frames = all(&mut decoder(codec), &packets(4, &format!("format={format},{size}"), (codec, encoder)));
            let originals = originals(4, &format!("format={format},{size}"), "");
            assert!(originals.iter().all(|frame| frame.format == PixelFormat::I420));
            assert_shown(&format!("{encoder} {format} {size}"), &frames, &originals);
            assert_shown("GStreamer converts", &frames, &converted(format, size));
        }
    }
}

/// The same by GStreamer's own converter.
fn converted(format: &str, size: &str) -> Vec<Frame> {
    originals(4, &format!("format={format},{size}"), "videoconvert ! video/x-raw,format=I420 ! ")
}

#[test]
fn samples_that_are_no_yuv_are_named() {
    gst::init().unwrap();
    for format in ["RGB", "GBR_10LE", "I420_10BE", "NV12_4L4"] {
        let caps: gst::Caps = format!("video/x-raw,format={format},width=16,height=16,framerate=1/1").parse().unwrap();
        let sample = gst::Sample::builder().caps(&caps).buffer(&gst::Buffer::new()).build();
        let problem = Picture::of(&sample).err();
        assert_eq!(problem, Some(Problem::FormatUnsupported(format.to_owned())));
    }
}

/// Of each picture that went in one comes out: with H.264 it holds both fields, with H.265 one.
#[test]
fn interlaced_pictures_are_shown_as_they_are() {
    for (codec, encoder) in [
        (Codec::H264, "x264enc speed-preset=ultrafast bframes=0 interlaced=true"),
        (Codec::H265, "x265enc log-level=none speed-preset=ultrafast option-string=bframes=0:interlace=tff"),
    ] {
        let frames = all(&mut decoder(codec), &packets(12, SMALL, (codec, encoder)));
        assert_shown(encoder, &frames, &originals(12, SMALL, ""));
    }
}

#[test]
fn a_picture_that_lies_is_turned_upright() {
    let raw = "format=I420,width=160,height=90";
    for (tag, method, turn) in
        [("rotate-90", "90r", Turn::Right), ("rotate-180", "180", Turn::Half), ("rotate-270", "90l", Turn::Left)]
    {
        let tag = format!("taginject tags=\"image-orientation=(string){tag}\"");
        let packets = packets(4, raw, (Codec::H264, &format!("{tag} ! {}", H264.1)));
        assert!(packets.iter().all(|packet| packet.turn == turn), "{tag}");
        let upright = originals(4, raw, &format!("videoflip video-direction={method} ! "));
        assert_shown(method, &all(&mut decoder(Codec::H264), &packets), &upright);
        let glance = decoder(Codec::H264).lone(&packets[0], |_| false).unwrap().glances.remove(0).1;
        let frame = decoder(Codec::H264).lone(&packets[0], |_| true).unwrap().frames.remove(0);
        assert_eq!(glance.fingerprint, Glance::at(&frame).fingerprint, "{method}: a glance is turned, too");
    }
}

#[test]
fn rubbish_of_every_codec_is_no_end() {
    for (codec, encoder) in [H264, H264_REORDERED, H265, H265_OPEN, MJPEG] {
        let mut packets = packets(40, SMALL, (codec, encoder));
        let straight = all(&mut decoder(codec), &packets);
        packets[3].data = vec![0xa5; 300].into();
        packets[5].data = Arc::from([]);
        packets[6].data = Arc::from([0, 0, 1]);
        packets[7].data = packets[7].data[..packets[7].data.len() / 2].into();
        for packet in &mut packets[11..20] {
            let mut data = packet.data.to_vec();
            data.iter_mut().skip(8).step_by(7).for_each(|byte| *byte = byte.wrapping_mul(3) ^ 0x5a);
            packet.data = data.into();
        }
        let frames = all(&mut decoder(codec), &packets);
        let last = keyframes(&packets).into_iter().rfind(|at| *at <= 30).unwrap();
        let begins = packets[last].pts - packets[0].pts;
        let whole = straight.iter().filter(|frame| frame.pts >= begins);
        for should in whole {
            let is = frames.iter().find(|frame| frame.arrived == should.arrived);
            assert!(is.is_some_and(|is| is.planes == should.planes), "{encoder}: it is well again at {:?}", should.pts);
        }
    }
}

/// A recording may have been read to its end while its pipeline is still on its way to playing. The change of state needs a
/// lock that a sink holds which waits until all is pulled, and nobody pulls yet: so no sink waits for that.
#[test]
fn a_sink_that_was_fed_to_the_end_waits_for_nobody() {
    gst::init().unwrap();
    for (waits, patience) in [(false, 30), (true, 1)] {
        let text = format!("{} ! {} ! {}", source(3, SMALL), H264.1, Codec::H264.tail());
        let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let sink: gst_app::AppSink = pipeline.by_name(Codec::H264.sink()).unwrap().downcast().unwrap();
        if waits {
            sink.set_property("wait-on-eos", true);
        }
        pipeline.set_state(gst::State::Playing).unwrap();
        let patience = gst::ClockTime::from_seconds(patience);
        let ended = pipeline.bus().unwrap().timed_pop_filtered(patience, &[gst::MessageType::Eos]);
        assert_eq!(ended.is_none(), waits, "the control waits");
        let pull = || sink.try_pull_sample(gst::ClockTime::from_seconds(30));
        assert_eq!((std::iter::from_fn(pull).count(), sink.is_eos()), (3, true), "nothing is missing");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
