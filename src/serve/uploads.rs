//! The pictures of pairs that are added over HTTP.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::Refusal;
use super::picture::Picture;
use crate::disk;

/// A pair that is to be added. What else is said of it (`source`, `licence`, anything) is kept.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewPair {
    /// An image file in base64, or a `data:` URL.
    image: String,
    /// Its texts.
    captions: Vec<String>,
    /// Its id; made of the picture and the texts if none is given.
    #[serde(default)]
    id: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    meta: Map<String, Value>,
}

/// Pictures in the folder of uploads, and a list of their pairs as sources of pairs are written.
///
/// A picture's name is its content's hash and its format's ending: nothing of a request is part of a
/// path, and a picture that is sent twice is kept once. Dropped before [`keep`](Self::keep), the
/// new ones are deleted again.
#[derive(Debug)]
pub(super) struct Uploads {
    list: tempfile::NamedTempFile,
    new: Vec<PathBuf>,
}

impl Uploads {
    /// Writes the pictures.
    ///
    /// # Errors
    /// When one is no picture, or the disk refuses.
    pub fn write(folder: &Path, pairs: Vec<NewPair>) -> Result<Self, Refusal> {
        if pairs.is_empty() {
            return Err(Refusal::invalid("empty", "no pairs; give at least one"));
        }
        let failed = |e: std::io::Error| Refusal::internal(format!("the upload is not kept: {e}"));
        disk::create_dir_all(folder).map_err(failed)?;
        let folder = fs_err::canonicalize(folder).map_err(failed)?;
        let list = tempfile::Builder::new().suffix(".jsonl").tempfile();
        let mut uploads = Self {
            list: list.map_err(failed)?,
            new: Vec::new(),
        };
        for (at, pair) in pairs.into_iter().enumerate() {
            let line = uploads.pair(&folder, at, pair)?;
            writeln!(uploads.list, "{line}").map_err(failed)?;
        }
        uploads.list.flush().map_err(failed)?;
        Ok(uploads)
    }

    fn pair(&mut self, folder: &Path, at: usize, pair: NewPair) -> Result<Value, Refusal> {
        let refused =
            |why: &str| Refusal::invalid("unusable_input", format!("pair {}: {why}", at + 1));
        let bytes = Picture::Text(pair.image).bytes();
        let bytes = bytes.map_err(|rejected| refused(&rejected.reason))?;
        let format = image::guess_format(&bytes)
            .map_err(|_| refused("its image is in no format that is known"))?;
        let ending = format.extensions_str().first().copied().unwrap_or("img");
        let hash = blake3::hash(&bytes).to_hex();
        let path = folder.join(format!("{}.{ending}", &hash[..32]));
        let failed = |e: std::io::Error| Refusal::internal(format!("the upload is not kept: {e}"));
        if !path.exists() {
            let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
            file.write_all(&bytes).map_err(failed)?;
            file.as_file().sync_all().map_err(failed)?;
            file.persist(&path).map_err(|e| failed(e.error))?;
            self.new.push(path.clone());
        }
        // Also where it was there: whoever wrote it may have been killed before this.
        disk::sync_folder(folder).map_err(failed)?;
        let mut line = pair.meta;
        let id = pair.id.unwrap_or_else(|| {
            let mut of = blake3::Hasher::new();
            of.update(&bytes);
            pair.captions.iter().for_each(|c| {
                of.update(c.as_bytes());
                of.update(&[0]);
            });
            format!("upload-{}", &of.finalize().to_hex()[..16])
        });
        line.insert("id".into(), id.into());
        line.insert("image".into(), path.display().to_string().into());
        line.insert("captions".into(), pair.captions.into());
        Ok(Value::Object(line))
    }

    /// The list of pairs.
    pub fn list(&self) -> &Path {
        self.list.path()
    }

    /// The pairs are part of a set now.
    pub fn keep(mut self) {
        self.new.clear();
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        for path in &self.new {
            // What cannot be deleted is found again under the same name.
            let _ = fs_err::remove_file(path);
        }
    }
}
