//! A model between its manifest and its numbers, with an engine that needs no library; and its thread.

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::*;
use crate::config::{Hold, Located, Monitor};
use crate::event::Priority;
use crate::judge::Question;
use crate::name::Name;
use crate::picture::still;

fn folder(head: &str, labels: &[&str]) -> Folder {
    let hash = "0".repeat(64);
    let manifest = format!(
        "name = \"m\"\nfamily = \"classifier\"\n[files]\nmodel = {{ path = \"f.onnx\", sha256 = \"{hash}\" }}\n\
         labels = {{ path = \"l.txt\", sha256 = \"{hash}\" }}\n[input]\nsize = [4, 2]\nresize = \"squash\"\n\
         color = \"rgb\"\n[output]\nhead = \"{head}\"\n"
    );
    let identity = ModelIdentity { name: Name::new("m").unwrap(), sha256: hash };
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    Folder {
        path: PathBuf::new(),
        identity,
        cache: PathBuf::new(),
        manifest: Manifest::parse(&manifest).unwrap(),
        labels,
    }
}

fn slot(shape: &[Option<usize>]) -> Slot {
    Slot { name: "x".into(), element: Element::F32, shape: shape.to_vec() }
}

fn graph(outputs: Vec<Slot>) -> Graph {
    Graph { inputs: vec![slot(&[None, Some(3), Some(2), Some(4)])], outputs }
}

fn model(head: &str, labels: &[&str], outputs: Vec<Slot>) -> Result<Model, String> {
    let folder = folder(head, labels);
    let Kind::Labelled(of) = &folder.manifest.kind else { panic!("it reads") };
    Model::labelled(&folder, of, &graph(outputs)).map_err(|error| error.to_string())
}

#[test]
fn outputs_are_found_by_shape() {
    let scores = slot(&[Some(1), Some(2), Some(1), Some(1)]);
    let found = model("sigmoid", &["a", "b"], vec![slot(&[Some(7)]), scores]).unwrap();
    let outputs = vec![Tensor::default(), Tensor { shape: vec![1, 2, 1, 1], data: vec![0.0, 100.0] }];
    let place = Placement::new(crate::picture::Resize::Squash, [8, 4], [4, 2]);
    assert_eq!(found.interpret(&outputs, &place), Ok(Seen::Scores(vec![0.5, 1.0])));
    assert_eq!(
        model("sigmoid", &["a"], vec![slot(&[None, Some(2)])]).unwrap_err(),
        "`f.onnx` tells 2 labels apart, but `l.txt` has 1; correct the labels"
    );
    assert_eq!(
        model("sigmoid", &["a"], vec![slot(&[Some(7)])]).unwrap_err(),
        "`f.onnx` gives f32 [7], but head `sigmoid` reads f32 [1, 1] or f32 [1, 1, 1, 1]; correct `[output] head`"
    );
}

#[test]
fn numbers_that_are_none_and_numbers_that_are_missing() {
    let softmax = model("softmax", &["a", "b"], vec![slot(&[None, Some(2)])]).unwrap();
    let place = Placement::new(crate::picture::Resize::Squash, [8, 4], [4, 2]);
    let given = |data: &[f32]| softmax.interpret(&vec![Tensor { shape: vec![1, 2], data: data.to_vec() }], &place);
    for bad in [f32::NAN, f32::INFINITY] {
        assert_eq!(given(&[bad, 0.0]), Ok(Seen::NotANumber));
    }
    assert_eq!(given(&[1.0]), Err(OutputError { given: 1, declared: 2 }));
    assert_eq!(softmax.interpret(&vec![], &place), Err(OutputError { given: 0, declared: 2 }));
}

/// Answers with the input's mean; fails on an empty one.
struct Mean;

impl Engine for Mean {
    fn examine(&mut self, work: &Work) -> Result<Findings, RunError> {
        if work.pictures.is_empty() {
            return Err(RunError("nothing to see".into()));
        }
        let mean = |input: &Tensor| input.data.iter().sum::<f32>() / input.data.len() as f32;
        let data = work.pictures.iter().map(mean).collect();
        Ok(Findings::Numbers(vec![Tensor { shape: vec![work.pictures.len(), 1], data }]))
    }
}

/// A model with one score.
pub(super) fn bright() -> Model {
    model("probabilities", &["bright"], vec![slot(&[None, Some(1)])]).unwrap()
}

/// The same by another name.
pub(crate) fn bright_as(name: &str) -> Model {
    let identity = ModelIdentity { name: Name::new(name).unwrap(), sha256: "0".repeat(64) };
    // YOLOX-nano's: far from what the model itself says.
    let calibration = Calibration { temperature: 0.63, bias: 2.15 };
    Model { identity, calibration, ..bright() }
}

fn mean() -> Handle {
    let model = bright();
    let (running, stop) = (Running::default(), Stop::new(|| ()));
    let again: Again = Arc::new(|| unreachable!("it works"));
    let loaded = Loaded { model: Arc::new(model), engine: Box::new(Mean), rungs: Vec::new(), running, stop, again };
    start(loaded, Limits::default()).unwrap()
}

