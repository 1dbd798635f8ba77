//! What a camera sends besides the video we want: sound, metadata, other video. None of it is asked for.

use stakeout::camera::{Problem, Settings};
use stakeout::config::Transport;

use super::wire::{Udp, Wire, description, talker};
use super::{at, frame, loss};
use crate::camera::small_clip;
use crate::rtsp::Server;

fn tcp(url: &url::Url) -> Settings {
    at(url, Transport::Tcp)
}

#[test]
fn sound_is_never_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    for sound in ["pcmu", "pcma", "aac"] {
        let server = Server::start(&clip, 0, &["--audio", sound]);
        let wire = Wire::to(&server.url, Udp::Whole);
        frame(tcp(&wire.url));
        assert_eq!(wire.count("SETUP"), 1, "{sound}");
    }
}

#[test]
fn all_three_codecs_come_over_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    for codec in ["h264", "h265", "mjpeg"] {
        let server = Server::start(&clip, 0, &["--codec", codec, "--transcode", "--audio", "aac"]);
        for transport in [Transport::Tcp, Transport::Udp] {
            let frame = frame(at(&server.url, transport));
            assert_eq!((frame.width, frame.height), (320, 240), "{codec} {transport:?}");
        }
    }
}

#[test]
fn video_that_we_do_not_speak_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let vp8 = Server::start(&small_clip(&folder), 0, &["--codec", "vp8", "--transcode", "--audio", "pcmu"]);
    assert_eq!(loss(tcp(&vp8.url)), Problem::CodecOther("VP8".to_owned()));
    let mpeg4 =
        talker(|request| offer(request, "m=video 0 RTP/AVP 96\r\na=rtpmap:96 MP4V-ES/90000\r\na=control:v\r\n"));
    assert_eq!(loss(tcp(&mpeg4)), Problem::CodecOther("MPEG-4".to_owned()));
    let deaf = talker(|request| offer(request, "m=audio 0 RTP/AVP 0\r\na=control:a\r\n"));
    let problem = loss(tcp(&deaf));
    assert_eq!((problem.code(), problem), ("codec_unsupported", Problem::CodecUnsupported));
}

/// As cameras of two streams and ONVIF describe themselves.
#[test]
fn of_many_tracks_only_the_first_video_that_we_speak_is_set_up() {
    const TRACKS: &str = "m=audio 0 RTP/AVP 0\r\na=control:trackID=1\r\n\
        m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:trackID=2\r\n\
        m=video 0 RTP/AVP 96\r\na=rtpmap:96 MP4V-ES/90000\r\na=control:trackID=3\r\n\
        m=video 0 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 packetization-mode=1\r\na=control:trackID=4\r\n\
        m=video 0 RTP/AVP 26\r\na=control:trackID=5\r\n";
    let camera = talker(|request| offer(request, TRACKS));
    let wire = Wire::to(&camera, Udp::Whole);
    // It refuses to play, so that the attempt ends.
    assert_eq!(loss(tcp(&wire.url)), Problem::Disconnected);
    let setups: Vec<String> = wire.requests().into_iter().filter(|request| request.starts_with("SETUP")).collect();
    assert!(setups[0].starts_with("SETUP rtsp://") && setups[0].contains("/trackID=4 RTSP"), "{setups:?}");
    assert!(setups.iter().all(|setup| setup.contains("trackID=4")), "{setups:?}");
}

fn offer(request: &str, tracks: &str) -> String {
    match request.split(' ').next() {
        Some("DESCRIBE") => description(&format!("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{tracks}")),
        Some("SETUP") => {
            "RTSP/1.0 200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n".to_owned()
        }
        Some("PLAY") => "RTSP/1.0 500 No\r\n\r\n".to_owned(),
        _ => "RTSP/1.0 200 OK\r\nPublic: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n".to_owned(),
    }
}
