use stakeout::camera::*;
use stakeout::time::{Mono, now};
use std::time::{Duration, Instant};
fn main() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::stderr).init();
    init().unwrap();
    let a: Vec<String> = std::env::args().collect();
    let address = if a[1].starts_with("rtsp") {
        Address::Rtsp(a[1].parse().unwrap(), None)
    } else {
        Address::File { path: a[1].clone().into(), repeat: true }
    };
    let secs: u64 = a[2].parse().unwrap();
    let every: u64 = a.get(3).map_or(1000, |s| s.parse().unwrap());
    let cam = spawn(stakeout::name::Name::new("c").unwrap(), address).unwrap();
    let mb = cam.mailbox();
    mb.demand(Demand::newest_from(Mono(0)));
    let t = Instant::now();
    let mut last = 0;
    let mut gap = 0f64;
    let mut prev = Instant::now();
    let mut maxbeat = 0f64;
    while t.elapsed() < Duration::from_secs(secs) {
        let _ = mb.bell().recv_timeout(Duration::from_millis(100));
        let m = mb.take();
        let b = now().mono.since(cam.last_beat()).as_secs_f64();
        if b > maxbeat {
            maxbeat = b;
        }
        for n in m.notices {
            eprintln!("{:.3} NOTICE {n:?}", t.elapsed().as_secs_f64());
        }
        for f in &m.frames {
            let g = prev.elapsed().as_secs_f64();
            prev = Instant::now();
            if g > 2.0 {
                eprintln!("{:.3} FRAME after gap {g:.3}", t.elapsed().as_secs_f64());
            }
            if g > gap {
                gap = g
            }
            let _ = f;
            mb.demand(Demand::newest_from(now().mono.plus(Duration::from_millis(every))));
        }
        let s = t.elapsed().as_secs();
        if s / 10 != last {
            last = s / 10;
            eprintln!("{s} {:?} beat {maxbeat:.3}", cam.status());
        }
    }
    let s = cam.status();
    let t = Instant::now();
    drop(cam);
    eprintln!("stopped in {:?}; {s:?} max beat age {maxbeat:.3} overwritten {}", t.elapsed(), mb.overwritten());
}
