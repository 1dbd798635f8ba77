//! What a fit promises: known values, refusals, and figures of pictures that it has not seen.

use super::*;

fn samples(scores: &[f64], truths: &[bool]) -> Vec<Sample> {
    scores.iter().zip(truths).map(|(z, truth)| Sample { said: Said::Score(*z), truth: *truth }).collect()
}

fn close(left: f64, right: f64, within: f64) {
    assert!((left - right).abs() < within, "{left} and {right}");
}

/// Expected values: plain gradient descent in Python to a gradient below 1e-13.
#[test]
fn the_fit_agrees_with_another_method() {
    let scores: Vec<f64> = (0..41).map(|i| -3.0 + 0.15 * f64::from(i)).collect();
    let yes = [0, 7, 14, 15, 21, 22, 23, 24, 28, 29, 30, 31, 32, 35, 36, 37, 38, 39, 40];
    let truths: Vec<bool> = (0..41).map(|i| yes.contains(&i)).collect();
    let fitted = fit(&samples(&scores, &truths)).unwrap();
    close(f64::from(fitted.temperature), 1.678_979_807, 1e-6);
    close(f64::from(fitted.bias), -0.183_891_696, 1e-6);
}

/// Two scores only: the fit passes through the smoothed targets exactly, 21/22 and 1/22.
#[test]
fn scores_that_separate_completely_give_a_finite_fit() {
    let scores: Vec<f64> = [-1.0; 20].into_iter().chain([1.0; 20]).collect();
    let truths: Vec<bool> = (0..40).map(|i| i >= 20).collect();
    let fitted = fit(&samples(&scores, &truths)).unwrap();
    close(f64::from(fitted.temperature), 1.0 / 21.0_f64.ln(), 1e-6);
    close(f64::from(fitted.bias), 0.0, 1e-6);
}

/// A model whose answers are right on average, but twice as sure as they should be, is told to be half as sure.
#[test]
fn an_overconfident_model_is_cooled_down() {
    let (mut scores, mut truths) = (Vec::new(), Vec::new());
    for step in -20..=20 {
        let honest = f64::from(step) * 0.15;
        let of_100 = (100.0 * sigmoid(honest)).round() as usize;
        scores.extend([honest * 2.0; 100]);
        truths.extend((0..100).map(|i| i < of_100));
    }
    let all = samples(&scores, &truths);
    let fitted = fit(&all).unwrap();
    close(f64::from(fitted.temperature), 2.0, 0.05);
    close(f64::from(fitted.bias), 0.0, 0.02);
    let plain = Calibration { temperature: 1.0, bias: 0.0 };
    let (before, after) = (Report::new(&all, plain, 0.5), Report::new(&all, fitted, 0.5));
    assert!(before.ece().unwrap() > 0.08, "{:?}", before.ece());
    assert!(after.ece().unwrap() < 0.02, "{:?}", after.ece());
}

#[test]
fn too_little_and_one_sided_data_is_refused() {
    let mixed = |count: usize, yes: usize| -> Vec<Sample> {
        (0..count).map(|i| Sample { said: Said::Score(if i < yes { 1.0 } else { -1.0 }), truth: i < yes }).collect()
    };
    assert_eq!(fit(&mixed(29, 15)), Err(Unfit::TooFew { scored: 29 }));
    assert_eq!(fit(&mixed(40, 4)), Err(Unfit::OneSided { yes: 4, no: 36 }));
    assert_eq!(fit(&mixed(40, 40)), Err(Unfit::OneSided { yes: 40, no: 0 }));
    assert!(fit(&mixed(40, 5)).is_ok());
    // What has no score teaches nothing.
    let mut silent = mixed(29, 15);
    silent.extend([Sample { said: Said::Nothing, truth: true }; 50]);
    silent.extend([Sample { said: Said::Score(f64::NAN), truth: true }; 50]);
    assert_eq!(fit(&silent), Err(Unfit::TooFew { scored: 29 }));
}

#[test]
fn scores_that_say_nothing_or_the_opposite_are_refused() {
    let opposite: Vec<Sample> =
        (0..60).map(|i| Sample { said: Said::Score(if i % 2 == 0 { 2.0 } else { -2.0 }), truth: i % 2 == 1 }).collect();
    assert_eq!(fit(&opposite), Err(Unfit::Uninformative));
    let constant: Vec<Sample> = (0..60).map(|i| Sample { said: Said::Score(1.0), truth: i % 2 == 1 }).collect();
    assert_eq!(fit(&constant), Err(Unfit::Uninformative));
}

#[test]
fn the_figures_are_those_of_their_definitions() {
    let plain = Calibration { temperature: 1.0, bias: 0.0 };
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let mut all =
        samples(&[logit(0.9), logit(0.9), logit(0.7), logit(0.1), logit(0.2)], &[true, false, true, true, false]);
    all.push(Sample { said: Said::Nothing, truth: true });
    all.push(Sample { said: Said::Abstained, truth: true });
    let report = Report::new(&all, plain, 0.5);
    assert_eq!((report.true_yes, report.false_yes, report.true_no, report.false_no), (2, 1, 1, 2));
    assert_eq!((report.answered, report.abstained), (6, 1));
    close(report.accuracy().unwrap(), 0.5, 1e-12);
    close(report.precision().unwrap(), 2.0 / 3.0, 1e-12);
    close(report.recall().unwrap(), 0.5, 1e-12);
    // Bins: {0.9, 0.9} 1 of 2; {0.7} 1; {0.1} 1; {0.2} 0 (0.2 * 15 = 3); {0} 1.
    close(report.ece().unwrap(), (0.8 + 0.3 + 0.9 + 0.2 + 1.0) / 6.0, 1e-9);
    assert_eq!(report.bins.iter().map(|bin| bin.count).sum::<usize>(), 6);
    assert_eq!(Report::default().ece(), None);
    assert_eq!(Report::default().precision(), None);
}

/// Scores that were learned by heart: on what a fit has seen they look better than on what it has not.
#[test]
fn cross_validation_keeps_groups_together_and_judges_each_sample_once() {
    let scores: Vec<f64> = (0..100).map(|i| f64::from(i % 10) - 4.5).collect();
    let truths: Vec<bool> = (0..100).map(|i| (i % 10) + (i / 10) % 3 > 5).collect();
    let groups: Vec<usize> = (0..100).map(|i| i / 4).collect();
    let all = samples(&scores, &truths);
    let report = cross_validated(&all, &groups, 0.5).unwrap();
    assert_eq!(report.answered, 100);
    assert!(report.accuracy().unwrap() > 0.8);
    // One group holds every yes: the folds without it have nothing to learn from.
    let one_group: Vec<usize> = truths.iter().map(|yes| usize::from(*yes)).collect();
    assert_eq!(cross_validated(&all, &one_group, 0.5), None);
}
