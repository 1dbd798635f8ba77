//! What a model costs, for `scripts/bench models`: a frame is scaled, made a tensor, examined by the model's engine on this
//! thread, and judged.
//!
//! `model_cost LIBRARY MODEL_FOLDER PICTURE` reads one request a line from stdin and answers each with one line of JSON:
//!
//! - `COUNT`: the milliseconds of so many checks, with one question (models that read) or label;
//! - `COUNT QUESTIONS`: the same with so many questions about each frame;
//! - `COUNT QUESTIONS explain`: with an explanation of the first, as `[ms, explanation]`;
//! - `heap COUNT`: the bytes that so many checks took from the allocator, per check, and the size of frame and tensor.

#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use stakeout::frame::{Color, Frame, Matrix, PixelFormat, Plane};
use stakeout::judge::{Labelled, Question, Seen, Worded};
use stakeout::model::{Asked, Explain, Findings, Folder, Loaded, Runtime, Wording, Work, load};
use stakeout::name::Name;
use stakeout::picture::{Scaler, still};

/// Counts what is asked of it; costs nanoseconds.
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Different questions, so that nothing can be answered twice.
const QUESTIONS: [&str; 8] = [
    "Is there a person inside the zone marked with yellow tape?",
    "Is there a person in the image?",
    "Is there a vehicle in the image?",
    "Is there a person inside the red zone?",
    "Is there a vehicle inside the yellow zone?",
    "Is the blue zone empty?",
    "Is there more than one person?",
    "Is there a zone marked with red tape?",
];

#[expect(clippy::print_stdout, reason = "its answers")]
fn main() -> Result<(), Box<dyn Error>> {
    let [library, folder, picture] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("LIBRARY MODEL_FOLDER PICTURE".into());
    };
    let runtime = Runtime::load(Some(Path::new(library)))?;
    let folder = Folder::open(&Name::new("bench")?, Some(Path::new(folder)), Path::new("."))?;
    let frame = planar(&still(&std::fs::read(picture)?)?)?;
    let mut check = Check::new(load(runtime, &folder, 1)?)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["heap", count] => check.heap(&frame, count.parse()?)?,
            [count] => check.several(&frame, count.parse()?, 1)?,
            [count, questions] => check.several(&frame, count.parse()?, questions.parse()?)?,
            [count, questions, _] => check.explained(&frame, count.parse()?, questions.parse()?)?,
            _ => return Err(format!("`{line}`?").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

/// One caller of the model, with everything that it keeps from frame to frame.
struct Check {
    loaded: Loaded,
    scaler: Scaler,
    work: Work,
    asked: Vec<Asked>,
    question: Question,
}

impl Check {
    fn new(loaded: Loaded) -> Result<Check, Box<dyn Error>> {
        let calibration = loaded.model.calibration();
        let labels: Vec<_> = loaded.model.labels().iter().take(1).cloned().enumerate().collect();
        let (asked, question) = if loaded.model.family().reads() {
            let worded = |condition: &&str| Wording { condition: (*condition).to_owned(), ..Wording::default() };
            let asked = QUESTIONS.iter().map(|condition| loaded.model.phrase(&worded(condition)));
            (asked.collect::<Result<_, _>>()?, Question::Words(Worded { calibration, threshold: 0.5 }))
        } else {
            let zone = vec![[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]];
            let zone = if labels.len() == 1 { zone } else { Vec::new() };
            (Vec::new(), Question::Labels(Labelled { labels, zone, min_count: 1, calibration, threshold: 0.4 }))
        };
        Ok(Check { loaded, scaler: Scaler::default(), work: Work::default(), asked, question })
    }

    fn several(&mut self, frame: &Frame, count: usize, questions: usize) -> Result<String, Box<dyn Error>> {
        let asked = self.asked[..questions.min(self.asked.len())].to_vec();
        let mut costs = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            std::hint::black_box(self.once(frame, &asked)?);
            costs.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(serde_json::to_string(&costs)?)
    }

    fn explained(&mut self, frame: &Frame, count: usize, questions: usize) -> Result<String, Box<dyn Error>> {
        let mut asked = self.asked[..questions].to_vec();
        if let Some(Asked::Text { explain, .. }) = asked.first_mut() {
            *explain = Some(Explain::AtLeast(f32::MIN));
        }
        let mut costs = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            let seen = self.once(frame, &asked)?;
            let took = began.elapsed().as_secs_f64() * 1e3;
            let Some(Seen::Answered(scored)) = seen.first() else { return Err("it doesn't explain".into()) };
            costs.push((took, scored.explanation.clone().unwrap_or_default()));
        }
        Ok(serde_json::to_string(&costs)?)
    }

    fn heap(&mut self, frame: &Frame, count: u64) -> Result<String, Box<dyn Error>> {
        let asked = self.asked[..self.asked.len().min(1)].to_vec();
        for _ in 0..3 {
            self.once(frame, &asked)?;
        }
        let _profiler = dhat::Profiler::builder().testing().build();
        for _ in 0..count {
            std::hint::black_box(self.once(frame, &asked)?);
        }
        let taken = dhat::HeapStats::get();
        let picture = self.work.pictures.first().map_or(0, |picture| picture.data.len() * size_of::<f32>());
        Ok(serde_json::json!({
            "bytes_per_check": taken.total_bytes / count,
            "blocks_per_check": taken.total_blocks / count,
            "frame_bytes": frame.planes.iter().map(|plane| plane.data.len()).sum::<usize>(),
            "tensor_bytes": picture,
        })
        .to_string())
    }

    /// One check, as the watch loop and the model's thread make it together.
    fn once(&mut self, frame: &Frame, asked: &[Asked]) -> Result<Vec<Seen>, Box<dyn Error>> {
        let memory = self.work.pictures.pop().unwrap_or_default();
        let (picture, placement) = self.loaded.model.prepare(&mut self.scaler, frame, memory)?;
        self.work.pictures.push(picture);
        self.work.asked.clear();
        self.work.asked.extend_from_slice(asked);
        let seen = match self.loaded.engine.examine(&self.work)? {
            Findings::Numbers(outputs) => {
                let seen = self.loaded.model.interpret(&outputs, &placement)?;
                self.loaded.model.take_back(outputs);
                vec![seen]
            }
            Findings::Scored(scored) => scored.into_iter().map(Seen::Answered).collect(),
        };
        for one in &seen {
            std::hint::black_box(self.question.judge(one));
        }
        Ok(seen)
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
