//! The product's vision language models give what transformers gives: the same tokens and logits, from goldens that
//! scripts/fixtures made. And three mistakes that these comparisons must notice.

use std::path::Path;

use stakeout::judge::{LEAST_ANSWER_MASS, Scored};
use stakeout::model::vlm::{Cache, Decoder, Embeddings, Parts, Step, Vocabulary, greedy, likeliest, sequential};
use stakeout::model::{Explain, Findings, Folder, Rung, Tensor, Wording, Work, load};
use stakeout::name::Name;
use stakeout::picture::{Scaler, still};

use crate::shared::runtime;
use crate::vlm::{Golden, Goldens, Laid, ask, fixture};

/// A model, taken apart: what the tests below do right and wrong.
struct Bench {
    parts: Parts,
    vocabulary: Vocabulary,
    goldens: Goldens,
    laid: Laid,
}

/// One way to read a prompt.
struct Reading<'a> {
    picture: &'a Tensor,
    mask: &'a [i64],
    positions: &'a [i64],
}

impl Bench {
    fn new(laid: Laid) -> Option<Bench> {
        let (parts, _) = Parts::open(runtime()?, &laid.setup.graphs, laid.setup.size, 1).unwrap();
        let vocabulary = Vocabulary::open(&laid.setup).unwrap();
        Some(Bench { parts, vocabulary, goldens: laid.goldens(), laid })
    }

    fn picture(&self, golden: &Golden) -> Tensor {
        self.laid.picture(&self.goldens, &golden.image)
    }

    /// The whole prompt in one run, without any prefix: the logits after it, and the cache.
    fn read(&mut self, golden: &Golden, reading: &Reading<'_>) -> (Vec<f32>, Cache) {
        let features = self.parts.vision.features(reading.picture).unwrap();
        let mut rows = self.parts.embeddings.rows(&golden.tokens).unwrap().numbers().to_vec();
        let places = golden.tokens.iter().zip(rows.chunks_exact_mut(features.width()));
        let places = places.filter(|(id, _)| **id == self.vocabulary.image());
        for ((_, row), feature) in places.zip(features.numbers().chunks_exact(features.width())) {
            row.copy_from_slice(feature);
        }
        let step = Step { embeds: &rows, mask: reading.mask, positions: reading.positions };
        let empty = self.parts.decoder.empty().unwrap();
        let next = self.parts.decoder.step(&step, &empty).unwrap();
        (next.logits().to_vec(), next.cache)
    }