/// Of a caller that nobody else is.
fn request(handle: &Handle, work: Work, tag: u64, reply: Sender<Reply>) -> Request {
    Request { caller: handle.caller(), work, patience: Duration::from_secs(60), tag, reply }
}

fn looking_at(picture: Tensor) -> Work {
    Work { pictures: vec![picture], asked: Vec::new() }
}

#[test]
fn the_thread_answers_with_the_callers_mark_and_buffer() {
    let handle = mean();
    let (reply, replies) = bounded(2);
    let work = looking_at(Tensor { shape: vec![1, 3, 2, 4], data: vec![0.25; 24] });
    for (tag, work) in [(7, work.clone()), (8, Work::default())] {
        assert!(handle.ask(request(&handle, work, tag, reply.clone())).is_ok());
    }
    let answer = replies.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!((answer.tag, &answer.work.pictures), (7, &work.pictures));
    let Findings::Numbers(outputs) = answer.findings.unwrap() else { panic!("it has labels") };
    assert_eq!(outputs[0].data, [0.25]);
    let failure = replies.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(failure.tag, 8);
    assert_eq!(
        failure.findings.unwrap_err().to_string(),
        "the model failed on a frame: nothing to see; run `stakeout check`, and copy the model's folder again if that finds nothing"
    );
}

#[test]
fn a_caller_that_left_does_not_stop_the_thread() {
    let handle = mean();
    let (reply, replies) = bounded(1);
    drop(replies);
    let work = || looking_at(Tensor { shape: vec![1], data: vec![1.0] });
    let ask = |reply| handle.ask(request(&handle, work(), 0, reply));
    assert!(ask(reply).is_ok());
    let (reply, replies) = bounded(1);
    assert!(ask(reply).is_ok());
    assert!(replies.recv_timeout(Duration::from_secs(10)).unwrap().findings.is_ok());
}

#[test]
fn a_frame_becomes_the_declared_tensor_in_the_same_memory() {
    let model = model("sigmoid", &["a"], vec![slot(&[None, Some(1)])]).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(8, 4, image::Rgb([10, 20, 30])).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let frame = still(png.get_ref()).unwrap();
    let mut scaler = Scaler::default();
    let (first, _) = model.prepare(&mut scaler, &frame, Tensor::default()).unwrap();
    assert_eq!(first.shape, [1, 3, 2, 4]);
    let expected: Vec<f32> = [10.0, 20.0, 30.0].iter().flat_map(|level| [*level; 8]).collect();
    assert_eq!(first.data, expected);
    let memory = first.data.as_ptr();
    let (second, _) = model.prepare(&mut scaler, &frame, first).unwrap();
    assert_eq!(second.data.as_ptr(), memory);
}

fn monitor(labels: &[&str], min_count: u32) -> Monitor {
    let name = |text: &str| Name::new(text).unwrap();
    let located = |label: &&str| Located { value: (*label).to_owned(), at: 0..0 };
    let second = Duration::from_secs(1);
    Monitor {
        name: name("dock"),
        cameras: vec![name("c")],
        condition: String::new(),
        prompts: Vec::new(),
        negatives: Vec::new(),
        model: Located { value: name("m"), at: 0..0 },
        labels: labels.iter().map(located).collect(),
        min_count,
        zone: Vec::new(),
        confidence_threshold: 0.7,
        clear_threshold: 0.5,
        hold: Hold { needed: 1, of: 1 },
        cooldown: second,
        repeat: false,
        clear_after: second,
        lost_after: second,
        check_interval: second,
        notice_within: second,
        gate: crate::config::Gate::Off,
        recheck: std::time::Duration::from_secs(30),
        max_duration: None,
        stop_on_trigger: false,
        restart: false,
        expect_event_within: None,
        priority: Priority::Normal,
        label: String::new(),
        shadow: false,
        enabled: true,
        metadata: crate::event::Metadata::new(),
        endpoints: Vec::new(),
        calibration: None,
        clip: None,
        only_when: None,
    }
}

#[test]
fn a_monitor_asks_what_the_model_knows() {
    let model = model("sigmoid", &["person", "vehicle"], vec![slot(&[None, Some(2)])]).unwrap();
    let labelled = |monitor: &Monitor| match model.question(monitor).unwrap() {
        (Question::Labels(labelled), None) => labelled,
        other => panic!("{other:?}"),
    };
    let question = labelled(&monitor(&["vehicle"], 1));
    assert_eq!(question.labels, [(1, "vehicle".to_owned())]);
    assert_eq!((question.threshold, question.calibration), (0.7, model.calibration()));
    assert_eq!(labelled(&monitor(&[], 1)).labels.len(), 2);
    let own = Calibration { temperature: 2.0, bias: 1.0 };
    let calibrated = Monitor { calibration: Some(own), ..monitor(&["vehicle"], 1) };
    assert_eq!(labelled(&calibrated).calibration, own);
    assert_eq!(
        model.question(&monitor(&["vehicel"], 1)).unwrap_err().to_string(),
        "monitor `dock`: model `m` has no label `vehicel`; the nearest it has: `vehicle`"
    );
}
