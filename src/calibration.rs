//! Calibration: from a model's scores on labelled pictures to a temperature and a bias, and how far they are to be trusted.
//!
//! Owns Platt scaling and the figures of a reliability report; refuses to know models, pictures and files. Pure: plain
//! arithmetic in `f64`, the same input always gives the same output.

use crate::config::Calibration;

/// What a model said about one labelled picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// What it said.
    pub said: Said,
    /// What is true.
    pub truth: bool,
}

/// The model's part of a [`Sample`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said {
    /// A number: the logit before calibration.
    Score(f64),
    /// No number, and that means no: a detector without a detection.
    Nothing,
    /// No answer. Counted, and otherwise left out.
    Abstained,
}

/// So many pictures with a score are the least that a fit means anything for.
pub const FEWEST: usize = 30;
/// So many of each answer, likewise.
pub const FEWEST_OF_EACH: usize = 5;

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too little to learn from.
    #[error("{scored} pictures got a score, and at least {FEWEST} are needed; label more of them")]
    TooFew {
        /// So many have a score.
        scored: usize,
    },
    /// Only one answer, or nearly.
    #[error(
        "{yes} of the pictures that got a score are labelled yes and {no} no, and at least {FEWEST_OF_EACH} of each are needed; \
         add pictures of the rarer kind, or lower the `score_threshold` of a detector that finds nothing"
    )]
    OneSided {
        /// So many with a score are labelled yes.
        yes: usize,
        /// So many no.
        no: usize,
    },
    /// Its scores say the opposite, or nothing at all.
    #[error(
        "the model's scores are not higher where the label is yes: it can't tell the difference, or the labels are swapped; \
         look at the labels, or ask in other words"
    )]
    Uninformative,
}

/// Fits `p = sigmoid(z / temperature + bias)` to the samples that have a score.
///
/// Platt scaling with smoothed targets, which keep the fit finite where the scores separate yes from no completely (Platt
/// 1999), by Newton's method with backtracking (Lin, Lin and Weng 2007).
///
/// # Errors
/// Data that no fit can be trusted with.
pub fn fit(samples: &[Sample]) -> Result<Calibration, Unfit> {
    let scored: Vec<(f64, bool)> = samples.iter().filter_map(scored).collect();
    let yes = scored.iter().filter(|(_, truth)| *truth).count();
    let no = scored.len() - yes;
    if scored.len() < FEWEST {
        return Err(Unfit::TooFew { scored: scored.len() });
    }
    if yes.min(no) < FEWEST_OF_EACH {
        return Err(Unfit::OneSided { yes, no });
    }
    fitted(&scored).ok_or(Unfit::Uninformative)
}

/// None: scores that don't rise where the label is yes, or labels that are all the same.
fn fitted(scored: &[(f64, bool)]) -> Option<Calibration> {
    let yes = scored.iter().filter(|(_, truth)| *truth).count();
    let no = scored.len() - yes;
    let (slope, bias) = platt(scored, yes as f64, no as f64);
    // A temperature beyond 1000 says that the score means nothing; a negative one, that it means the opposite.
    let makes_sense = yes > 0 && no > 0 && slope.is_finite() && bias.is_finite() && slope > 1e-3;
    makes_sense.then(|| Calibration { temperature: (1.0 / slope) as f32, bias: bias as f32 })
}

fn scored(sample: &Sample) -> Option<(f64, bool)> {
    match sample.said {
        Said::Score(z) if z.is_finite() => Some((z, sample.truth)),
        _ => None,
    }
}

/// Newton's method ends here at the latest; it takes about 10 steps.
const STEPS: usize = 100;

/// Slope and bias that minimise the cross-entropy against the smoothed targets.
fn platt(scored: &[(f64, bool)], yes: f64, no: f64) -> (f64, f64) {
    let target = |truth| if truth { (yes + 1.0) / (yes + 2.0) } else { 1.0 / (no + 2.0) };
    let loss = |slope: f64, bias: f64| -> f64 {
        // log(1 + e^x) - t*x, without overflow.
        let one = |x: f64, t: f64| x.max(0.0) + (-x.abs()).exp().ln_1p() - t * x;
        scored.iter().map(|(z, truth)| one(slope * z + bias, target(*truth))).sum()
    };
    let (mut slope, mut bias) = (0.0, ((yes + 1.0) / (no + 1.0)).ln());
    let mut current = loss(slope, bias);
    for _ in 0..STEPS {
        let (mut g_slope, mut g_bias, mut h_slope, mut h_both, mut h_bias) = (0.0, 0.0, 1e-12, 0.0, 1e-12);
        for (z, truth) in scored {
            let p = sigmoid(slope * z + bias);
            let (error, weight) = (p - target(*truth), p * (1.0 - p));
            g_slope += error * z;
            g_bias += error;
            h_slope += weight * z * z;
            h_both += weight * z;
            h_bias += weight;
        }
        if g_slope.abs() < 1e-9 && g_bias.abs() < 1e-9 {
            break;
        }
        let determinant = h_slope * h_bias - h_both * h_both;
        let to_slope = -(h_bias * g_slope - h_both * g_bias) / determinant;
        let to_bias = -(h_slope * g_bias - h_both * g_slope) / determinant;
        let descent = g_slope * to_slope + g_bias * to_bias;
        let mut step = 1.0;
        loop {
            let tried = loss(slope + step * to_slope, bias + step * to_bias);
            if tried < current + 1e-4 * step * descent {
                (slope, bias, current) = (slope + step * to_slope, bias + step * to_bias, tried);
                break;
            }
            step /= 2.0;
            if step < 1e-10 {
                return (slope, bias);
            }
        }
    }
    (slope, bias)
}