    fn read_right(&mut self, golden: &Golden, picture: &Tensor) -> (Vec<f32>, Cache) {
        let length = golden.tokens.len();
        self.read(golden, &Reading { picture, mask: &vec![1; length], positions: &sequential(0, length) })
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[expect(clippy::print_stdout, reason = "says how close")]
fn tokens_and_logits_agree(laid: Laid, least: usize) {
    let Some(mut bench) = Bench::new(laid) else { return };
    let goldens = std::mem::take(&mut bench.goldens.prompts);
    assert!(goldens.len() >= least, "{} prompts are too few", goldens.len());
    let mut worst = 0.0_f32;
    for golden in &goldens {
        let (logits, cache) = bench.read_right(golden, &bench.picture(golden));
        if !golden.logits.is_empty() {
            worst = worst.max(largest_difference(&logits, &golden.logits));
        }
        let first = likeliest(&logits).unwrap() as i64;
        let mut said = vec![first];
        let left = bench.goldens.max_new_tokens - 1;
        said.extend(greedy(&mut bench.parts, &bench.vocabulary, first, &cache, left).unwrap());
        assert_eq!(said, golden.generated, "{}: {}", golden.image, golden.question);
    }
    println!("{} prompts, the same tokens, logits within {worst:.1e}", goldens.len());
    assert!(worst < bench.goldens.tolerance, "{worst}");
}

#[test]
fn tokens_and_logits_are_those_of_transformers() {
    tokens_and_logits_agree(Laid::fixture("tiny-smolvlm"), 40);
}

#[test]
fn a_half_precision_model_says_the_same() {
    tokens_and_logits_agree(Laid::fixture("tiny-smolvlm-f16"), 20);
}

#[test]
fn the_shipped_model_says_what_it_says_in_transformers() {
    let yard = Laid::yard();
    let made_for = yard.goldens().made_for;
    for (role, hash) in &yard.hashes {
        assert_eq!(made_for.get(*role), Some(hash), "{role} is another one now; run scripts/yard/goldens_vlm.py");
    }
    tokens_and_logits_agree(yard, 40);
}

/// The other way round: each mistake that the goldens are there to catch is far outside of the tolerance, on every prompt.
fn mistakes_are_noticed(laid: Laid, cuts_masks: bool) {
    let Some(mut bench) = Bench::new(laid) else { return };
    let goldens = std::mem::take(&mut bench.goldens.prompts);
    let limit = 10.0 * bench.goldens.tolerance;
    for (place, golden) in goldens.iter().enumerate() {
        let (picture, length) = (bench.picture(golden), golden.tokens.len());
        let other = bench.picture(unlike(&goldens, place));
        let after_image = golden.tokens.iter().rposition(|id| *id == bench.vocabulary.image()).unwrap() + 1;
        let (ones, straight) = (vec![1; length], sequential(0, length));
        let (mut hidden, mut shifted) = (ones.clone(), straight.clone());
        hidden[..after_image].fill(0);
        shifted[after_image..].iter_mut().for_each(|position| *position += 1);
        let (picture, straight) = (&picture, straight.as_slice());
        let mut mistakes = vec![
            ("a swapped image", Reading { picture: &other, mask: &ones, positions: straight }),
            ("shifted positions", Reading { picture, mask: &ones, positions: &shifted }),
            ("a mask that hides the beginning", Reading { picture, mask: &hidden, positions: straight }),
        ];
        if cuts_masks {
            let mask = &ones[after_image..];
            mistakes.push(("a shortened mask", Reading { picture, mask, positions: straight }));
        }
        for (mistake, reading) in mistakes {
            let (logits, _) = bench.read(golden, &reading);
            let difference = largest_difference(&logits, &golden.logits);
            let what = format!("{}: {}", golden.image, golden.question);
            assert!(difference > limit, "{mistake} changes {what} by only {difference}");
        }
    }
}

/// A golden about another picture that is answered differently, or at least about another picture.
fn unlike(goldens: &[Golden], place: usize) -> &Golden {
    let this = &goldens[place];
    let far = |other: &&Golden| other.image != this.image && other.question == this.question;
    let distance = |a: &&Golden, b: &&Golden| (a.z - this.z).abs().total_cmp(&(b.z - this.z).abs());
    let others = || goldens.iter().filter(|other| other.image != this.image);
    others().filter(far).max_by(distance).or_else(|| others().next()).unwrap()
}

#[test]
fn mistakes_with_the_small_model_are_noticed() {
    mistakes_are_noticed(Laid::fixture("tiny-smolvlm"), true);
}

#[test]
fn mistakes_with_the_shipped_model_are_noticed() {
    // Its decoder takes a mask that is too short for an error.
    mistakes_are_noticed(Laid::yard(), false);
}

fn close(scored: &Scored, golden: &Golden, tolerance: f32) {
    let what = format!("{}, {}: {scored:?}", golden.image, golden.question);
    assert!((scored.z - golden.z).abs() < tolerance, "z of {what} is {} in the goldens", golden.z);
    let mass = scored.answer_mass.unwrap();
    assert!((mass - golden.answer_mass).abs() < tolerance, "mass of {what} is {} in the goldens", golden.answer_mass);
}

/// As the product asks: the prompt in two pieces, the first one shared by all questions about a picture.
#[test]
fn questions_about_a_picture_share_what_was_read_of_it() {
    let Some(runtime) = runtime() else { return };
    let fixtures = ["tiny-smolvlm", "tiny-smolvlm-f16", "smolvlm-256m-layout", "smolvlm-256m-layout-mixed"];
    for laid in fixtures.into_iter().map(Laid::fixture).chain([Laid::yard()]) {
        let (mut vlm, rungs) = laid.open(runtime).unwrap();
        assert_eq!(rungs, [Rung::Everything; 3], "{:?}", laid.setup.graphs);
        let mut goldens = laid.goldens();
        // The product would put another sentence around what isn't a question.
        goldens.prompts.retain(|golden| golden.question.ends_with('?'));
        for group in goldens.prompts.chunk_by(|a, b| a.image == b.image) {
            let picture = laid.picture(&goldens, &group[0].image);
            // Every second answer is explained: that must not disturb the next one.
            let explain = |place: usize| (place % 2 == 1).then_some(Explain::AtLeast(f32::NEG_INFINITY));
            let questions: Vec<_> =
                group.iter().enumerate().map(|(place, golden)| (golden.question.as_str(), explain(place))).collect();
            let scored = ask(&mut vlm, &picture, &questions).unwrap();
            assert_eq!(scored.len(), group.len());
            for ((place, golden), scored) in group.iter().enumerate().zip(&scored) {
                close(scored, golden, goldens.tolerance);
                let answered = golden.answer_mass >= LEAST_ANSWER_MASS;
                assert_eq!(scored.explanation.is_some(), place % 2 == 1 && answered, "{scored:?}");
            }
        }
    }
}

/// From a folder and a picture in a file to an answer, as `ask` and the daemon go: the picture's way through a camera's
/// colours costs a little, but no verdict.
#[test]
fn a_folder_and_a_picture_are_all_it_takes() {
    let Some(runtime) = runtime() else { return };
    for name in ["tiny-smolvlm", "smolvlm-256m-layout-mixed"] {
        let laid = Laid::fixture(name);
        let folder = Folder::open(&Name::new("m").unwrap(), Some(&fixture(name)), Path::new("/nowhere")).unwrap();
        let mut loaded = load(runtime, &folder, 1).unwrap();
        assert_eq!(loaded.rungs.len(), 3);
        let (goldens, mut scaler) = (laid.goldens(), Scaler::default());
        for golden in goldens.prompts.iter().filter(|golden| golden.z.abs() > 1.0) {
            let file = laid.picture_file(&goldens, &golden.image);
            let frame = still(&std::fs::read(file).unwrap()).unwrap();
            let (picture, _) = loaded.model.prepare(&mut scaler, &frame, Tensor::default()).unwrap();
            let wording = Wording { condition: golden.question.clone(), ..Wording::default() };
            let asked = vec![loaded.model.phrase(&wording).unwrap()];
            let findings = loaded.engine.examine(&Work { pictures: vec![picture], asked }).unwrap();
            let Findings::Scored(scored) = findings else { panic!("it reads") };
            let what = format!("{name}, {}, {}: {scored:?}", golden.image, golden.question);
            assert!((scored[0].z - golden.z).abs() < 0.5, "{what}, and {} in the goldens", golden.z);
        }
    }
}

#[test]
fn answers_are_explained_only_where_they_would_change_something() {
    let Some(runtime) = runtime() else { return };
    let laid = Laid::fixture("tiny-smolvlm");
    let (mut vlm, _) = laid.open(runtime).unwrap();
    let goldens = laid.goldens();
    let mut explained = 0;
    for golden in
        goldens.prompts.iter().filter(|golden| golden.text.starts_with([' ', 'Y', 'N']) && golden.z.abs() > 2.0)
    {
        let picture = laid.picture(&goldens, &golden.image);
        let question = golden.question.as_str();
        let above = Explain::AtLeast(0.0);
        let below = Explain::Below(0.0);
        let scored =
            ask(&mut vlm, &picture, &[(question, None), (question, Some(above)), (question, Some(below))]).unwrap();
        let said: Vec<Option<&str>> = scored.iter().map(|scored| scored.explanation.as_deref()).collect();
        let (yes, no) = (golden.text.starts_with(" Yes"), golden.text.starts_with(" No"));
        let words = golden.text.trim();
        match golden.z > 0.0 {
            true if yes => assert_eq!(said, [None, Some(words), None]),
            false if no => assert_eq!(said, [None, None, Some(words)]),
            _ => continue,
        }
        explained += 1;
    }
    assert!(explained >= 20, "{explained} are too few");
}

/// Another family's decoder: no positions, and convolution windows among the cache. Read at once and in pieces.
#[test]
fn a_decoder_with_a_hybrid_cache_is_driven_by_what_it_declares() {
    let Some(runtime) = runtime() else { return };
    let folder = fixture("lfm2-vl-layout");
    let text = std::fs::read_to_string(folder.join("goldens.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    let tokens: Vec<i64> = serde_json::from_value(golden["tokens"].clone()).unwrap();
    let best: Vec<(usize, f32)> = serde_json::from_value(golden["best"].clone()).unwrap();
    let (mut embeddings, _) = Embeddings::open(runtime, &folder.join("onnx/embed_tokens.onnx"), 1).unwrap();
    let width = embeddings.width();
    let (mut decoder, _) = Decoder::open(runtime, &folder.join("onnx/decoder_model_merged.onnx"), width, 1).unwrap();
    for pieces in [vec![&tokens[..]], vec![&tokens[..2], &tokens[2..]]] {
        let (mut past, mut logits) = (decoder.empty().unwrap(), Vec::new());
        for piece in pieces {
            let rows = embeddings.rows(piece).unwrap();
            let step = Step { embeds: rows.numbers(), mask: &vec![1; past.length() + piece.len()], positions: &[] };
            let next = decoder.step(&step, &past).unwrap();
            logits = next.logits().to_vec();
            past = next.cache;
        }
        for (id, logit) in &best {
            assert!((logits[*id] - logit).abs() < 1e-3, "token {id}: {} instead of {logit}", logits[*id]);
        }
    }
}
