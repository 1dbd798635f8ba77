//! What the judge promises: zones, counts, words and numbers that aren't.

use proptest::prelude::*;

use super::*;
use crate::config::Calibration;

const PLAIN: Calibration = Calibration { temperature: 1.0, bias: 0.0 };
const LEFT_HALF: [[f32; 2]; 4] = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]];

fn ask(labels: &[&str], zone: &[[f32; 2]], min_count: u32) -> Labelled {
    let labels = labels.iter().enumerate().map(|(index, label)| (index, (*label).to_owned())).collect();
    Labelled { labels, zone: zone.to_vec(), min_count, calibration: PLAIN, threshold: 0.4 }
}

fn thing(label: usize, score: f32, foot: [f32; 2]) -> Detection {
    Detection { label, score, bounds: [foot[0] - 0.05, foot[1] - 0.3, foot[0] + 0.05, foot[1]] }
}

fn judge(question: &Labelled, things: &[Detection]) -> Verdict {
    Question::Labels(question.clone()).judge(&Seen::Detections(things.to_vec()))
}

#[test]
fn detections_are_told_in_words() {
    let two = [thing(0, 0.84, [0.2, 0.9]), thing(0, 0.91, [0.3, 0.9]), thing(0, 0.99, [0.8, 0.9])];
    let zoned = judge(&ask(&["person"], &LEFT_HALF, 1), &two);
    assert_eq!(zoned.explanation, "2 persons in the zone, 0.91 and 0.84");
    assert_eq!((zoned.confidence, zoned.answer, zoned.regions.len()), (0.91, Answer::Yes, 2));

    let whole = ask(&["person"], &[], 1);
    assert_eq!(judge(&whole, &two[1..2]).explanation, "1 person, 0.91");
    let nobody = judge(&ask(&["person"], &LEFT_HALF, 1), &two[2..]);
    assert_eq!(nobody.explanation, "no person in the zone");
    assert_eq!((nobody.confidence, nobody.answer, nobody.z), (0.0, Answer::No, None));

    let mixed = ask(&["person", "bus", "dog"], &[], 1);
    let traffic = [thing(1, 0.8, [0.5, 0.5]), thing(1, 0.7, [0.5, 0.5]), thing(0, 0.6, [0.5, 0.5])];
    assert_eq!(judge(&mixed, &traffic).explanation, "1 person and 2 buses, 0.80, 0.70 and 0.60");
    assert_eq!(judge(&mixed, &[]).explanation, "no person, bus or dog");
    let crowd: Vec<_> = (0..9).map(|_| thing(0, 0.9, [0.5, 0.5])).collect();
    assert_eq!(judge(&whole, &crowd).explanation, "9 persons, 0.90, 0.90, 0.90, 0.90 and 5 more");
}

#[test]
fn what_lies_below_the_threshold_counts_as_confidence_but_not_as_a_thing() {
    let faint = judge(&ask(&["person"], &[], 1), &[thing(0, 0.35, [0.5, 0.5])]);
    assert_eq!((faint.explanation.as_str(), faint.answer, faint.confidence), ("no person", Answer::No, 0.35));
    assert!(faint.regions.is_empty());
}

#[test]
fn the_nth_best_score_is_the_confidence() {
    let three = [thing(0, 0.5, [0.5, 0.5]), thing(0, 0.9, [0.5, 0.5]), thing(0, 0.7, [0.5, 0.5])];
    let confidence = |n| judge(&ask(&["person"], &[], n), &three).confidence;
    assert_eq!([confidence(1), confidence(2), confidence(3), confidence(4)], [0.9, 0.7, 0.5, 0.0]);
    assert_eq!(judge(&ask(&["person"], &[], 4), &three).answer, Answer::No);
}

#[test]
fn classifiers_are_told_by_label_and_score() {
    let question = Labelled { labels: vec![(2, "person_in_zone".into())], ..ask(&[], &[], 1) };
    let verdict = Question::Labels(question.clone()).judge(&Seen::Scores(vec![0.1, 0.2, 0.97]));
    assert_eq!((verdict.explanation.as_str(), verdict.answer), ("person_in_zone 0.97", Answer::Yes));
    assert!((verdict.z.unwrap() - 3.476).abs() < 0.001);
    let either = Labelled { min_count: 2, ..ask(&["person", "vehicle"], &[], 1) };
    let verdict = Question::Labels(either.clone()).judge(&Seen::Scores(vec![0.1, 0.8]));
    assert_eq!((verdict.explanation.as_str(), verdict.confidence), ("vehicle 0.80, person 0.10", 0.1));
}

#[test]
fn no_number_is_no_answer() {
    let person = ask(&["person"], &[], 1);
    let nan = [thing(0, f32::NAN, [0.5, 0.5]), thing(0, 0.9, [0.5, 0.5])];
    for seen in [Seen::NotANumber, Seen::Scores(vec![f32::NAN]), Seen::Scores(vec![]), Seen::Detections(nan.to_vec())] {
        let verdict = Question::Labels(person.clone()).judge(&seen);
        assert_eq!((verdict.answer, verdict.confidence, verdict.z), (Answer::Abstain, 0.0, None), "{seen:?}");
        assert_eq!(verdict.explanation, "the model gave no number");
    }
    let other = judge(&ask(&["cat"], &[], 1), &[thing(7, f32::NAN, [0.5, 0.5])]);
    assert_eq!(other.answer, Answer::No, "a label that nobody asked for");
}

