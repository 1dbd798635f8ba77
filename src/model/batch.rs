//! Several frames through a graph together.
//!
//! Owns how works are joined and outputs are taken apart; refuses to know which frames go together (`post`). Runs on the
//! model's thread.

use super::{Engine, Findings, Outputs, RunError, Tensor, Work};

/// More at once would make the first one wait for a gain that is small by then.
pub(super) const MOST: usize = 8;

/// Examines all of `works` in as few runs as the engine allows, which takes them together only if `together`. One result
/// for each, the same as if it had been alone.
pub(super) fn examine(
    engine: &mut dyn Engine,
    works: &mut [&mut Work],
    together: bool,
) -> Vec<Result<Findings, RunError>> {
    let one_each = works.iter().all(|work| work.pictures.len() == 1 && work.asked.is_empty());
    if works.len() < 2 || !together || !one_each {
        return works.iter().map(|work| engine.examine(work)).collect();
    }
    let pictures = works.iter_mut().flat_map(|work| work.pictures.drain(..)).collect();
    let joined = Work { pictures, asked: Vec::new() };
    let findings = engine.examine(&joined);
    for (work, picture) in works.iter_mut().zip(joined.pictures) {
        work.pictures.push(picture);
    }
    match findings {
        Ok(Findings::Numbers(outputs)) => {
            split(&outputs, works.len()).into_iter().map(Findings::Numbers).map(Ok).collect()
        }
        Ok(Findings::Scored(_)) => vec![Err(RunError("it answered what nobody had asked".to_owned())); works.len()],
        Err(error) => vec![Err(error); works.len()],
    }
}

/// Each picture's part of the outputs of a run of `pictures`.
fn split(outputs: &Outputs, pictures: usize) -> Vec<Outputs> {
    (0..pictures).map(|picture| outputs.iter().map(|output| part(output, picture, pictures)).collect()).collect()
}

/// An output that isn't one for each picture is one that no head reads: it stays behind.
fn part(output: &Tensor, picture: usize, pictures: usize) -> Tensor {
    if output.shape.first() != Some(&pictures) {
        return Tensor::default();
    }
    let length = output.data.len() / pictures;
    let mut shape = output.shape.clone();
    shape[0] = 1;
    Tensor { shape, data: output.data[picture * length..(picture + 1) * length].to_vec() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives each picture's sum and its first number, and a number of its own; counts its runs.
    #[derive(Default)]
    struct Sums {
        runs: usize,
    }

    impl Engine for Sums {
        fn examine(&mut self, work: &Work) -> Result<Findings, RunError> {
            self.runs += 1;
            let shape = vec![work.pictures.len(), 2];
            let of = |picture: &Tensor| [picture.data.iter().sum(), picture.data[0]];
            let data = work.pictures.iter().flat_map(of).collect();
            let strange = Tensor { shape: vec![3], data: vec![1.0; 3] };
            Ok(Findings::Numbers(vec![strange, Tensor { shape, data }]))
        }
    }

    fn work(data: &[f32]) -> Work {
        Work { pictures: vec![Tensor { shape: vec![1, data.len()], data: data.to_vec() }], asked: Vec::new() }
    }

    proptest! {
        #[test]
        fn together_or_alone_makes_no_difference(pictures in proptest::collection::vec([-1e3_f32..1e3, -1e3_f32..1e3], 2..=MOST)) {
            prop_assume!(pictures.len() != 3, "an unread output of that length is split, too");
            let read = |findings: &Result<Findings, RunError>| match findings {
                Ok(Findings::Numbers(outputs)) => outputs[1].clone(),
                other => panic!("{other:?}"),
            };
            let results = |together: bool| {
                let mut works: Vec<Work> = pictures.iter().map(|picture| work(picture)).collect();
                let before = works.clone();
                let mut engine = Sums::default();
                let results = examine(&mut engine, &mut works.iter_mut().collect::<Vec<_>>(), together);
                assert_eq!(works.iter().map(|w| &w.pictures).collect::<Vec<_>>(), before.iter().map(|w| &w.pictures).collect::<Vec<_>>());
                (results.iter().map(read).collect::<Vec<_>>(), engine.runs)
            };
            let (alone, runs) = results(false);
            prop_assert_eq!(runs, pictures.len());
            let (together, runs) = results(true);
            prop_assert_eq!(runs, 1);
            prop_assert_eq!(together, alone);
        }
    }

    /// Fails on several.
    struct Alone;

    impl Engine for Alone {
        fn examine(&mut self, work: &Work) -> Result<Findings, RunError> {
            match work.pictures.len() {
                1 => Ok(Findings::Scored(Vec::new())),
                several => Err(RunError(format!("{several}"))),
            }
        }
    }

    #[test]
    fn a_run_that_fails_fails_for_all() {
        let (mut one, mut other) = (work(&[1.0]), work(&[2.0]));
        let results = examine(&mut Alone, &mut [&mut one, &mut other], true);
        assert_eq!(results, [Err(RunError("2".into())), Err(RunError("2".into()))]);
        assert_eq!(one.pictures.len(), 1);
        assert_eq!(examine(&mut Alone, &mut [&mut one], true), [Ok(Findings::Scored(Vec::new()))]);
    }
}
