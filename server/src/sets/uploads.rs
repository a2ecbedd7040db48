//! The pictures of pairs that are added over HTTP.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::error::Refusal;
use crate::inputs::picture::RequestPicture;
use asif::anchors::stored::witness;
use asif::anchors::{AnchorId, AnchorSet, AnchorsError};
use asif::disk;
use asif::image_source::ImageSource;
use asif::pairs::{GivenPair, PairReader, given, id_fault};

/// A pair to add. All other fields (`source`, `licence`, and so on) are stored as metadata.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewPair {
    /// An image file in base64, or a `data:` URL.
    image: String,
    /// Its texts.
    captions: Vec<String>,
    /// Its id; by default a hash of the picture and the texts.
    #[serde(default)]
    id: Option<String>,
    /// Further metadata.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    meta: Map<String, Value>,
}

/// Refuses an id that would break the lines or lists that print ids.
fn check_id(at: usize, id: Option<&str>) -> Result<(), Refusal> {
    let Some(why) = id.and_then(id_fault) else {
        return Ok(());
    };
    Err(Refusal::wrong_fields(format!("`pairs[{at}].id` {why}")))
}

/// The pairs of a request, their pictures in the upload folder, and a list of these pictures, by which the
/// next start finds the leftovers of a killed server.
///
/// The name of a picture is the hash of its content and the extension of its format: no part of a request
/// becomes part of a path, and a picture that is sent twice is stored once. If dropped before
/// [`keep`](Self::keep), the new pictures are deleted.
#[derive(Debug)]
pub(crate) struct UploadedPairs {
    list: tempfile::NamedTempFile,
    pairs: Vec<GivenPair>,
    new: Vec<PathBuf>,
}

/// The prefix of the lists of pictures whose pairs are being added.
pub(crate) const LIST: &str = ".adding-";
/// The prefix of a picture that is being written.
const PART: &str = ".part-";

/// Deletes the leftovers of a killed server in its upload folder for `set`: lists, partly written pictures,
/// and listed pictures that belong to no pair.
///
/// Uploads of a running process stay: it holds a lock on its list.
///
/// # Errors
/// When the folder cannot be created or read, or a leftover cannot be read or deleted.
pub(crate) fn sweep(folder: &Path, set: &Path) -> std::io::Result<()> {
    disk::create_dir_all(folder)?;
    let mut left = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PART) || name.starts_with(LIST) {
            left.push(entry.path());
        }
    }
    let folder = fs_err::canonicalize(folder)?;
    for path in left {
        let file = fs_err::File::open(&path)?;
        if file.file().try_lock().is_err() {
            continue;
        }
        // The last line may end within a UTF-8 character.
        let text = fs_err::read(&path)?;
        let text = String::from_utf8_lossy(&text);
        let mut unused = BTreeSet::new();
        for picture in text.lines().filter_map(picture_of) {
            if picture.parent() == Some(&folder) && disk::found_itself(&picture)?.is_some() {
                unused.insert(picture);
            }
        }
        if leave_used(set, &mut unused).is_err() {
            // The next start tries again.
            continue;
        }
        for picture in unused {
            fs_err::remove_file(&picture)?;
        }
        fs_err::remove_file(&path)?;
    }
    Ok(())
}

fn picture_of(line: &str) -> Option<PathBuf> {
    let line: Value = serde_json::from_str(line).ok()?;
    Some(line["image"].as_str()?.into())
}

/// Removes from `pictures` those that belong to a pair of a kept generation; all of them if a generation
/// cannot be read, because its pairs may use them.
///
/// # Errors
/// When a generation cannot be read.
fn leave_used(set: &Path, pictures: &mut BTreeSet<PathBuf>) -> Result<(), AnchorsError> {
    if pictures.is_empty() {
        return Ok(());
    }
    let mut look = || -> Result<(), AnchorsError> {
        for number in witness::kept(set)? {
            let generation = AnchorSet::open_generation(set, number)?;
            for anchor in 0..generation.len() {
                let image = generation.image(anchor as AnchorId)?;
                if let Some(path) = image.as_ref().and_then(ImageSource::path) {
                    pictures.remove(path);
                }
            }
        }
        Ok(())
    };
    let looked = look();
    if looked.is_err() {
        pictures.clear();
    }
    looked
}

