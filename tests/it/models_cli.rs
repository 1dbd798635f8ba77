//! `stakeout ask` and `stakeout models check|bench|calibrate`, with the built binary on real models.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

use crate::shared::runtime;

/// A folder with pictures, and a configuration that says where the models are.
struct Shop {
    folder: TempDir,
    models: Vec<(String, PathBuf)>,
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn library() -> PathBuf {
    let library = std::env::var_os("ORT_LIB").map_or_else(|| ".setup/lib/libonnxruntime.so".into(), PathBuf::from);
    root().join(library)
}

impl Shop {
    /// With these models of tests/data/models; None without ONNX Runtime.
    fn with(models: &[&str]) -> Option<Shop> {
        runtime()?;
        let at =
            |name: &&str| (name.rsplit('/').next().unwrap().to_owned(), root().join("tests/data/models").join(name));
        Some(Shop { folder: TempDir::new().unwrap(), models: models.iter().map(at).collect() })
    }

    /// With a copy of a model that may be written to.
    fn with_copy(model: &str) -> Option<Shop> {
        let mut shop = Shop::with(&[])?;
        let copy = shop.path("model");
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(root().join("tests/data/models").join(model)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
        shop.models.push((model.to_owned(), copy));
        Some(shop)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// A picture of one colour.
    fn picture(&self, name: &str, colour: [u8; 3]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        RgbImage::from_pixel(16, 16, Rgb(colour)).save(self.path(name)).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ended {
        let mut config = format!(
            "[storage]\npath = \"{}\"\n[runtime]\nonnxruntime = \"{}\"\nthreads = 1\n",
            self.folder.path().display(),
            library().display()
        );
        for (name, path) in &self.models {
            config.push_str(&format!("[[model]]\nname = \"{name}\"\npath = \"{}\"\n", path.display()));
        }
        self.write("c.toml", &config);
        let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
        command.args(args).current_dir(&self.folder).env("STAKEOUT_CONFIG", "c.toml").stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let home = self.folder.path().to_str().unwrap();
        let text =
            |bytes| String::from_utf8(bytes).unwrap().replace(home, "HOME").replace(root().to_str().unwrap(), "ROOT");
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    fn json(&self, args: &[&str]) -> Vec<Value> {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The error of a command that must fail with `code`.
    fn refused(&self, code: i32, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{}", ended.stderr);
        ended.stderr
    }
}

/// What took how long is not asserted.
fn untimed(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("took ")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_classifier_is_asked_about_a_picture() {
    let Some(shop) = Shop::with(&["batch-free"]) else { return };
    shop.picture("red.png", [220, 30, 30]);
    shop.picture("blue.png", [20, 40, 200]);
    let asked = shop.run(&["ask", "--model", "batch-free", "--image", "red.png", "red"]);
    assert_eq!(
        untimed(&asked.stdout),
        "answer       yes\n\
         confidence   1.00 (yes from 0.50)\n\
         explanation  red 1.00\n\
         z            8.902 (the logit before calibration)\n",
        "{}",
        asked.stderr
    );
    let both = ["ask", "--model", "batch-free", "--labels", "red,bright", "--image", "red.png", "--image", "blue.png"];
    let lines = shop.json(&[&both[..], &["--json"]].concat());
    let told: Vec<_> =
        lines.iter().map(|line| (line["image"].as_str().unwrap(), line["answer"].as_str().unwrap())).collect();
    assert_eq!(told, [("red.png", "yes"), ("blue.png", "no")]);
    assert!((lines[1]["z"].as_f64().unwrap() + 5.764_706).abs() < 1e-3, "the better of both: {}", lines[1]);
    // The threshold decides, as a monitor's does.
    let strict =
        shop.json(&["ask", "--model", "batch-free", "--image", "blue.png", "--threshold", "0.001", "--json", "bright"]);
    assert_eq!(strict[0]["answer"], "yes");
    let text = shop.run(&both).stdout;
    assert!(text.starts_with("red.png\nanswer ") && text.contains("\nblue.png\nanswer "), "{text}");
}

#[test]
fn a_vision_language_model_answers_and_explains_either_answer() {
    let Some(shop) = Shop::with(&["tiny-smolvlm"]) else { return };
    let image = |name: &str| root().join("tests/data/models/tiny-smolvlm/images").join(name).display().to_string();
    let (bright, dark) = (image("bright.png"), image("dark.png"));
    let args = ["ask", "--model", "tiny-smolvlm", "--image", &bright, "--image", &dark, "Is it bright?"];
    let lines = shop.json(&[&args[..], &["--json"]].concat());
    // goldens.json, from transformers: 6.000975, "Yes, it is so."
    assert!((lines[0]["z"].as_f64().unwrap() - 6.000_975).abs() < 1e-2, "{}", lines[0]);
    assert!((lines[0]["answer_mass"].as_f64().unwrap() - 0.9865).abs() < 1e-3, "{}", lines[0]);
    assert_eq!((&lines[0]["answer"], &lines[0]["explanation"]), (&"yes".into(), &"Yes, it is so.".into()));
    assert_eq!((&lines[1]["answer"], &lines[1]["explanation"]), (&"no".into(), &"No, it is not so.".into()));
    // What it can't answer with yes or no is not a no.
    let abstained = shop.json(&["ask", "--model", "tiny-smolvlm", "--image", &bright, "--json", "What is it?"]);
    assert_eq!(abstained[0]["answer"], "abstain");
    assert!(abstained[0]["answer_mass"].as_f64().unwrap() < 0.5);
}

/// tiny-clip knows nothing, but it answers: another zone is another picture, other negatives another comparison.
#[test]
fn a_zero_shot_model_compares_descriptions() {
    let Some(shop) = Shop::with(&["tiny-clip"]) else { return };
    let image = root().join("tests/data/models/tiny-clip/images/checks-48x48.png").display().to_string();
    let z = |more: &[&str]| {
        let args = ["ask", "--model", "tiny-clip", "--image", &image, "--json", "a red car"];
        shop.json(&[&args[..], more].concat())[0]["z"].as_f64().unwrap()
    };
    let plain = z(&["--negatives", "an empty street"]);
    assert_eq!(plain, z(&["--negatives", "an empty street"]));
    assert_ne!(plain, z(&["--negatives", "a blue sky"]));
    assert_ne!(plain, z(&["--negatives", "an empty street", "--prompts", "a car"]));
    assert_ne!(plain, z(&["--negatives", "an empty street", "--zone", "0,0 0.5,0 0.5,0.4 0,0.4"]));
    let wrong = shop.refused(2, &["ask", "--model", "tiny-clip", "--image", "a.png", "--zone", "0,0 1,1", "a car"]);
    assert!(wrong.contains("a zone has at least three points from 0 to 1"), "{wrong}");
    let checked = shop.json(&["models", "check", "tiny-clip", "--json"]).remove(0);
    assert_eq!((&checked["family"], &checked["runs_on"]), (&"zero-shot".into(), &"cpu".into()));
    let bench = shop.json(&["models", "bench", "tiny-clip", "--runs", "3", "--json"]).remove(0);
    assert!(bench["further_condition_share"].is_number(), "{bench}");
}

/// tiny-clip knows nothing: the truth is what it says, but for one label in ten. Or the opposite, which no calibration mends.
#[test]
fn a_zero_shot_model_is_calibrated_with_the_negatives_of_each_row() {
    let Some(shop) = Shop::with(&["tiny-clip"]) else { return };
    shop.picture("frames/blue.png", [20, 120, 250]);
    shop.picture("frames/red.png", [250, 120, 20]);
    let z = |image: &str| {
        let args = ["ask", "--model", "tiny-clip", "--image", image, "--json", "a blue sky"];
        let negatives = ["--negatives", "a red car", "--negatives", "a red house"];
        shop.json(&[&args[..], &negatives].concat())[0]["z"].as_f64().unwrap()
    };
    let (blue, red) = (z("frames/blue.png"), z("frames/red.png"));
    assert_ne!(blue, red);
    let labelled = |blue_is_yes: bool| {
        let mut rows = String::from("file,question,answer,negatives\n");
        for at in 0..40 {
            let is_blue = at % 2 == 0;
            let file = if is_blue { "blue" } else { "red" };
            let answer = if (is_blue == blue_is_yes) != (at % 20 < 2) { "yes" } else { "no" };
            rows.push_str(&format!("{file}.png,a blue sky,{answer},a red car | a red house\n"));
        }
        shop.write("frames/labels.csv", &rows);
    };
    labelled(blue > red);
    let fitted = shop.json(&["models", "calibrate", "tiny-clip", "--folder", "frames", "--json"]).remove(0);
    assert_eq!((&fitted["answers"], &fitted["abstained"]), (&40.into(), &0.into()), "{fitted}");
    assert!((fitted["after"]["accuracy"].as_f64().unwrap() - 0.9).abs() < 1e-6, "{fitted}");
    labelled(blue < red);
    let swapped = shop.refused(1, &["models", "calibrate", "tiny-clip", "--folder", "frames"]);
    assert!(swapped.contains("it can't tell the difference, or the labels are swapped"), "{swapped}");
}

#[test]
fn what_cannot_be_asked_is_told() {
    let Some(shop) = Shop::with(&["batch-free", "tiny-smolvlm", "faulty/wrong-hash"]) else { return };
    shop.picture("a.png", [1, 2, 3]);
    shop.write("text.png", "no picture");
    let ask =
        |model: &str, more: &[&str]| shop.refused(1, &[&["ask", "--image", "a.png", "--model", model], more].concat());
    let usage =
        |model: &str, more: &[&str]| shop.refused(2, &[&["ask", "--image", "a.png", "--model", model], more].concat());
    assert_eq!(
        usage("batch-free", &["Is it red?"]),
        "error: model `batch-free` reads no questions\nhint: ask for labels with `--labels`; it has `bright`, `red`\n"
    );
    assert_eq!(
        ask("batch-free", &["--labels", "rot"]),
        "error: model `batch-free` has no label `rot`\nhint: the nearest it has: `red`\n"
    );
    assert_eq!(
        usage("tiny-smolvlm", &[]),
        "error: model `tiny-smolvlm` reads, and there is nothing to read\nhint: ask a question\n"
    );
    assert_eq!(
        usage("tiny-smolvlm", &["--labels", "red", "Is it red?"]),
        "error: model `tiny-smolvlm` knows no labels\nhint: ask in words, without `--labels`\n"
    );
    assert_eq!(
        usage("batch-free", &["red", "--zone", "0,0 1,0 1,1"]),
        "error: `zone` needs a detector, which `batch-free` is not\n\
         hint: a classifier sees the picture as a whole: leave it out, or cut the pictures\n"
    );
    let zero_shot = "`prompts` and `negatives` need a zero-shot model, which";
    assert_eq!(
        usage("batch-free", &["red", "--negatives", "blue"]),
        format!("error: {zero_shot} `batch-free` is not\nhint: leave them out\n")
    );
    assert_eq!(
        usage("tiny-smolvlm", &["Is it red?", "--negatives", "blue"]),
        format!("error: {zero_shot} `tiny-smolvlm` is not\nhint: leave them out\n")
    );
    assert_eq!(
        usage("tiny-smolvlm", &["Is it red?", "--zone", "0,0 1,0 1,1"]),
        "error: `zone` needs a model that gives boxes, which `tiny-smolvlm` does not\n\
         hint: say in the question where it must be\n"
    );
    let gap = usage("batch-free", &["--labels", "red, ,bright"]);
    assert!(gap.contains("there is no label between two commas"), "{gap}");
    let spaced = shop.json(&["ask", "--image", "a.png", "--model", "batch-free", "--json", "--labels", "red, bright"]);
    let close = shop.json(&["ask", "--image", "a.png", "--model", "batch-free", "--json", "--labels", "red,bright"]);
    assert_eq!(spaced[0]["z"], close[0]["z"]);
    let beyond = usage("batch-free", &["red", "--threshold", "1.5"]);
    assert!(beyond.contains("it is a number from 0 to 1"), "{beyond}");
    let unknown = ask("batch-fre", &["red"]);
    assert!(unknown.ends_with("hint: did you mean `batch-free`?\n"), "{unknown}");
    let published = ask("smolvlm-256m", &["Is it red?"]);
    assert!(published.ends_with("hint: `stakeout models pull smolvlm-256m` downloads it\n"), "{published}");
    let wrong = ask("wrong-hash", &["red"]);
    assert!(wrong.contains("has SHA-256 ") && wrong.contains("the manifest says"), "{wrong}");
    let broken = shop.refused(1, &["ask", "--model", "batch-free", "--image", "text.png", "red"]);
    assert_eq!(
        broken,
        "error: `text.png`: it isn't a JPEG or PNG picture that can be read: the file starts like neither\nhint: give another\n"
    );
    assert!(
        shop.refused(1, &["ask", "--model", "batch-free", "--image", "no.png", "red"])
            .contains("`no.png`: No such file")
    );
}

/// As a newcomer calls it, in a checkout: no daemon, no configuration, nothing installed.
#[test]
fn it_works_without_a_configuration() {
    if runtime().is_none() {
        return;
    }
    let checkout = TempDir::new().unwrap();
    fs::create_dir_all(checkout.path().join(".setup/lib")).unwrap();
    symlink(library(), checkout.path().join(".setup/lib/libonnxruntime.so")).unwrap();
    symlink(root().join("models"), checkout.path().join("models")).unwrap();
    let picture = root().join("tests/data/models/tiny-smolvlm/images/street.png");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stakeout"));
    command.args(["ask", "--model", "yard-classifier", "person", "--json", "--image"]).arg(picture);
    let Output { status, stdout, stderr } =
        command.current_dir(&checkout).env_remove("STAKEOUT_CONFIG").output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let line: Value = serde_json::from_slice(&stdout).unwrap();
    assert!(["yes", "no"].contains(&line["answer"].as_str().unwrap()), "{line}");
}

#[test]
fn a_check_loads_every_file_and_tries_the_model() {
    let Some(shop) = Shop::with(&["tiny-smolvlm", "batch-free", "faulty/cut-short"]) else { return };
    let vlm = shop.json(&["models", "check", "tiny-smolvlm", "--json"]).remove(0);
    let files: Vec<&str> = vlm["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(files, ["onnx/vision_encoder.onnx", "onnx/embed_tokens.onnx", "onnx/decoder_model_merged.onnx"]);
    assert!(vlm["files"][0]["loaded"].as_str().unwrap().starts_with("with all optimisations"), "{vlm}");
    assert_eq!(vlm["runs_on"], "cpu");
    assert!(vlm["question_tokens"].as_u64().unwrap() > 5, "{vlm}");
    let text = shop.run(&["models", "check", "batch-free"]).stdout;
    assert!(text.starts_with("batch-free: classifier, MIT OR Apache-2.0, sha256 3c44a7fd"), "{text}");
    assert!(text.contains("\n  batch-free.onnx    with all optimisations"), "{text}");
    assert!(text.contains("\n  labels             2: `bright`, `red`\n"), "{text}");
    let all = shop.run(&["models", "check"]);
    assert_eq!(all.code, Some(1));
    assert!(all.stdout.contains("batch-free: ") && all.stdout.contains("tiny-smolvlm: "), "{}", all.stdout);
    assert!(
        all.stderr.starts_with("error: model `cut-short`: ") && all.stderr.ends_with("error: 1 model can't be used\n"),
        "{}",
        all.stderr
    );
}

#[test]
fn a_bench_tells_the_steps_apart() {
    let Some(shop) = Shop::with(&["tiny-smolvlm", "batch-free"]) else { return };
    shop.picture("a.png", [10, 200, 30]);
    let bench =
        |model: &str| shop.json(&["models", "bench", model, "--image", "a.png", "--runs", "3", "--json"]).remove(0);
    let positive =
        |line: &Value, key: &str| assert!(line[key].as_f64().is_some_and(|value| value > 0.0), "{key}: {line}");
    let classifier = bench("batch-free");
    ["prepare", "run", "whole", "frames_a_second"].iter().for_each(|key| positive(&classifier, key));
    assert_eq!((&classifier["picture"], &classifier["look"]), (&"16x16".into(), &Value::Null));
    let vlm = bench("tiny-smolvlm");
    ["prepare", "run", "look", "whole"].iter().for_each(|key| positive(&vlm, key));
    assert!(vlm["further_condition_share"].is_number() && vlm["explanation"].is_number(), "{vlm}");
    let text = shop.run(&["models", "bench", "batch-free", "--runs", "1"]).stdout;
    assert!(text.starts_with("batch-free (classifier), a picture of 640x360, 1 looks, medians\nprepare "), "{text}");
}

/// Greys whose `bright` has logits from -6 to 6, labelled so that half of each logit is the honest one.
fn overconfident(shop: &Shop) {
    let mut rows = String::from("file,question,answer\n");
    for step in -12..=12 {
        let z = f64::from(step) * 0.5;
        let grey = ((z + 18.0) / 36.0 * 255.0).round() as u8;
        let honest = 1.0 / (1.0 + (-z / 2.0).exp());
        for turn in 0..10 {
            let file = format!("g{grey}-{turn}.png");
            shop.picture(&format!("frames/{file}"), [grey; 3]);
            let answer = if f64::from(turn) + 0.5 < honest * 10.0 { "yes" } else { "no" };
            rows.push_str(&format!("{file},bright,{answer}\n"));
        }
    }
    shop.write("frames/labels.csv", &rows);
}

#[test]
fn an_overconfident_model_is_calibrated() {
    let Some(shop) = Shop::with_copy("batch-free") else { return };
    overconfident(&shop);
    let before = fs::read_to_string(shop.path("model/manifest.toml")).unwrap();
    let fitted = shop.json(&["models", "calibrate", "batch-free", "--folder", "frames", "--json"]).remove(0);
    let number =
        |path: &str| fitted.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {fitted}"));
    assert!((number("/temperature") - 2.0).abs() < 0.15 && number("/bias").abs() < 0.15, "{fitted}");
    assert_eq!((number("/answers"), number("/abstained")), (250.0, 0.0));
    assert!(number("/before/ece") > 2.0 * number("/after/ece"), "{fitted}");
    assert!(number("/before/ece") > number("/held_out/ece"), "{fitted}");
    assert!((number("/before/accuracy") - number("/after/accuracy")).abs() < 0.05, "{fitted}");
    assert_eq!(fs::read_to_string(shop.path("model/manifest.toml")).unwrap(), before, "only `--write` writes");

    let told = shop.run(&["models", "calibrate", "batch-free", "--folder", "frames", "--write"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), "written into `HOME/model/manifest.toml`\n"));
    assert!(
        told.stdout.starts_with("250 pictures, 250 questions: 125 yes, 125 no; 0 without an answer\n"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("\n[calibration]\n# fitted by `stakeout models calibrate` on "), "{}", told.stdout);
    let after = fs::read_to_string(shop.path("model/manifest.toml")).unwrap();
    let section = told.stdout.split_once("[calibration]\n").unwrap().1;
    assert!(after.ends_with(section), "{after}");
    assert!(after.starts_with(before.split_once("[calibration]").unwrap().0), "what stands before is as it was");
    // It counts from now on: the same picture, half as sure.
    shop.picture("a.png", [150; 3]);
    let asked = shop.json(&["ask", "--model", "batch-free", "--image", "a.png", "--json", "bright"]).remove(0);
    let (z, confidence) = (asked["z"].as_f64().unwrap(), asked["confidence"].as_f64().unwrap());
    let expected = 1.0 / (1.0 + (-(z / number("/temperature") + number("/bias"))).exp());
    assert!((confidence - expected).abs() < 1e-3, "{asked}");
    let worse = shop.run(&["models", "calibrate", "batch-free", "--folder", "frames", "--write"]);
    assert_eq!(worse.code, Some(1));
    let worse = worse.stderr;
    assert!(worse.starts_with("note: on pictures that it has not seen the fit has an ECE of "), "{worse}");
    assert!(worse.contains("error: the fit is not written: it seems worse than what the manifest has\n"), "{worse}");
    assert_eq!(fs::read_to_string(shop.path("model/manifest.toml")).unwrap(), after, "it was told to be worse");
    let forced = shop.run(&["models", "calibrate", "batch-free", "--folder", "frames", "--write", "--force"]);
    assert!(forced.stderr.ends_with("written into `HOME/model/manifest.toml`\n"), "{}", forced.stderr);
    let again = shop.json(&["models", "calibrate", "batch-free", "--folder", "frames", "--json"]).remove(0);
    assert_eq!(
        (&again["temperature"], &again["bias"]),
        (&fitted["temperature"], &fitted["bias"]),
        "fitted to z, not to what was fitted"
    );
}

#[test]
fn a_vision_language_model_is_calibrated_with_questions_in_words() {
    let Some(shop) = Shop::with(&["tiny-smolvlm"]) else { return };
    let mut rows = String::from("file,question,answer\n");
    for (at, grey) in (0..24).map(|at| (at, 10 * at as u8)) {
        shop.picture(&format!("frames/{at}.png"), [grey; 3]);
        // Wrong now and then, so that there is something to learn.
        let bright = (grey > 120) != (at % 11 == 10);
        let (yes, no) = if bright { ("yes", "no") } else { ("no", "yes") };
        rows.push_str(&format!(
            "{at}.png,Is it bright?,{yes}\n{at}.png,\"Is it dark?\",{no}\n{at}.png,What is it?,no\n"
        ));
    }
    shop.write("frames/labels.csv", &rows);
    let fitted = shop.json(&["models", "calibrate", "tiny-smolvlm", "--folder", "frames", "--json"]).remove(0);
    assert!(fitted["answers"].as_u64().unwrap() >= 30, "{fitted}");
    assert!(fitted["abstained"].as_u64().unwrap() >= 20, "what has no yes or no in it: {fitted}");
    assert!(fitted["temperature"].as_f64().unwrap() > 0.0, "{fitted}");
    assert!(fitted["after"]["ece"].as_f64().unwrap() <= fitted["before"]["ece"].as_f64().unwrap() + 0.02, "{fitted}");
}

#[test]
fn labels_that_no_fit_can_be_trusted_with() {
    let Some(shop) = Shop::with(&["batch-free"]) else { return };
    shop.picture("frames/a.png", [250; 3]);
    shop.picture("frames/b.png", [100; 3]);
    let told = |labels: &str| {
        shop.write("frames/labels.csv", labels);
        shop.refused(1, &["models", "calibrate", "batch-free", "--folder", "frames"])
    };
    let rows = |count: usize, row: &str| format!("file,question,answer\n{}", row.repeat(count));
    assert_eq!(
        told(&rows(29, "a.png,bright,yes\n")),
        "error: 29 pictures got a score, and at least 30 are needed\nhint: label more of them\n"
    );
    assert!(
        told(&rows(40, "a.png,bright,yes\n"))
            .starts_with("error: 40 of the pictures that got a score are labelled yes and 0 no")
    );
    let swapped = format!("{}{}", rows(20, "a.png,bright,no\n"), "b.png,bright,yes\n".repeat(20));
    assert!(told(&swapped).contains("it can't tell the difference, or the labels are swapped"));
    let grammar = "hint: its first line is `file,question,answer`; an answer is yes or no; a text with a comma stands in quotes\n";
    for (wrong, said) in [
        ("file,question,answer\na.png,bright,maybe\n", "row 2: the answer is `maybe`"),
        ("picture,question,answer\na.png,bright,yes\n", "unknown field `picture`"),
        ("file,question,answer\na.png,is it bright, or not,yes\n", "found record with 4 fields"),
    ] {
        let told = told(wrong);
        assert!(told.contains(said) && told.ends_with(grammar), "{told}");
    }
    assert!(told("file,question,answer\nno.png,bright,yes\n").contains("no.png`: No such file"));
    assert_eq!(
        told("file,question,answer\na.png,brigth,yes\n"),
        "error: model `batch-free` has no label `brigth`\nhint: the nearest it has: `bright`\n"
    );
    assert!(
        shop.refused(1, &["models", "calibrate", "batch-free", "--folder", "nowhere"]).contains("nowhere/labels.csv")
    );
}
