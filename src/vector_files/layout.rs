//! The folders that clip-retrieval writes and autofaiss reads.

use std::path::{Path, PathBuf};

use super::error::VectorFileError;

/// Files of vectors that belong together, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorLayout {
    /// The vectors of the images.
    pub image: PathBuf,
    /// The vectors of the texts.
    pub text: PathBuf,
    /// The metadata, if there is any.
    pub metadata: Option<PathBuf>,
}

impl VectorLayout {
    /// The layout of a folder: `img_emb/img_emb_0.npy`, `text_emb/text_emb_0.npy` and, if it is there,
    /// `metadata/metadata_0.parquet`, each in one or more parts.
    ///
    /// # Errors
    /// When the folder has no such folders of vectors.
    pub fn of_folder(folder: &Path) -> Result<Self, VectorFileError> {
        let [image, text, metadata] =
            ["img_emb", "text_emb", "metadata"].map(|name| folder.join(name));
        let lacking = [&image, &text].into_iter().find(|path| !path.is_dir());
        if let Some(lacking) = lacking {
            // A file gives the system's own error.
            fs_err::read_dir(folder)?;
            let name = lacking.file_name().unwrap_or_default().display();
            return Err(VectorFileError::unusable(
                folder,
                "the folders img_emb and text_emb with files of vectors, as clip-retrieval writes them",
                format!("no folder {name}"),
            ));
        }
        let metadata = metadata.is_dir().then_some(metadata);
        Ok(Self {
            image,
            text,
            metadata,
        })
    }
}
