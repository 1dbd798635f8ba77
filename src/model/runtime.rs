//! ONNX Runtime itself: one shared library, loaded once per process by path.
//!
//! Owns where it is looked for, what it is and what it offers, and its log; refuses to know models.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider};
use ort::logging::LogLevel;
use ort::session::RunOptions;

use super::library;
use super::provider::{self, NotOffered, Way};
use super::spread::{Listener, Spread};
use crate::config::{Provider, Providers};

/// The loaded library, as one model uses it.
pub struct Runtime {
    pub(super) environment: Environment,
    path: PathBuf,
    version: String,
    offers: Vec<Provider>,
    /// What sessions are to run on; empty: the CPU.
    pub(super) way: Way,
    /// What every run of these sessions is given.
    pub(super) run: Arc<RunOptions>,
    /// What the sessions that were made so far run on.
    heard: Listener,
}

/// Ends a model's runs from any thread, those under way and all later ones: what was stopped is made anew.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() + Send + Sync>);

impl Stop {
    /// What `stop` does must return at once.
    pub fn new(stop: impl Fn() + Send + Sync + 'static) -> Stop {
        Stop(Arc::new(stop))
    }

    /// Ends them. Returns at once; ONNX Runtime ends a run between two of its graph's nodes.
    pub fn stop(&self) {
        (self.0)();
    }
}

/// Why there is no ONNX Runtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The one that the operator asked for.
    #[error(
        "`[runtime] onnxruntime` names `{path}`, which can't be loaded: {reason}; \
         correct it, or leave it out and put a libonnxruntime.so of 1.21 or later into /usr/lib/stakeout \
         (in a checkout, scripts/setup fetches one)"
    )]
    Configured {
        /// As configured.
        path: String,
        /// What the loader says.
        reason: String,
    },
    /// None was asked for, and none was found.
    #[error(
        "ONNX Runtime is missing (looked for {searched}); \
         name a libonnxruntime.so of 1.21 or later in `[runtime] onnxruntime`, or put it into /usr/lib/stakeout \
         (in a checkout, scripts/setup fetches one)"
    )]
    NotFound {
        /// The places, in the order they were looked at.
        searched: String,
    },
    /// It was loaded and then refused to work.
    #[error(
        "ONNX Runtime from `{path}` doesn't start: {reason}; \
         name one of 1.21 or later in `[runtime] onnxruntime`, or put it into /usr/lib/stakeout \
         (in a checkout, scripts/setup fetches one)"
    )]
    Broken {
        /// Where it is.
        path: String,
        /// What it says.
        reason: String,
    },
}

impl RuntimeError {
    /// Whether it may go away without a change of the configuration.
    pub fn may_heal(&self) -> bool {
        match self {
            RuntimeError::Configured { path, .. } => !Path::new(path).exists(),
            RuntimeError::NotFound { .. } | RuntimeError::Broken { .. } => true,
        }
    }
}

static LOADED: OnceLock<Runtime> = OnceLock::new();
/// One at a time: the second one finds the first one's.
static LOADING: Mutex<()> = Mutex::new(());

impl Runtime {
    /// Loads the library at `configured`; without that next to the binary, then `/usr/lib/stakeout`, then the system's, then
    /// the one that scripts/setup put into the checkout that is the current directory.
    ///
    /// A process has one: later calls give the first one's, whatever they ask for.
    pub fn load(configured: Option<&Path>) -> Result<&'static Runtime, RuntimeError> {
        let _alone = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = LOADED.get() {
            return Ok(loaded);
        }
        let runtime = match configured {
            Some(path) => try_path(path).map_err(|reason| RuntimeError::Configured { path: shown(path), reason })?,
            None => search()?,
        };
        Ok(LOADED.get_or_init(|| runtime))
    }

    /// The process's one, if it has been loaded.
    pub fn loaded() -> Option<&'static Runtime> {
        LOADED.get()
    }

    /// Which library it is: the file that was loaded, where the system knows it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version: `1.31.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it was built with, the best first. Whether it works shows only when a session is made.
    pub fn offers(&self) -> &[Provider] {
        &self.offers
    }

    /// The same library for another model, whose sessions are to run on what `way` names.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn on(&self, way: Way) -> Result<Runtime, RuntimeError> {
        let broken = |error: ort::Error| RuntimeError::Broken { path: shown(&self.path), reason: error.to_string() };
        Ok(Runtime {
            environment: self.environment.clone(),
            path: self.path.clone(),
            version: self.version.clone(),
            offers: self.offers.clone(),
            way,
            run: quiet_run().map_err(broken)?,
            heard: Listener::default(),
        })
    }

    /// What ends the runs of this model's sessions.
    pub fn stop(&self) -> Stop {
        let run = self.run.clone();
        // It sets a flag: there is nothing that could go wrong and nobody who could do better.
        Stop::new(move || drop(run.terminate()))
    }

    /// What this model's sessions run on, all together.
    pub fn spread(&self) -> Spread {
        self.heard.heard()
    }

    /// A session of this model was made.
    pub(super) fn ran(&self, on: &Spread) {
        self.heard.add(on);
    }

    /// What sessions are to be tried with, the best first.
    ///
    /// # Errors
    /// A named provider that the library lacks.
    pub fn ways(&self, wanted: &Providers) -> Result<Vec<Way>, NotOffered> {
        provider::ways(wanted, &self.offers).map_err(|provider| NotOffered {
            provider,
            library: self.path.clone(),
            version: self.version.clone(),
            offers: self.offers.clone(),
        })
    }
}

