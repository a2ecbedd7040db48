//! The user's home folder: models, the runtime library and cached embeddings.

use std::path::{Path, PathBuf};

/// The home folder: `$ASIF_HOME`, else `$XDG_DATA_HOME/asif`, else `~/.local/share/asif`.
///
/// ```text
/// runtime/libonnxruntime.so     ONNX Runtime
/// models/NAME/                  model folders
/// cache/embeddings/             embeddings by content hash and encoder
/// demo/                         the quick start's pairs and photos
/// ```
#[derive(Debug, Clone)]
pub struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// The folder at `root`, whether it exists or not.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder that the environment names; `None` when neither `ASIF_HOME`, `XDG_DATA_HOME`
    /// nor `HOME` is set.
    pub fn from_env() -> Option<Self> {
        let var = |name: &str| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        var("ASIF_HOME")
            .or_else(|| var("XDG_DATA_HOME").map(|d| d.join("asif")))
            .or_else(|| var("HOME").map(|d| d.join(".local/share/asif")))
            .map(Self::at)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where installed model folders lie.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Where the set-up script puts ONNX Runtime.
    pub fn runtime_library(&self) -> PathBuf {
        self.root.join("runtime").join("libonnxruntime.so")
    }

    /// Where embeddings are kept by content hash and encoder, shared between anchor sets.
    pub fn embedding_cache(&self) -> PathBuf {
        self.root.join("cache").join("embeddings")
    }
}
