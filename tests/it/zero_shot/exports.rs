//! Another export of the same layout: half precision, and neither texts nor pictures in batches.

use stakeout::config::Calibration;
use stakeout::frame::Frame;
use stakeout::judge::{Question, Seen, Worded};
use stakeout::model::{Asked, Engine, Findings, Work};
use stakeout::picture::{Scaler, still};
use stakeout::verdict::Answer;

use super::{asked, fixture, look, open};

/// Left and right of a line, of these levels.
fn halves(left: u8, right: u8) -> Frame {
    let mut png = std::io::Cursor::new(Vec::new());
    let scene = image::RgbImage::from_fn(200, 100, |x, _| image::Rgb([if x < 100 { left } else { right }; 3]));
    scene.write_to(&mut png, image::ImageFormat::Png).unwrap();
    still(png.get_ref()).unwrap()
}

fn bright(zone: &[[f32; 2]]) -> Asked {
    asked(&["a bright picture"], &["a dark picture"], zone)
}

const LEFT: [[f32; 2]; 4] = [[0.05, 0.1], [0.4, 0.1], [0.4, 0.9], [0.05, 0.9]];
const RIGHT: [[f32; 2]; 4] = [[0.6, 0.1], [0.95, 0.1], [0.95, 0.9], [0.6, 0.9]];

#[test]
fn half_precision_and_fixed_axes_give_the_same_likeness() {
    let Some((mut engine, model, _storage)) = open(&fixture("zero-shot-f16")) else { return };
    let (z, work) = look(&mut engine, &model, &halves(25, 230), vec![bright(&LEFT), bright(&RIGHT)]);
    assert_eq!(work.pictures.len(), 2);
    // A picture of brightness b is [b, b (2b - 1)], a bright text [1, 1], a dark one [1, -1]; z is a hundred times the
    // difference of the cosines.
    for (z, level) in z.iter().zip([25.0_f32, 230.0]) {
        let light = level / 255.0;
        let side = light * (2.0 * light - 1.0);
        let expected = 100.0 * 2.0 * side / 2.0_f32.sqrt() / light.hypot(side);
        assert!((z - expected).abs() < 0.3, "{level}: {z} {expected}");
    }
}

/// No direction is no number, and no number is no answer: never a no.
#[test]
fn a_picture_without_a_direction_abstains_and_its_neighbour_does_not() {
    let Some((mut engine, model, _storage)) = open(&fixture("zero-shot-f16")) else { return };
    let mut work = Work { pictures: Vec::new(), asked: vec![bright(&LEFT), bright(&RIGHT)] };
    model.show(&mut Scaler::default(), &halves(0, 230), &mut work).unwrap();
    let Findings::Scored(scored) = engine.examine(&work).unwrap() else { panic!("it compares") };
    let calibration = Calibration { temperature: 1.0, bias: 0.0 };
    let question = Question::Words(Worded { calibration, threshold: 0.5 });
    let answers: Vec<Answer> =
        scored.into_iter().map(|scored| question.judge(&Seen::Answered(scored)).answer).collect();
    assert_eq!(answers, [Answer::Abstain, Answer::Yes]);
}

#[test]
fn a_question_of_another_family_is_an_error() {
    let Some((mut engine, model, _storage)) = open(&fixture("zero-shot-f16")) else { return };
    let mut work = Work { pictures: Vec::new(), asked: vec![Asked::Text { tokens: [1, 2].into(), explain: None }] };
    model.show(&mut Scaler::default(), &halves(0, 230), &mut work).unwrap();
    let refused = engine.examine(&work).unwrap_err().to_string();
    assert!(refused.contains("it compares, and was asked a question"), "{refused}");
}