fn search() -> Result<Runtime, RuntimeError> {
    let candidates = candidates();
    for path in &candidates {
        match try_path(path) {
            Ok(runtime) => return Ok(runtime),
            // A file that is there and doesn't load is worth more than the search.
            Err(reason) if path.is_file() => return Err(RuntimeError::Broken { path: shown(path), reason }),
            Err(_) => {}
        }
    }
    let searched: Vec<String> = candidates.iter().map(|path| format!("`{}`", shown(path))).collect();
    Err(RuntimeError::NotFound { searched: searched.join(", ") })
}

fn candidates() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let folders = beside.into_iter().chain([PathBuf::from("/usr/lib/stakeout")]);
    let system = ["libonnxruntime.so", "libonnxruntime.so.1"].map(PathBuf::from);
    // Last, so that an installed daemon never takes a library from wherever it happens to be called.
    let checkout = std::env::current_dir().ok().map(|here| here.join(".setup/lib/libonnxruntime.so"));
    folders.map(|folder| folder.join("libonnxruntime.so")).chain(system).chain(checkout).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn try_path(path: &Path) -> Result<Runtime, String> {
    let builder = ort::init_from(path).map_err(|error| told(&error))?;
    let environment = builder
        .with_name("stakeout")
        .with_telemetry(false)
        .with_logger(Arc::new(|level, _category, _id, _at, message| log(level, message)))
        .build()
        .map_err(|error| error.to_string())?;
    environment.set_log_level(LogLevel::Warning);
    let path = library::loaded(path).unwrap_or_else(|| path.to_owned());
    let version = library::version(&path).unwrap_or_else(|| format!("1.{} or later", ort::MINOR_VERSION));
    let run = quiet_run().map_err(|error| error.to_string())?;
    Ok(Runtime { environment, path, version, offers: offers(), way: Way::new(), run, heard: Listener::default() })
}

/// Sessions log more than anybody wants to read, to tell what they run on; their runs do not.
fn quiet_run() -> Result<Arc<RunOptions>, ort::Error> {
    let mut options = RunOptions::new()?;
    options.set_log_level(LogLevel::Warning)?;
    Ok(Arc::new(options))
}

fn offers() -> Vec<Provider> {
    let is_offered = |provider: &Provider| {
        let answer = match provider {
            Provider::TensorRt => ep::TensorRT::is_available(),
            Provider::Cuda => ep::CUDA::is_available(),
            Provider::OpenVino => ep::OpenVINO::is_available(),
            Provider::Cpu => ep::CPU::is_available(),
        };
        answer.unwrap_or(false)
    };
    Provider::ALL.into_iter().filter(is_offered).collect()
}

/// The loader's words, without the path that the message around them has already told.
fn told(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, .. } => error.source().map_or_else(|| error.to_string(), ToString::to_string),
        LoadDynamicError::MissingApi { .. } => "it is some other library".to_owned(),
        LoadDynamicError::InvalidVersionString => "it doesn't tell its version".to_owned(),
        LoadDynamicError::BadVersion { version_str, .. } => {
            format!("it is version {version_str}, and 1.{} or later is needed", ort::MINOR_VERSION)
        }
    }
}

/// What goes wrong comes back as an error from the call; the library's own log is for whoever looks deeper.
pub(super) fn log(level: LogLevel, message: &str) {
    match level {
        LogLevel::Fatal => tracing::error!(target: "onnxruntime", "{message}"),
        LogLevel::Error | LogLevel::Warning => tracing::debug!(target: "onnxruntime", "{message}"),
        LogLevel::Info | LogLevel::Verbose => tracing::trace!(target: "onnxruntime", "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // No test of this binary loads a library that works: it would be the process's one.

    #[test]
    fn a_library_that_is_not_there_is_told() {
        let refused = Runtime::load(Some(Path::new("/nowhere/libonnxruntime.so"))).err().unwrap();
        assert_eq!(
            refused.to_string(),
            "`[runtime] onnxruntime` names `/nowhere/libonnxruntime.so`, which can't be loaded: \
             /nowhere/libonnxruntime.so: cannot open shared object file: No such file or directory; \
             correct it, or leave it out and put a libonnxruntime.so of 1.21 or later into /usr/lib/stakeout \
             (in a checkout, scripts/setup fetches one)"
        );
    }

    #[test]
    fn a_file_that_is_no_library_is_told() {
        let text = tempfile::NamedTempFile::with_suffix(".so").unwrap();
        std::fs::write(text.path(), "x".repeat(4096)).unwrap();
        let path = text.path().display();
        let refused = Runtime::load(Some(text.path())).err().unwrap();
        assert_eq!(
            refused.to_string(),
            format!(
                "`[runtime] onnxruntime` names `{path}`, which can't be loaded: {path}: invalid ELF header; \
                 correct it, or leave it out and put a libonnxruntime.so of 1.21 or later into /usr/lib/stakeout \
                 (in a checkout, scripts/setup fetches one)"
            )
        );
    }

    #[test]
    fn packages_come_before_checkouts() {
        let candidates = candidates();
        let place = |path: &Path| candidates.iter().position(|candidate| candidate == path).unwrap();
        let packaged = place(Path::new("/usr/lib/stakeout/libonnxruntime.so"));
        let checkout = place(&std::env::current_dir().unwrap().join(".setup/lib/libonnxruntime.so"));
        assert!(packaged < checkout);
    }
}
