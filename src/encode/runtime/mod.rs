//! ONNX Runtime: finding and loading the shared library. This folder is the only place that names
//! `ort`; its `pool` holds the sessions.
//!
//! The library is loaded once per process from an absolute path, because without one `ort` would
//! search the system's paths and panic when it finds nothing.

mod lacking;
pub(crate) mod pool;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::error::EncodeError;
use crate::home::DataFolder;
use rustix::process::{Resource, getrlimit};

/// The oldest minor version (1.x) of ONNX Runtime that can be used.
pub(crate) const MINIMUM_MINOR_VERSION: u32 = ort::MINOR_VERSION;

/// The loaded library.
#[derive(Debug)]
pub struct RuntimeInfo {
    path: PathBuf,
    origin: &'static str,
    version: OnceLock<Option<String>>,
}

impl RuntimeInfo {
    /// The absolute path that the library was loaded from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What named the path: the argument, an environment variable, or the home folder.
    pub(crate) fn origin(&self) -> &'static str {
        self.origin
    }

    /// The version, such as `1.31.1`; `None` when it cannot be found in the file. Reads the library's
    /// symbol version once, since the safe interface does not pass the number on.
    pub(crate) fn version(&self) -> Option<&str> {
        self.version
            .get_or_init(|| {
                fs_err::read(&self.path)
                    .ok()
                    .and_then(|bytes| symbol_version(&bytes))
            })
            .as_deref()
    }
}

struct LoadedRuntime {
    info: RuntimeInfo,
    environment: ort::environment::Environment,
}

static LOADED: OnceLock<LoadedRuntime> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// Loads ONNX Runtime, or returns the loaded library: a process has only one, so a second
/// call ignores its arguments.
///
/// The first of these that is set is used, and must exist: `explicit`, the environment
/// variables `ASIF_ONNXRUNTIME` and `ORT_DYLIB_PATH`, the home folder's `runtime/`.
///
/// # Errors
/// [`EncodeError::RuntimeMissing`] when there is no such file and
/// [`EncodeError::RuntimeUnusable`] when it is not a library, or too old; another path may be tried
/// after either. [`EncodeError::RuntimeLacking`] when the process lacks resources.
pub fn load(
    explicit: Option<&Path>,
    home: &DataFolder,
) -> Result<&'static RuntimeInfo, EncodeError> {
    // Without the lock two threads would both load the library and make an environment.
    let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = LOADED.get() {
        return Ok(&loaded.info);
    }
    let (path, origin) = locate(explicit, home);
    let missing = || EncodeError::RuntimeMissing {
        path: path.clone(),
        origin,
        minimum: MINIMUM_MINOR_VERSION,
    };
    // The loader reports a lack of memory or files as if the library were broken.
    let unusable = |mut reason: String| {
        if let Some(source) = lacking::lacking(&path, &reason) {
            return EncodeError::RuntimeLacking { source };
        }
        if let Some(bytes) = getrlimit(Resource::As).current {
            let mib = bytes >> 20;
            reason.push_str(&format!(
                "; the process may have {mib} MiB of addresses, which may be too few: raise the limit \
                 (`ulimit -v`)"
            ));
        }
        EncodeError::RuntimeUnusable {
            path: path.clone(),
            origin,
            reason,
            minimum: MINIMUM_MINOR_VERSION,
        }
    };
    // `ort` would search the system's paths for a relative one.
    let absolute = std::path::absolute(&path).map_err(|e| unusable(e.to_string()))?;
    if !absolute.is_file() {
        return Err(missing());
    }
    let environment = ort::init_from(&absolute)
        .map_err(|e| unusable(loader_said(&e)))?
        .with_name("asif")
        .with_telemetry(false)
        // Without our own logger the library writes its warnings to standard error.
        .with_logger(Arc::new(|_, _, _, _, _| {}))
        .build()
        .map_err(|e| unusable(e.to_string()))?;
    environment.set_log_level(ort::logging::LogLevel::Error);
    let info = RuntimeInfo {
        path: absolute,
        origin,
        version: OnceLock::new(),
    };
    Ok(&LOADED
        .get_or_init(|| LoadedRuntime { info, environment })
        .info)
}

/// The loader's message with its cause, the system loader's error, which the message omits.
fn loader_said(error: &ort::LoadDynamicError) -> String {
    let mut said = error.to_string();
    if let ort::LoadDynamicError::Dlopen { error, .. } = error
        && let Some(source) = std::error::Error::source(error)
    {
        said.push_str(&format!(": {source}"));
    }
    said
}

/// The library that is loaded, if one is.
pub fn loaded() -> Option<&'static RuntimeInfo> {
    LOADED.get().map(|l| &l.info)
}

fn environment() -> Result<&'static ort::environment::Environment, EncodeError> {
    LOADED
        .get()
        .map(|l| &l.environment)
        .ok_or(EncodeError::RuntimeNotLoaded)
}

fn locate(explicit: Option<&Path>, home: &DataFolder) -> (PathBuf, &'static str) {
    let var = |name| {
        // An empty variable is how a shell unsets one for a single command.
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    if let Some(path) = explicit {
        (path.to_owned(), "given as an argument")
    } else if let Some(path) = var("ASIF_ONNXRUNTIME") {
        (path, "from ASIF_ONNXRUNTIME")
    } else if let Some(path) = var("ORT_DYLIB_PATH") {
        (path, "from ORT_DYLIB_PATH")
    } else {
        (home.runtime_library(), "in the home folder")
    }
}

/// The library's exported symbols carry the version as `VERS_1.31.1`.
fn symbol_version(library: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"VERS_1.";
    let at = library.windows(MARK.len()).position(|w| w == MARK)? + b"VERS_".len();
    let text: String = library[at..]
        .iter()
        .map(|&b| char::from(b))
        .take(16)
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_says_where_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("libnothing.so");
        if loaded().is_some() {
            return;
        }
        let error = load(Some(&path), &DataFolder::at(dir.path()))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("libnothing.so") && error.contains("ASIF_ONNXRUNTIME"),
            "{error}"
        );
    }

    #[test]
    fn the_version_is_read_from_the_symbols() {
        assert_eq!(
            symbol_version(b"..\0VERS_1.31.1\0.."),
            Some("1.31.1".into())
        );
        assert_eq!(symbol_version(b"nothing"), None);
    }
}
