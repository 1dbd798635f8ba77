//! Each head on numbers made by hand: what it reads, what it refuses, and what it makes of numbers that aren't.

use super::super::graph::Element;
use super::super::manifest::{Coordinates, Detect};
use super::super::{OutputError, Tensor};
use super::*;
use crate::judge::Detection;
use crate::picture::Resize;

const DETECT: Detect = Detect { score_threshold: 0.3, nms_iou: 0.45 };
/// 64x32: grids of 8x4, 4x2 and 2x1 cells, 42 in all.
const SIZE: [u32; 2] = [64, 32];
const CELLS: usize = 42;

fn slots(shapes: &[&[usize]]) -> Vec<Slot> {
    let slot = |shape: &&[usize]| Slot {
        name: "x".into(),
        element: Element::F32,
        shape: shape.iter().map(|length| Some(*length)).collect(),
    };
    shapes.iter().map(slot).collect()
}

fn find(head: Head, shapes: &[&[usize]], labels: usize) -> Result<Reader, Misfit> {
    Reader::find(head, &slots(shapes), SIZE, labels)
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] }
}

fn frame() -> Placement {
    Placement::new(Resize::Squash, [640, 320], SIZE)
}

fn things(reader: &Reader, outputs: &Outputs) -> Vec<Detection> {
    match reader.read(outputs, [0, 1], &frame()) {
        Ok(Seen::Detections(things)) => things,
        other => panic!("{other:?}"),
    }
}

fn thing(label: usize, score: f32, pixels: [f32; 4]) -> Detection {
    Detection { label, score, bounds: [pixels[0] / 64.0, pixels[1] / 32.0, pixels[2] / 64.0, pixels[3] / 32.0] }
}

#[test]
fn yolox_rows_are_boxes_of_their_cells() {
    let shape = [1, CELLS, 7];
    let reader = find(Head::Yolox(DETECT), &[&shape], 2).unwrap();
    let mut output = zeros(&shape);
    // The second grid starts at row 32; its cell (0, 1) is row 36: centre 16 * 0.5, 16 * 1.5, 16x16 large.
    output.data[36 * 7..37 * 7].copy_from_slice(&[0.5, 0.5, 0.0, 0.0, 0.9, 0.1, 1.0]);
    // 0.5 * 0.6 is not above the threshold.
    output.data[..7].copy_from_slice(&[0.5, 0.5, 0.0, 0.0, 0.5, 0.6, 0.0]);
    assert_eq!(things(&reader, &vec![output]), [thing(1, 0.9, [0.0, 16.0, 16.0, 32.0])]);
}

#[test]
fn yolov8_is_read_in_three_layouts() {
    let head = Head::Yolov8(DETECT);
    // More anchors than are looked at together; number 70 is the thing, number 71 its double.
    let rows = |with_objectness: bool| -> Vec<Vec<f32>> {
        let row = |index: usize| {
            let (bounds, scores) = match index {
                70 => ([20.0, 10.0, 8.0, 4.0], [0.1, 0.8]),
                71 => ([20.5, 10.0, 8.0, 4.0], [0.1, 0.6]),
                _ => ([0.0; 4], [0.2, 0.3]),
            };
            bounds.into_iter().chain(with_objectness.then_some(1.0)).chain(scores).collect()
        };
        (0..100).map(row).collect()
    };
    let expected = [thing(1, 0.8, [16.0, 8.0, 24.0, 12.0])];
    let flat = |rows: Vec<Vec<f32>>| rows.concat();
    let v5 = Tensor { shape: vec![1, 100, 7], data: flat(rows(true)) };
    let by_rows = Tensor { shape: vec![1, 100, 6], data: flat(rows(false)) };
    let columns = |column: usize| rows(false).into_iter().map(move |row| row[column]).collect::<Vec<f32>>();
    let v8 = Tensor { shape: vec![1, 6, 100], data: (0..6).flat_map(columns).collect() };
    for output in [v5, by_rows, v8] {
        let reader = find(head, &[&output.shape], 2).unwrap();
        assert_eq!(things(&reader, &vec![output.clone()]), expected, "{:?}", output.shape);
    }
    // Where the graph leaves all lengths open, those of the numbers decide.
    let open = Slot { name: "x".into(), element: Element::F16, shape: vec![None; 3] };
    let reader = Reader::find(head, &[open], SIZE, 2).unwrap();
    assert_eq!(things(&reader, &vec![Tensor { shape: vec![1, 100, 7], data: flat(rows(true)) }]), expected);
}