impl UploadedPairs {
    /// Writes the pictures.
    ///
    /// # Errors
    /// When a picture or an id is not valid, or writing fails.
    pub fn write(folder: &Path, pairs: Vec<NewPair>) -> Result<Self, Refusal> {
        if pairs.is_empty() {
            return Err(Refusal::invalid("empty", "no pairs; give at least one"));
        }
        for (at, pair) in pairs.iter().enumerate() {
            check_id(at, pair.id.as_deref())?;
        }
        let failed =
            |e: std::io::Error| Refusal::internal(format!("the upload cannot be stored: {e}"));
        disk::create_dir_all(folder).map_err(failed)?;
        let folder = fs_err::canonicalize(folder).map_err(failed)?;
        // In the upload folder, where the next start searches for leftovers.
        let list = tempfile::Builder::new()
            .prefix(LIST)
            .suffix(".jsonl")
            .tempfile_in(&folder);
        let mut uploads = Self {
            list: list.map_err(failed)?,
            pairs: Vec::with_capacity(pairs.len()),
            new: Vec::new(),
        };
        uploads.list.as_file().lock().map_err(failed)?;
        for (at, pair) in pairs.into_iter().enumerate() {
            uploads.pair(&folder, at, pair)?;
        }
        Ok(uploads)
    }

    fn pair(&mut self, folder: &Path, at: usize, pair: NewPair) -> Result<(), Refusal> {
        let failed =
            |e: std::io::Error| Refusal::internal(format!("the upload cannot be stored: {e}"));
        let refused =
            |why: &str| Refusal::invalid("unusable_input", format!("pair {}: {why}", at + 1));
        let bytes = RequestPicture::Text(pair.image).bytes();
        let bytes = bytes.map_err(|rejected| refused(&rejected.reason))?;
        let format = image::guess_format(&bytes)
            .map_err(|_| refused("the format of its image is unknown"))?;
        let ending = format.extensions_str().first().copied().unwrap_or("img");
        let hash = blake3::hash(&bytes).to_hex();
        let path = folder.join(format!("{}.{ending}", &hash[..32]));
        let id = pair.id.unwrap_or_else(|| {
            let mut of = blake3::Hasher::new();
            of.update(&bytes);
            pair.captions.iter().for_each(|c| {
                of.update(c.as_bytes());
                of.update(&[0]);
            });
            format!("upload-{}", &of.finalize().to_hex()[..16])
        });
        let name = path.display().to_string();
        // Before the picture is written: a leftover that no list names would never be found.
        writeln!(self.list, "{}", json!({"image": name})).map_err(failed)?;
        self.list.flush().map_err(failed)?;
        if !path.exists() {
            let file = tempfile::Builder::new().prefix(PART).tempfile_in(folder);
            let mut file = file.map_err(failed)?;
            file.write_all(&bytes).map_err(failed)?;
            file.as_file().sync_all().map_err(failed)?;
            file.persist(&path).map_err(|e| failed(e.error))?;
            self.new.push(path.clone());
        }
        // Even if the picture existed: the process that wrote it may have been killed before its sync.
        disk::sync_folder(folder).map_err(failed)?;
        let mut fields = pair.meta;
        fields.insert("id".into(), id.into());
        fields.insert("captions".into(), pair.captions.into());
        // As a file, so that the pair keeps where its picture lies: a sweep deletes what no pair refers to.
        let image = ImageSource::File(path);
        self.pairs.push(GivenPair { image, fields });
        Ok(())
    }

    /// The name of the upload in receipts and messages: the path of the list.
    pub fn name(&self) -> &Path {
        self.list.path()
    }

    /// The pairs; can be called once.
    pub fn pairs(&mut self) -> PairReader {
        given(self.name().to_owned(), std::mem::take(&mut self.pairs))
    }

    /// Keeps the pictures, because their pairs were added. The pictures of skipped pairs are deleted, because
    /// nothing refers to them.
    pub fn keep(mut self, set: &Path, is_part_skipped: bool) {
        let mut new: BTreeSet<PathBuf> = std::mem::take(&mut self.new).into_iter().collect();
        if is_part_skipped {
            // If a generation cannot be read, none are deleted.
            let _ = leave_used(set, &mut new);
            self.new = new.into_iter().collect();
        }
    }
}

impl Drop for UploadedPairs {
    fn drop(&mut self) {
        for path in &self.new {
            // On failure the file stays; the same upload reuses its name.
            let _ = fs_err::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If the anchor set cannot be read, it is unknown whether its pairs use the pictures: list and picture stay
    /// for the next start. A killed server may have cut the list within a character.
    #[test]
    fn a_list_stays_while_it_is_not_known_whose_its_pictures_are() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let (list, picture) = (real.join(".adding-x.jsonl"), real.join("a.png"));
        fs_err::write(&picture, "picture").unwrap();
        let line = serde_json::json!({"image": picture, "captions": ["a"]});
        let torn = &"\u{e9}".as_bytes()[..1];
        let text = [format!("{line}\n{{\"id\":\"").as_bytes(), torn].concat();
        fs_err::write(&list, text).unwrap();
        sweep(folder.path(), &folder.path().join("no.asif")).unwrap();
        assert!(picture.is_file() && list.is_file());
        fs_err::remove_file(&picture).unwrap();
        sweep(folder.path(), &folder.path().join("no.asif")).unwrap();
        assert!(!list.exists(), "its picture was deleted");
    }
}