#[test]
fn the_foot_decides_and_the_edge_belongs_to_the_zone() {
    let right_edge = thing(0, 0.9, [0.5, 1.0]);
    assert_eq!(judge(&ask(&["person"], &LEFT_HALF, 1), &[right_edge]).answer, Answer::Yes);
    let leaning_in = Detection { label: 0, score: 0.9, bounds: [0.3, 0.2, 0.72, 0.8] };
    assert_eq!(judge(&ask(&["person"], &LEFT_HALF, 1), &[leaning_in]).answer, Answer::No);
    let arrow = [[0.0, 0.0], [1.0, 0.0], [0.5, 0.4], [1.0, 1.0], [0.0, 1.0]];
    assert!(contains(&arrow, [0.2, 0.5]));
    assert!(!contains(&arrow, [0.9, 0.5]), "the notch of a concave zone");
}

#[test]
fn calibration_bends_confidence_and_words_alike_but_not_z() {
    let bent = Calibration { temperature: 2.0, bias: -0.5 };
    let question = Labelled { calibration: bent, ..ask(&["person"], &[], 1) };
    let verdict = judge(&question, &[thing(0, 0.9, [0.5, 0.5])]);
    let z = (0.9_f32 / 0.1).ln();
    let expected = 1.0 / (1.0 + (-(z / 2.0 - 0.5)).exp());
    assert!((verdict.confidence - expected).abs() < 1e-6);
    assert!((verdict.z.unwrap() - z).abs() < 1e-5);
    assert_eq!(verdict.explanation, "1 person, 0.65");
    assert_eq!(verdict.regions[0].score, 0.9);
}

#[test]
fn plurals_read_like_english() {
    let pairs = [("person", "persons"), ("bus", "buses"), ("couch", "couches"), ("lorry", "lorries"), ("key", "keys")];
    for (one, many) in pairs {
        assert_eq!(labelled::plural(one), many);
    }
}

proptest! {
    #[test]
    fn a_plain_calibration_changes_nothing(score in 0.00001f32..0.99999) {
        prop_assert!((calibrated(score, PLAIN) - score).abs() < 1e-6);
    }

    #[test]
    fn calibration_keeps_the_order(a in 0f32..=1.0, b in 0f32..=1.0, temperature in 0.1f32..10.0, bias in -5f32..5.0) {
        let by = Calibration { temperature, bias };
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        let (low, high) = (calibrated(low, by), calibrated(high, by));
        prop_assert!(low <= high && (0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
    }

    #[test]
    fn a_rectangle_holds_what_lies_in_it(
        left in 0f32..0.5, top in 0f32..0.5, width in 0.1f32..0.5, height in 0.1f32..0.5, x in 0f32..1.0, y in 0f32..1.0,
        turn in 0usize..4, mirrored: bool,
    ) {
        let (right, bottom) = (left + width, top + height);
        let mut zone = [[left, top], [right, top], [right, bottom], [left, bottom]];
        zone.rotate_left(turn);
        if mirrored { zone.reverse(); }
        let held = x >= left && x <= right && y >= top && y <= bottom;
        let near = [x - left, x - right, y - top, y - bottom].iter().any(|gap| gap.abs() < 1e-5);
        prop_assert!(near || contains(&zone, [x, y]) == held);
    }

    #[test]
    fn more_needed_is_never_more_confident(
        scores in proptest::collection::vec(0f32..=1.0, 0..12), needed in 1u32..14,
    ) {
        let things: Vec<_> = scores.iter().map(|score| thing(0, *score, [0.5, 0.5])).collect();
        let one = judge(&ask(&["person"], &[], needed), &things);
        let more = judge(&ask(&["person"], &[], needed + 1), &things);
        prop_assert!(more.confidence <= one.confidence);
        prop_assert_eq!(one.answer == Answer::Yes, one.confidence >= 0.4 && things.len() >= needed as usize);
    }
}

fn said(z: f32, answer_mass: Option<f32>) -> Seen {
    Seen::Answered(Scored { z, answer_mass, explanation: None })
}

#[test]
fn words_are_judged_by_their_logit() {
    let worded = Worded { calibration: Calibration { temperature: 2.0, bias: 0.5 }, threshold: 0.8 };
    let question = Question::Words(worded.clone());
    let yes = question.judge(&said(4.0, Some(0.99)));
    assert_eq!((yes.answer, yes.z, yes.answer_mass), (Answer::Yes, Some(4.0), Some(0.99)));
    assert!((yes.confidence - 0.924_142).abs() < 1e-5, "{}", yes.confidence);
    assert_eq!(yes.explanation, "yes, 0.92");
    assert_eq!(question.judge(&said(-4.0, None)).answer, Answer::No);
    let explained = Scored { z: 4.0, answer_mass: None, explanation: Some("Yes. A person is there.".into()) };
    assert_eq!(question.judge(&Seen::Answered(explained)).explanation, "Yes. A person is there.");
    for confidence in [0.1, 0.5, 0.8, 0.99] {
        let z = worded.z_of(confidence);
        assert!((probability(z, worded.calibration) - confidence).abs() < 1e-5);
    }
}

#[test]
fn an_answer_that_is_none_is_never_a_no() {
    let question = Question::Words(Worded { calibration: PLAIN, threshold: 0.5 });
    let vague = question.judge(&said(-3.0, Some(0.3)));
    assert_eq!((vague.answer, vague.confidence, vague.z), (Answer::Abstain, 0.0, Some(-3.0)));
    assert_eq!(vague.explanation, "the model answered neither yes nor no (only 0.30 of its answer)");
    for nothing in [said(f32::NAN, Some(0.9)), said(1.0, Some(f32::NAN)), Seen::NotANumber, Seen::Scores(vec![0.9])] {
        assert_eq!(question.judge(&nothing).answer, Answer::Abstain);
    }
}