/// Bins of eight distances, all of the weight on one.
fn bins(distances: [usize; 4]) -> Vec<f32> {
    distances.into_iter().flat_map(|at| (0..8).map(move |bin| if bin == at { 100.0 } else { 0.0 })).collect()
}

#[test]
fn nanodet_is_read_joined_and_split() {
    let head = Head::Nanodet(DETECT);
    // Cell (1, 1) of the second grid, whose middle is 16 + 7.5: 16 to the left, 0 up, 32 to the right, 8 down (half of the
    // weight on either side).
    let mut sides = bins([1, 0, 2, 0]);
    sides[24..].copy_from_slice(&[50.0, 50.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let expected = [thing(1, 0.75, [7.5, 23.5, 55.5, 31.5])];

    let shape = [1, CELLS, 2 + 32];
    let mut joined = zeros(&shape);
    joined.data[37 * 34..38 * 34].copy_from_slice(&[&[0.5, 0.75], sides.as_slice()].concat());
    assert_eq!(things(&find(head, &[&shape], 2).unwrap(), &vec![joined]), expected);

    // In no order, and with the batch axis on one of them.
    let shapes: [&[usize]; 6] = [&[8, 2], &[8, 32], &[1, 32, 2], &[32, 32], &[2, 32], &[2, 2]];
    let mut split: Outputs = shapes.iter().map(|shape| zeros(shape)).collect();
    split[0].data[5 * 2..6 * 2].copy_from_slice(&[0.5, 0.75]);
    split[1].data[5 * 32..6 * 32].copy_from_slice(&sides);
    assert_eq!(things(&find(head, &shapes, 2).unwrap(), &split), expected);
}

#[test]
fn nanodet_plus_measures_from_the_corner_of_its_cells() {
    let shape = [1, CELLS + 1, 1 + 32];
    let mut output = zeros(&shape);
    output.data[37 * 33..38 * 33].copy_from_slice(&[&[0.75], bins([1, 0, 2, 0]).as_slice()].concat());
    let reader = find(Head::Nanodet(DETECT), &[&shape], 1).unwrap();
    assert_eq!(things(&reader, &vec![output]), [thing(0, 0.75, [0.0, 16.0, 48.0, 16.0])]);
}

#[test]
fn ultrafaces_background_is_no_label() {
    let shapes: [&[usize]; 2] = [&[1, 3, 4], &[1, 3, 2]];
    let boxes = vec![0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 0.0, 0.0, 0.25, 1.0];
    let scores = vec![0.9, 0.1, 0.2, 0.8, 0.6, 0.4];
    let outputs =
        vec![Tensor { shape: shapes[0].to_vec(), data: boxes }, Tensor { shape: shapes[1].to_vec(), data: scores }];
    let reader = find(Head::Ultraface(DETECT), &shapes, 1).unwrap();
    let expected = [thing(0, 0.8, [32.0, 16.0, 64.0, 32.0]), thing(0, 0.4, [0.0, 0.0, 16.0, 32.0])];
    assert_eq!(things(&reader, &outputs), expected);
}

#[test]
fn boxes_come_with_scores_of_all_labels_or_as_rows() {
    let head = Head::Boxes(DETECT, Coordinates::Pixels);
    let shapes: [&[usize]; 2] = [&[1, 2, 3], &[1, 2, 4]];
    let outputs = vec![
        Tensor { shape: shapes[0].to_vec(), data: vec![0.1, 0.2, 0.7, 0.1, 0.2, 0.3] },
        Tensor { shape: shapes[1].to_vec(), data: vec![8.0, 8.0, 16.0, 16.0, 0.0, 0.0, 9.0, 9.0] },
    ];
    let expected = [thing(2, 0.7, [8.0, 8.0, 16.0, 16.0])];
    assert_eq!(things(&find(head, &shapes, 3).unwrap(), &outputs), expected);
    let in_shares = find(Head::Boxes(DETECT, Coordinates::Normalised), &shapes, 3).unwrap();
    assert_eq!(things(&in_shares, &outputs)[0].bounds, [1.0; 4], "eight times the picture");

    let row = |label: f32| vec![Tensor { shape: vec![1, 1, 6], data: vec![8.0, 8.0, 16.0, 16.0, 0.7, label] }];
    let rows = find(head, &[&[1, 1, 6]], 3).unwrap();
    assert_eq!(things(&rows, &row(2.0)), expected);
    for label in [3.0, -1.0] {
        assert_eq!(rows.read(&row(label), [0, 1], &frame()), Ok(Seen::NotANumber), "there is no label {label}");
    }
}

#[test]
fn queries_of_a_detr_are_no_duplicates() {
    let shapes: [&[usize]; 2] = [&[1, 2, 2], &[1, 2, 4]];
    let logits = vec![2.0, -5.0, 1.0, 3.0];
    let outputs = vec![
        Tensor { shape: shapes[0].to_vec(), data: logits },
        Tensor { shape: shapes[1].to_vec(), data: [0.5, 0.5, 0.5, 0.5].repeat(2) },
    ];
    let detect = Detect { score_threshold: 0.5, nms_iou: 1.0 };
    let seen = things(&find(Head::Detr(detect), &shapes, 2).unwrap(), &outputs);
    // Three are above the threshold, as many as there are queries are taken: the best.
    let told: Vec<(usize, f32)> = seen.iter().map(|thing| (thing.label, (thing.score * 1e4).round() / 1e4)).collect();
    assert_eq!(told, [(1, 0.9526), (0, 0.8808)]);
    assert_eq!(seen[0].bounds, [0.25, 0.25, 0.75, 0.75]);
}

#[test]
fn graphs_for_other_labels_are_told() {
    let boxes = Head::Boxes(DETECT, Coordinates::Pixels);
    for (head, shapes) in [
        (Head::Softmax, &[&[1usize, 5][..]][..]),
        (Head::Sigmoid, &[&[1, 5, 1, 1]]),
        (Head::Yolox(DETECT), &[&[1, CELLS, 10]]),
        (Head::Yolov8(DETECT), &[&[1, 9, 84]]),
        (Head::Yolov8(DETECT), &[&[1, 84, 10]]),
        (Head::Nanodet(DETECT), &[&[1, CELLS, 37]]),
        (Head::Nanodet(DETECT), &[&[32, 5], &[32, 32], &[8, 5], &[8, 32], &[2, 5], &[2, 32]]),
        (Head::Ultraface(DETECT), &[&[1, 9, 6], &[1, 9, 4]]),
        (boxes, &[&[1, 9, 5], &[1, 9, 4]]),
        (Head::Detr(DETECT), &[&[1, 9, 5], &[1, 9, 4]]),
    ] {
        assert_eq!(find(head, shapes, 2).err(), Some(Misfit::Labels(5)), "{} of {shapes:?}", head.as_str());
        assert!(find(head, shapes, 5).is_ok(), "{} of {shapes:?}", head.as_str());
    }
}

#[test]
fn graphs_of_another_kind_are_told() {
    let boxes = Head::Boxes(DETECT, Coordinates::Pixels);
    for (head, wanted) in [
        (Head::Softmax, "f32 [1, 2] or f32 [1, 2, 1, 1]"),
        (Head::Yolox(DETECT), "f32 [1, 42, 7]"),
        (Head::Yolov8(DETECT), "f32 [1, 6, ?] or f32 [1, ?, 7]"),
        (Head::Nanodet(DETECT), "f32 [1, 42, 34], or f32 [32, 2] and f32 [32, 32] and so on for each grid"),
        (Head::Ultraface(DETECT), "f32 [1, ?, 3] and f32 [1, ?, 4]"),
        (boxes, "f32 [1, ?, 6], or f32 [1, ?, 2] and f32 [1, ?, 4]"),
        (Head::Detr(DETECT), "f32 [1, ?, 2] and f32 [1, ?, 4]"),
    ] {
        for shapes in [&[&[7usize][..]][..], &[&[2, 3, 4, 5]], &[]] {
            assert_eq!(find(head, shapes, 2).err(), Some(Misfit::Shapes(wanted.into())), "{shapes:?}");
        }
    }
    let integers = Slot { name: "x".into(), element: Element::Other("i32".into()), shape: vec![Some(1), Some(2)] };
    assert!(Reader::find(Head::Softmax, &[integers], SIZE, 2).is_err());
}

#[test]
fn numbers_that_are_none_and_numbers_that_are_missing() {
    let shapes: [&[usize]; 3] = [&[1, 3, 2], &[7], &[1, 3, 4]];
    let reader = find(Head::Ultraface(DETECT), &shapes, 1).unwrap();
    let outputs: Outputs = shapes.iter().map(|shape| zeros(shape)).collect();
    let read = |outputs: &Outputs| reader.read(outputs, [0, 1], &frame());
    assert_eq!(read(&outputs), Ok(Seen::Detections(Vec::new())));
    for bad in [f32::NAN, f32::INFINITY] {
        for (output, seen) in [(0, Seen::NotANumber), (1, Seen::Detections(Vec::new())), (2, Seen::NotANumber)] {
            let mut outputs = outputs.clone();
            outputs[output].data[0] = bad;
            assert_eq!(read(&outputs), Ok(seen), "{bad} in output {output}");
        }
    }
    let mut short = outputs;
    short[2].data.pop();
    assert_eq!(read(&short), Err(OutputError { given: 11, declared: 12 }));
    short.truncate(2);
    assert_eq!(read(&short), Err(OutputError { given: 0, declared: 12 }));
    assert!(read(&Vec::new()).is_err(), "no outputs at all");
}

#[test]
fn an_output_without_rows_is_an_empty_scene_and_a_missing_one_is_none() {
    let open = |last: usize| Slot { name: "x".into(), element: Element::F32, shape: vec![Some(1), None, Some(last)] };
    let boxes = Head::Boxes(DETECT, Coordinates::Pixels);
    let alone = Reader::find(boxes, &[open(6)], SIZE, 2).unwrap();
    let pair = Reader::find(boxes, &[open(2), open(4)], SIZE, 2).unwrap();
    assert_eq!(things(&alone, &vec![zeros(&[1, 0, 6])]), []);
    assert_eq!(things(&pair, &vec![zeros(&[1, 0, 2]), zeros(&[1, 0, 4])]), []);
    let read = |reader: &Reader, outputs: Outputs| reader.read(&outputs, [0, 1], &frame());
    assert_eq!(read(&alone, Vec::new()), Err(OutputError { given: 0, declared: 6 }));
    assert_eq!(read(&alone, vec![Tensor::default()]), Err(OutputError { given: 0, declared: 6 }));
    assert_eq!(read(&alone, vec![zeros(&[0, 5, 6])]), Err(OutputError { given: 0, declared: 6 }), "no picture");
    assert!(read(&pair, vec![zeros(&[1, 0, 2]), zeros(&[1, 3, 4])]).is_err(), "boxes without scores");
}

#[test]
fn pictures_of_a_batch_are_told_apart() {
    let shapes: [&[usize]; 2] = [&[1, 1, 2], &[1, 1, 4]];
    let reader = find(Head::Ultraface(DETECT), &shapes, 1).unwrap();
    let outputs = vec![
        Tensor { shape: vec![3, 1, 2], data: vec![0.2, 0.8, 1.0, 0.0, f32::NAN, 0.0] },
        Tensor { shape: vec![3, 1, 4], data: [0.0, 0.0, 0.5, 0.5].repeat(3) },
    ];
    let read = |picture| reader.read(&outputs, [picture, 3], &frame());
    assert_eq!(read(0), Ok(Seen::Detections(vec![thing(0, 0.8, [0.0, 0.0, 32.0, 16.0])])));
    assert_eq!(read(1), Ok(Seen::Detections(Vec::new())));
    assert_eq!(read(2), Ok(Seen::NotANumber), "one picture's trouble is not the others'");
}

#[test]
fn where_scores_look_like_boxes_they_come_first() {
    let shapes: [&[usize]; 2] = [&[1, 1, 4], &[1, 1, 4]];
    let outputs = vec![
        Tensor { shape: shapes[0].to_vec(), data: vec![0.1, 0.0, 0.9, 0.0] },
        Tensor { shape: shapes[1].to_vec(), data: vec![0.0, 0.0, 0.5, 0.5] },
    ];
    let reader = find(Head::Ultraface(DETECT), &shapes, 3).unwrap();
    assert_eq!(things(&reader, &outputs), [thing(1, 0.9, [0.0, 0.0, 32.0, 16.0])]);
}
