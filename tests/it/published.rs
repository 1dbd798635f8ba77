//! Published models, put together from what `models/` says about them and the files beside the repository.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use stakeout::frame::{Color, Frame, Matrix, PixelFormat, Plane};
use stakeout::judge::Seen;
use stakeout::model::{Findings, Folder, Loaded, Work, load};
use stakeout::name::Name;
use stakeout::picture::Scaler;
use stakeout::time::Now;

use crate::shared::{runtime, shared};

/// A model's folder with all of its files, in a temporary place.
pub struct Published {
    folder: tempfile::TempDir,
}

impl Published {
    /// `models/NAME`, with the files that are not there taken from the shared data; None where that is absent.
    pub fn new(name: &str) -> Option<Published> {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
        let manifest = fs::read_to_string(kept.join("manifest.toml")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("manifest.toml"), &manifest).unwrap();
        for file in manifest.split("path = \"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let here = kept.join(file);
            let there = if here.is_file() { here } else { shared(&format!("models/{file}"))? };
            symlink(there.canonicalize().unwrap(), folder.path().join(file)).unwrap();
        }
        Some(Published { folder })
    }

    /// Replaces a line of its manifest; the empty `from` appends.
    pub fn edit(&self, from: &str, to: &str) {
        let path = self.folder.path().join("manifest.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{from}` is not in the manifest");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// Ready to run; None without ONNX Runtime.
    pub fn load(&self) -> Option<Eyes> {
        Eyes::open(self.folder.path())
    }
}

/// A model that is ready to run, and what prepares pictures for it.
pub struct Eyes {
    pub loaded: Loaded,
    scaler: Scaler,
}

impl Eyes {
    /// The model in `folder`; None without ONNX Runtime.
    pub fn open(folder: &Path) -> Option<Eyes> {
        let runtime = runtime()?;
        let opened = Folder::open(&Name::new("m").unwrap(), Some(folder), Path::new("/nowhere"));
        let loaded = opened.and_then(|folder| load(runtime, &folder, 1));
        Some(Eyes { loaded: loaded.unwrap_or_else(|error| panic!("{error}")), scaler: Scaler::default() })
    }

    /// One of `tests/data/models`; None without ONNX Runtime.
    pub fn of_fixture(name: &str) -> Option<Eyes> {
        Eyes::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(name))
    }

    /// What it sees on `frame`, the whole way that a watched frame goes.
    pub fn look(&mut self, frame: &Frame) -> Seen {
        let model = &self.loaded.model;
        let mut work = Work::default();
        let (picture, placement) = model.prepare(&mut self.scaler, frame, Default::default()).unwrap();
        work.pictures.push(picture);
        let Findings::Numbers(outputs) = self.loaded.engine.examine(&work).unwrap() else { panic!("it knows labels") };
        let seen = model.interpret(&outputs, &placement).unwrap();
        model.take_back(outputs);
        seen
    }

    /// The same for several frames that go through the graph together.
    pub fn look_together(&mut self, frames: &[Frame]) -> Vec<Seen> {
        let model = &self.loaded.model;
        let prepared = frames.iter().map(|frame| model.prepare(&mut self.scaler, frame, Default::default()).unwrap());
        let (pictures, places): (Vec<_>, Vec<_>) = prepared.unzip();
        let work = Work { pictures, ..Work::default() };
        let Findings::Numbers(outputs) = self.loaded.engine.examine(&work).unwrap() else { panic!("it knows labels") };
        let one = |(index, place)| model.interpret_one(&outputs, [index, frames.len()], place).unwrap();
        places.iter().enumerate().map(one).collect()
    }

    pub fn label(&self, label: &str) -> usize {
        self.loaded.model.label_index(label).unwrap()
    }
}

/// A JPEG as libjpeg-turbo decodes it, bit by bit; the golden values were made with that. The decoder of the product rounds
/// colours of subsampled pictures twice, which is invisible, but tips the scales where two boxes are equally good.
pub fn as_reference(file: &Path) -> Frame {
    let bytes = fs::read(file).unwrap();
    let picture = libjpeg_turbo_rs::decompress_to(&bytes, libjpeg_turbo_rs::PixelFormat::Rgb).unwrap();
    Frame {
        width: picture.width as u32,
        height: picture.height as u32,
        format: PixelFormat::Rgb,
        color: Color { matrix: Matrix::Bt601, full_range: true },
        planes: vec![Plane { data: picture.data, stride: picture.width * 3 }],
        arrived: Now::in_clip(std::time::Duration::ZERO),
        pts: std::time::Duration::ZERO,
        connection: 0,
        motion: Default::default(),
    }
}

/// The pictures of a list (`labels.csv`) and the columns of each.
pub fn listed(list: &str) -> Option<Vec<(PathBuf, Vec<String>)>> {
    let list = shared(list)?;
    let text = fs::read_to_string(&list).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let columns: Vec<String> = line.split(',').map(str::to_owned).collect();
        (list.with_file_name(&columns[0]), columns)
    });
    Some(lines.collect())
}
