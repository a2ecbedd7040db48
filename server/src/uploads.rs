//! The pictures of pairs that are added over HTTP.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::error::Refusal;
use super::picture::Picture;
use asif::anchors::stored::witness;
use asif::anchors::{AnchorId, AnchorSet, AnchorsError};
use asif::disk;
use asif::image_source::ImageSource;
use asif::pairs::{GivenPair, PairReader, given, id_fault};

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

/// Refuses an id that would break lines and lists where ids are printed.
fn check_id(at: usize, id: Option<&str>) -> Result<(), Refusal> {
    let Some(why) = id.and_then(id_fault) else {
        return Ok(());
    };
    Err(Refusal::wrong_fields(format!("`pairs[{at}].id` {why}")))
}

/// Pairs of a request, their pictures in the folder of uploads, and a list of these pictures, by which the
/// next start finds what a killed server has left.
///
/// A picture's name is its content's hash and its format's ending: nothing of a request is part of a
/// path, and a picture that is sent twice is kept once. Dropped before [`keep`](Self::keep), the
/// new ones are deleted again.
#[derive(Debug)]
pub(super) struct Uploads {
    list: tempfile::NamedTempFile,
    pairs: Vec<GivenPair>,
    new: Vec<PathBuf>,
}

/// How the lists of pictures begin whose pairs are being added.
pub(super) const LIST: &str = ".adding-";
/// How a picture begins that is being written.
const PART: &str = ".part-";

/// Deletes what a server that was killed has left in its folder of uploads for `set`: lists, pictures
/// that were being written, and pictures that were to be added and that no pair has.
///
/// What another process is adding at this moment stays: it holds a lock on its list.
///
/// # Errors
/// When the folder cannot be made or read, or a leftover not be read or deleted.
pub(super) fn sweep(folder: &Path, set: &Path) -> std::io::Result<()> {
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
        // A line may be torn within a character.
        let text = fs_err::read(&path)?;
        let text = String::from_utf8_lossy(&text);
        let mut unused = BTreeSet::new();
        for picture in text.lines().filter_map(picture_of) {
            if picture.parent() == Some(&folder) && disk::found_itself(&picture)?.is_some() {
                unused.insert(picture);
            }
        }
        if leave_used(set, &mut unused).is_err() {
            // The next start asks again whose they are.
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

/// Takes out of `pictures` those that a pair of a kept generation has; all of them where a generation
/// cannot be read, as it may have them.
///
/// # Errors
/// In that case.
fn leave_used(set: &Path, pictures: &mut BTreeSet<PathBuf>) -> Result<(), AnchorsError> {
    if pictures.is_empty() {
        return Ok(());
    }
    let mut look = || -> Result<(), AnchorsError> {
        for number in witness::kept(set)? {
            let generation = AnchorSet::open_generation(set, number)?;
            for anchor in 0..generation.len() {
                let record = generation.record(anchor as AnchorId)?;
                pictures.remove(Path::new(&record.image));
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

impl Uploads {
    /// Writes the pictures.
    ///
    /// # Errors
    /// When one is no picture, an id cannot be one, or the disk refuses.
    pub fn write(folder: &Path, pairs: Vec<NewPair>) -> Result<Self, Refusal> {
        if pairs.is_empty() {
            return Err(Refusal::invalid("empty", "no pairs; give at least one"));
        }
        for (at, pair) in pairs.iter().enumerate() {
            check_id(at, pair.id.as_deref())?;
        }
        let failed = |e: std::io::Error| Refusal::internal(format!("the upload is not kept: {e}"));
        disk::create_dir_all(folder).map_err(failed)?;
        let folder = fs_err::canonicalize(folder).map_err(failed)?;
        // Beside the pictures, where the next start looks for what a killed one has left.
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
        let failed = |e: std::io::Error| Refusal::internal(format!("the upload is not kept: {e}"));
        let refused =
            |why: &str| Refusal::invalid("unusable_input", format!("pair {}: {why}", at + 1));
        let bytes = Picture::Text(pair.image).bytes();
        let bytes = bytes.map_err(|rejected| refused(&rejected.reason))?;
        let format = image::guess_format(&bytes)
            .map_err(|_| refused("its image is in no format that is known"))?;
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
        // Before the picture: one that no list names would be found by nobody.
        writeln!(self.list, "{}", json!({"image": name})).map_err(failed)?;
        self.list.flush().map_err(failed)?;
        if !path.exists() {
            let file = tempfile::Builder::new().prefix(PART).tempfile_in(folder);
            let mut file = file.map_err(failed)?;
            file.write_all(&bytes).map_err(failed)?;
            file.as_file().sync_all().map_err(failed)?;
            file.persist(&path).map_err(|e| failed(e.error))?;
            self.new.push(path);
        }
        // Also where it was there: whoever wrote it may have been killed before this.
        disk::sync_folder(folder).map_err(failed)?;
        let mut fields = pair.meta;
        fields.insert("id".into(), id.into());
        fields.insert("captions".into(), pair.captions.into());
        let bytes = bytes.as_ref().into();
        let image = ImageSource::Bytes { name, bytes };
        self.pairs.push(GivenPair { image, fields });
        Ok(())
    }

    /// What receipts and messages call the upload: the list's path.
    pub fn name(&self) -> &Path {
        self.list.path()
    }

    /// The pairs, once; their pictures are where their records say, and are not read from there again.
    pub fn pairs(&mut self) -> PairReader {
        given(self.name().to_owned(), std::mem::take(&mut self.pairs))
    }

    /// The pairs are part of a set now, but for those that were left out: their pictures are deleted,
    /// as nobody would find them any more.
    pub fn keep(mut self, set: &Path, is_part_left_out: bool) {
        let mut new: BTreeSet<PathBuf> = std::mem::take(&mut self.new).into_iter().collect();
        if is_part_left_out {
            // None are deleted where it cannot look.
            let _ = leave_used(set, &mut new);
            self.new = new.into_iter().collect();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose the pictures are is not known where the set cannot be read: list and picture stay, so that the
    /// next start finds them. A server that was killed may have torn the list within a character.
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
        assert!(!list.exists(), "its picture is gone");
    }
}
