//! What the tests of vision language models share: folders with goldens, and pictures as the models take them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stakeout::judge::Scored;
use stakeout::model::vlm::{Graphs, Rungs, SMOLVLM, Setup, Vlm, VlmError};
use stakeout::model::{Asked, Engine, Explain, Findings, Runtime, Tensor, Work};

/// A model's folder in the layout as published.
pub struct Laid {
    pub setup: Setup,
    /// Where `goldens.json` and its pictures are.
    goldens: PathBuf,
    /// The hashes in the manifest.
    pub hashes: BTreeMap<&'static str, String>,
}

#[derive(Deserialize)]
struct Manifest {
    files: Files,
    input: Input,
    prompt: Prompt,
}

#[derive(Deserialize)]
struct Files {
    vision_encoder: Entry,
    embed_tokens: Entry,
    decoder: Entry,
    tokenizer: Entry,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    sha256: String,
}

#[derive(Deserialize)]
struct Input {
    size: [u32; 2],
}

#[derive(Deserialize)]
struct Prompt {
    image_tokens: usize,
}

/// A folder of tests/data/models.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(name)
}

impl Laid {
    pub fn at(folder: PathBuf) -> Laid {
        let manifest = fs::read_to_string(folder.join("manifest.toml")).unwrap();
        let Manifest { files, input, prompt } = toml::from_str(&manifest).unwrap();
        let graphs = Graphs {
            vision_encoder: folder.join(&files.vision_encoder.path),
            embed_tokens: folder.join(&files.embed_tokens.path),
            decoder: folder.join(&files.decoder.path),
        };
        let setup = Setup {
            graphs,
            tokenizer: folder.join(&files.tokenizer.path),
            generation_config: Some(folder.join("generation_config.json")).filter(|path| path.exists()),
            size: input.size,
            style: &SMOLVLM,
            image_tokens: prompt.image_tokens,
        };
        let hashes = [
            ("vision_encoder", files.vision_encoder.sha256),
            ("embed_tokens", files.embed_tokens.sha256),
            ("decoder", files.decoder.sha256),
            ("tokenizer", files.tokenizer.sha256),
        ];
        Laid { setup, goldens: folder, hashes: hashes.into() }
    }

    pub fn fixture(name: &str) -> Laid {
        Laid::at(fixture(name))
    }

    /// The model that the repository ships.
    pub fn yard() -> Laid {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Laid { goldens: root.join("tests/data/yard-goldens"), ..Laid::at(root.join("models/yard")) }
    }

    pub fn open(&self, runtime: &'static Runtime) -> Result<(Vlm, Rungs), VlmError> {
        Vlm::open(runtime, &self.setup, 1)
    }

    pub fn goldens(&self) -> Goldens {
        serde_json::from_str(&fs::read_to_string(self.goldens.join("goldens.json")).unwrap()).unwrap()
    }

    /// Where the picture of a golden is.
    pub fn picture_file(&self, goldens: &Goldens, image: &str) -> PathBuf {
        let folder = goldens.images_are_in.as_ref().map(|images| self.goldens.join(images).join(".."));
        folder.unwrap_or_else(|| self.goldens.clone()).join(image)
    }

    /// The picture of a golden, which has the model's own size, from -1 to 1.
    pub fn picture(&self, goldens: &Goldens, image: &str) -> Tensor {
        let path = self.picture_file(goldens, image);
        let picture = image::open(&path).unwrap().to_rgb8();
        let [columns, rows] = self.setup.size.map(|side| side as usize);
        assert_eq!((picture.width() as usize, picture.height() as usize), (columns, rows), "{}", path.display());
        let planes = (0..3).flat_map(|plane| picture.pixels().map(move |pixel| pixel.0[plane]));
        let data = planes.map(|sample| (f32::from(sample) / 255.0 - 0.5) / 0.5).collect();
        Tensor { shape: vec![1, 3, rows, columns], data }
    }
}

/// What somebody else's implementation makes of the same model.
#[derive(Deserialize)]
pub struct Goldens {
    pub tolerance: f32,
    #[serde(default)]
    pub max_new_tokens: usize,
    /// The hashes of the model that they are about.
    #[serde(default)]
    pub made_for: BTreeMap<String, String>,
    images_are_in: Option<String>,
    pub prompts: Vec<Golden>,
}

#[derive(Deserialize)]
pub struct Golden {
    pub image: String,
    pub question: String,
    /// The whole prompt.
    pub tokens: Vec<i64>,
    pub z: f32,
    pub answer_mass: f32,
    /// Greedily, without what ends it.
    #[serde(default)]
    pub generated: Vec<i64>,
    #[serde(default)]
    pub text: String,
    /// At the prompt's last position.
    #[serde(default)]
    pub logits: Vec<f32>,
}

/// Asks a model several questions about one picture.
pub fn ask(vlm: &mut Vlm, picture: &Tensor, questions: &[(&str, Option<Explain>)]) -> Result<Vec<Scored>, String> {
    let asked = |(question, explain): &(&str, Option<Explain>)| Asked::Text {
        tokens: vlm.questions().tokens(question).unwrap(),
        explain: *explain,
    };
    let work = Work { pictures: vec![picture.clone()], asked: questions.iter().map(asked).collect() };
    match vlm.examine(&work).map_err(|error| error.to_string())? {
        Findings::Scored(scored) => Ok(scored),
        Findings::Numbers(_) => panic!("a model that reads gives scores"),
    }
}