/// The probability that a calibration makes of a logit.
pub fn probability(z: f64, calibration: Calibration) -> f64 {
    sigmoid(z / f64::from(calibration.temperature) + f64::from(calibration.bias))
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The bins of the expected calibration error.
pub const BINS: usize = 15;

/// How good the answers are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Pictures that got an answer.
    pub answered: usize,
    /// Pictures without one.
    pub abstained: usize,
    /// Said yes rightly.
    pub true_yes: usize,
    /// Said yes where no is true.
    pub false_yes: usize,
    /// Said no rightly.
    pub true_no: usize,
    /// Said no where yes is true.
    pub false_no: usize,
    /// By probability: bin `i` holds `i/15` up to `(i+1)/15`.
    pub bins: [Bin; BINS],
}

/// The pictures whose probability lies in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// So many.
    pub count: usize,
    /// The sum of their probabilities.
    pub probability: f64,
    /// So many of them are labelled yes.
    pub yes: usize,
}

impl Bin {
    /// Their mean probability; None when there are none.
    pub fn said(&self) -> Option<f64> {
        (self.count > 0).then(|| self.probability / self.count as f64)
    }

    /// The share that is labelled yes; None when there are none.
    pub fn was(&self) -> Option<f64> {
        (self.count > 0).then(|| self.yes as f64 / self.count as f64)
    }
}

impl Report {
    /// The report of `samples` under `calibration`, where yes is said from `threshold`.
    pub fn new(samples: &[Sample], calibration: Calibration, threshold: f64) -> Report {
        let mut report = Report::default();
        samples.iter().for_each(|sample| report.add(sample, calibration, threshold));
        report
    }

    fn add(&mut self, sample: &Sample, calibration: Calibration, threshold: f64) {
        let p = match sample.said {
            Said::Score(z) if z.is_finite() => probability(z, calibration),
            Said::Nothing => 0.0,
            _ => {
                self.abstained += 1;
                return;
            }
        };
        self.answered += 1;
        *match (p >= threshold, sample.truth) {
            (true, true) => &mut self.true_yes,
            (true, false) => &mut self.false_yes,
            (false, false) => &mut self.true_no,
            (false, true) => &mut self.false_no,
        } += 1;
        let bin = &mut self.bins[((p * BINS as f64) as usize).min(BINS - 1)];
        bin.count += 1;
        bin.probability += p;
        bin.yes += usize::from(sample.truth);
    }

    fn join(mut self, other: &Report) -> Report {
        self.answered += other.answered;
        self.abstained += other.abstained;
        self.true_yes += other.true_yes;
        self.false_yes += other.false_yes;
        self.true_no += other.true_no;
        self.false_no += other.false_no;
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.count += more.count;
            bin.probability += more.probability;
            bin.yes += more.yes;
        }
        self
    }

    /// The share of right answers; None without answers.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.true_yes + self.true_no, self.answered)
    }

    /// The share of yes answers that are right; None without any.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_yes, self.true_yes + self.false_yes)
    }

    /// The share of what is labelled yes that was found; None without any.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_yes, self.true_yes + self.false_no)
    }

    /// The expected calibration error over [`BINS`] bins of equal width: the mean distance between what was said and what
    /// was, weighted by count (Naeini et al. 2015). None without answers.
    pub fn ece(&self) -> Option<f64> {
        let gaps = self.bins.iter().map(|bin| (bin.probability - bin.yes as f64).abs()).sum::<f64>();
        (self.answered > 0).then(|| gaps / self.answered as f64)
    }
}

fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// Held-out data in so many parts.
pub const FOLDS: usize = 5;

/// What a fit on other pictures would say about each: the report of all [`FOLDS`] parts, each judged with the calibration
/// of the other four. `groups` says which samples belong together (questions about one picture): they are never on both
/// sides. Parts that leave too little to learn from make it None.
pub fn cross_validated(samples: &[Sample], groups: &[usize], threshold: f64) -> Option<Report> {
    let mut whole = Report::default();
    for fold in 0..FOLDS {
        let part = |held_out: bool| -> Vec<Sample> {
            let in_part = |group: &usize| (group % FOLDS == fold) == held_out;
            samples.iter().zip(groups).filter(|(_, group)| in_part(group)).map(|(sample, _)| *sample).collect()
        };
        let rest: Vec<(f64, bool)> = part(false).iter().filter_map(scored).collect();
        let calibration = fitted(&rest)?;
        whole = whole.join(&Report::new(&part(true), calibration, threshold));
    }
    Some(whole)
}

#[cfg(test)]
mod tests;
