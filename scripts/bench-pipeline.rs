//! What a checked frame costs, for `scripts/bench pipeline`: scaled, made a tensor, run on the model's thread, decoded and
//! judged, as the watch loop does it.
//!
//! `pipeline_cost LIBRARY MODEL_FOLDER PICTURE` reads one count a line from stdin, checks the picture (as an I420 frame)
//! so many times, and answers with one line of JSON: the milliseconds of each check, in total and inside the engine.

#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::io::BufRead;
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use stakeout::frame::{Color, Frame, Matrix, PixelFormat, Plane};
use stakeout::judge::{Labelled, Question};
use stakeout::model::{Caller, Findings, Folder, Handle, Limits, Request, Runtime, Tensor, Work, load, start};
use stakeout::name::Name;
use stakeout::picture::{Scaler, still};

#[expect(clippy::print_stdout, reason = "its answers")]
fn main() -> Result<(), Box<dyn Error>> {
    let [library, folder, picture] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("LIBRARY MODEL_FOLDER PICTURE".into());
    };
    let runtime = Runtime::load(Some(Path::new(library)))?;
    let folder = Folder::open(&Name::new("bench")?, Some(Path::new(folder)), Path::new("."))?;
    let model = start(load(runtime, &folder, 1)?, Limits::default())?;
    let frame = planar(&still(&std::fs::read(picture)?)?)?;
    let mut check = Check::new(model)?;
    for line in std::io::stdin().lock().lines() {
        let count: usize = line?.trim().parse()?;
        let mut costs = Vec::new();
        for _ in 0..count {
            costs.push(check.once(&frame)?);
        }
        println!("{}", serde_json::to_string(&costs)?);
    }
    Ok(())
}

/// One caller of the model, with everything it keeps from frame to frame.
struct Check {
    model: Handle,
    caller: Caller,
    scaler: Scaler,
    buffer: Tensor,
    question: Question,
}

impl Check {
    fn new(model: Handle) -> Result<Check, Box<dyn Error>> {
        let person = model.model().label_index("person")?;
        let question = Question::Labels(Labelled {
            labels: vec![(person, "person".to_owned())],
            zone: vec![[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]],
            min_count: 1,
            calibration: model.model().calibration(),
            threshold: 0.4,
        });
        Ok(Check { caller: model.caller(), model, scaler: Scaler::default(), buffer: Tensor::default(), question })
    }

    /// Milliseconds: the whole check, and the engine's part of it.
    fn once(&mut self, frame: &Frame) -> Result<[f64; 2], Box<dyn Error>> {
        let began = Instant::now();
        let buffer = std::mem::take(&mut self.buffer);
        let (input, placement) = self.model.model().prepare(&mut self.scaler, frame, buffer)?;
        let (reply, replies) = bounded(1);
        let work = Work { pictures: vec![input], asked: Vec::new() };
        let patience = Duration::from_secs(60);
        let request = Request { caller: self.caller, work, patience, tag: 0, reply };
        self.model.ask(request).map_err(|_| "the model's thread refused")?;
        let mut answer = replies.recv()?;
        let Findings::Numbers(outputs) = answer.findings? else { return Err("the model reads".into()) };
        let seen = self.model.model().interpret(&outputs, &placement)?;
        self.model.model().take_back(outputs);
        let verdict = self.question.judge(&seen);
        let took = began.elapsed().as_secs_f64() * 1e3;
        self.buffer = answer.work.pictures.pop().unwrap_or_default();
        std::hint::black_box(verdict);
        Ok([took, answer.took.as_secs_f64() * 1e3])
    }
}

/// An RGB still as a decoder would have delivered it.
fn planar(still: &Frame) -> Result<Frame, Box<dyn Error>> {
    let (width, height) = (still.width, still.height);
    let mut image = yuv::YuvPlanarImageMut::<u8>::alloc(width, height, yuv::YuvChromaSubsampling::Yuv420);
    yuv::rgb_to_yuv420(
        &mut image,
        &still.planes[0].data,
        width * 3,
        yuv::YuvRange::Limited,
        yuv::YuvStandardMatrix::Bt709,
        yuv::YuvConversionMode::Balanced,
    )?;
    let plane = |data: &[u8], stride: u32| Plane { data: data.to_vec(), stride: stride as usize };
    let planes = vec![
        plane(image.y_plane.borrow(), image.y_stride),
        plane(image.u_plane.borrow(), image.u_stride),
        plane(image.v_plane.borrow(), image.v_stride),
    ];
    let color = Color { matrix: Matrix::Bt709, full_range: false };
    Ok(Frame { format: PixelFormat::I420, color, planes, ..still.clone() })
}
