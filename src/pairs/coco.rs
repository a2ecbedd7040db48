//! COCO captions: `{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}`.
//!
//! One pair an image, with all its captions; its `licence` is the name of the licence that it has. Images and captions
//! stand apart in the file, so the texts of the whole file are in memory while it is read. The rows of a file are its
//! images, counted from 1, and behind them its annotations. One that cannot be used costs itself only: an image without
//! an id or a name or with the id of another, an annotation without a caption (those of other tasks have none), or of
//! an image that the file does not have.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::input;
use super::layout::image_folder;
use super::path_text::path_of;
use super::record::{self, json_message};
use super::source::{DraftIterator, PairDraft, PairSource};
use super::{PairOptions, PairOrigin, PairsError, RowError, RowRejection};

/// A file of annotations, as far as it is read.
#[derive(Deserialize)]
struct CocoFile {
    images: Vec<CocoEntry<CocoImage>>,
    annotations: Vec<CocoEntry<CocoAnnotation>>,
    #[serde(default)]
    licenses: Vec<CocoEntry<CocoLicence>>,
}

/// An entry, which costs only itself if it is not what it must be.
#[derive(Deserialize)]
#[serde(untagged)]
enum CocoEntry<T> {
    Good(T),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct CocoImage {
    id: i64,
    file_name: String,
    license: Option<i64>,
}

#[derive(Deserialize)]
struct CocoAnnotation {
    image_id: i64,
    caption: Option<String>,
}

#[derive(Deserialize)]
struct CocoLicence {
    id: i64,
    name: String,
}

/// A file whose images are counted.
struct CocoSource {
    path: PathBuf,
    rows: u64,
}

/// Reads the file; `None` if it is JSON, but no COCO file.
///
/// # Errors
/// When it cannot be read, or is a COCO file that is damaged.
pub(super) fn open(path: &Path) -> Result<Option<Box<dyn PairSource>>, PairsError> {
    let joined = match joined(path)? {
        Ok(joined) => joined,
        Err(error) if error.is_data() => return Ok(None),
        Err(error) => {
            let said = format!("{}: not JSON: {}", path.display(), json_message(&error));
            return Err(io::Error::new(io::ErrorKind::InvalidData, said).into());
        }
    };
    let path = path.to_owned();
    let rows = (joined.images.len() + joined.faults.len()) as u64;
    Ok(Some(Box::new(CocoSource { path, rows })))
}

/// The images with their captions.
struct JoinedImages {
    /// Each with the number of its row.
    images: Vec<(u64, CocoImage, Vec<String>)>,
    /// Rows that cannot be used.
    faults: Vec<(u64, CocoFault)>,
    licences: HashMap<i64, String>,
}

/// Why an entry cannot be used.
enum CocoFault {
    /// An image that is none.
    NoImage,
    /// An image with the id of another, which stands in that row.
    SameId(i64, u64),
    /// An annotation that names no image.
    NoAnnotation,
    /// An annotation without a caption.
    NoCaption,
    /// An annotation of an image that the file does not have.
    Stray(i64),
}

impl CocoFault {
    fn rejection(&self, file: &Path) -> RowRejection {
        let wrong = |what: &str, expected, found| RowRejection::Type {
            what: what.to_owned(),
            expected,
            found,
        };
        match self {
            Self::NoImage => wrong(
                "the entry of images",
                "an object with a whole number as id and a text as file_name",
                "another value",
            ),
            Self::SameId(id, first) => RowRejection::DuplicateId {
                id: id.to_string(),
                first: PairOrigin {
                    file: file.to_owned(),
                    row: Some(*first),
                },
            },
            Self::NoAnnotation => wrong(
                "the entry of annotations",
                "an object with a whole number as image_id and a text as caption",
                "another value",
            ),
            Self::NoCaption => RowRejection::NoCaption,
            Self::Stray(id) => wrong(
                &format!("the image {id} of a caption"),
                "the id of an image of the file",
                "none",
            ),
        }
    }
}

fn joined(path: &Path) -> io::Result<Result<JoinedImages, serde_json::Error>> {
    let file: CocoFile = match serde_json::from_reader(input::open(path)?) {
        Ok(file) => file,
        Err(error) if error.is_io() => return Err(error.into()),
        Err(error) => return Ok(Err(error)),
    };
    let mut places: HashMap<i64, usize> = HashMap::new();
    let mut images: Vec<(u64, CocoImage, Vec<String>)> = Vec::with_capacity(file.images.len());
    let mut faults = Vec::new();
    let mut row = 0;
    for image in file.images {
        row += 1;
        let CocoEntry::Good(image) = image else {
            faults.push((row, CocoFault::NoImage));
            continue;
        };
        match places.entry(image.id) {
            Entry::Occupied(first) => {
                let first = images[*first.get()].0;
                faults.push((row, CocoFault::SameId(image.id, first)));
            }
            Entry::Vacant(free) => {
                free.insert(images.len());
                images.push((row, image, Vec::new()));
            }
        }
    }
    for annotation in file.annotations {
        row += 1;
        let fault = match annotation {
            CocoEntry::Other(_) => CocoFault::NoAnnotation,
            CocoEntry::Good(CocoAnnotation { caption: None, .. }) => CocoFault::NoCaption,
            CocoEntry::Good(CocoAnnotation {
                image_id,
                caption: Some(caption),
            }) => match places.get(&image_id) {
                Some(&place) => {
                    images[place].2.push(caption);
                    continue;
                }
                None => CocoFault::Stray(image_id),
            },
        };
        faults.push((row, fault));
    }
    let licences = file
        .licenses
        .into_iter()
        .filter_map(|licence| match licence {
            CocoEntry::Good(licence) => Some((licence.id, licence.name)),
            // An image with its number then has no licence, as one without a number.
            CocoEntry::Other(_) => None,
        });
    Ok(Ok(JoinedImages {
        images,
        faults,
        licences: licences.collect(),
    }))
}

impl PairSource for CocoSource {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn is_confined(&self) -> bool {
        true
    }

    fn drafts(&mut self) -> io::Result<DraftIterator> {
        let joined = joined(&self.path)?.map_err(io::Error::other)?;
        let names = joined
            .images
            .iter()
            .map(|(_, image, _)| image.file_name.as_str());
        let base = image_folder(&self.path, names);
        let file = self.path.clone();
        let origin = move |row| PairOrigin {
            file: file.clone(),
            row: Some(row),
        };
        let (of_fault, path) = (origin.clone(), self.path.clone());
        let licences = joined.licences;
        let images = joined.images.into_iter();
        let images = images.map(move |(row, image, captions)| {
            let licence = image.license.and_then(|id| licences.get(&id)).cloned();
            draft(image, captions, licence, &base, origin(row))
        });
        let faults = joined.faults.into_iter().map(move |(row, fault)| {
            Err(RowError {
                origin: of_fault(row),
                reason: fault.rejection(&path),
            })
        });
        Ok(Box::new(images.chain(faults)))
    }
}

fn draft(
    image: CocoImage,
    captions: Vec<String>,
    licence: Option<String>,
    base: &Path,
    origin: PairOrigin,
) -> Result<PairDraft, RowError> {
    let written = image.file_name.trim().to_owned();
    if written.is_empty() {
        let reason = RowRejection::NoImage;
        return Err(RowError { origin, reason });
    }
    let mut object = Map::new();
    object.insert("captions".to_owned(), captions.into());
    object.insert("coco_id".to_owned(), image.id.into());
    if let Some(licence) = licence {
        object.insert("licence".to_owned(), Value::String(licence));
    }
    let file = base.join(path_of(&written)).into();
    record::with_image(object, file, written, &PairOptions::default(), base, origin)
}

#[cfg(test)]
mod tests {
    use crate::pairs::tests::{fatal, folder, ids, read};

    #[test]
    fn images_and_captions_are_joined_and_found_where_coco_has_them() {
        let text = br#"{"info": {}, "licenses": [{"id": 3, "name": "CC BY", "url": "x"}],
            "annotations": [{"image_id": 2, "id": 1, "caption": "two"}, {"image_id": 1, "caption": "one"},
                {"image_id": 9, "caption": "stray"}, {"image_id": 2, "caption": " also two\n"},
                {"image_id": 2, "bbox": [1]}],
            "images": [{"id": 1, "file_name": "1.jpg", "license": 3, "height": 4}, {"id": 2, "file_name": "2.jpg"},
                {"id": 3, "file_name": "1.jpg"}, {"id": 4, "file_name": "../secret.jpg"}]}"#;
        for place in ["annotations/captions_val2017.json", "images.json"] {
            let images = if place.contains('/') {
                "val2017"
            } else {
                "images"
            };
            let (one, two) = (format!("{images}/1.jpg"), format!("{images}/2.jpg"));
            let dir = folder(&[(place, text), (&one, b""), (&two, b""), ("secret.jpg", b"")]);
            let (pairs, errors) = read(&dir.path().join(place));
            assert_eq!(ids(&pairs), ["1.jpg", "2.jpg"], "{errors:?}");
            assert_eq!(pairs[1].captions, ["two", "also two"]);
            assert_eq!(pairs[0].meta["licence"], "CC BY");
            assert_eq!(pairs[0].meta["coco_id"], 1);
            assert!(pairs[0].image.path().unwrap().ends_with(&one));
            assert_eq!(errors.len(), 4, "{errors:?}");
            assert!(errors[0].contains("row 3: no caption"), "{errors:?}");
            assert!(errors[1].contains("row 4: no caption"), "{errors:?}");
            assert!(errors[2].contains("row 7: the image 9"), "{errors:?}");
            assert!(errors[3].contains("row 9: no caption"), "{errors:?}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_used_costs_itself_only() {
        let text = br#"{"licenses": [{"id": "x"}, 7],
            "images": [{"id": 1, "file_name": "1.jpg", "license": 1}, {"id": 2}, {"id": 1, "file_name": "2.jpg"},
                {"id": 4, "file_name": "4.jpg"}, "x"],
            "annotations": [{"image_id": 1, "caption": "one"}, {"image_id": 4, "caption": 5}, {"caption": "c"}, null,
                {"image_id": "1", "caption": "c"}, {"image_id": 4, "caption": "four"}, {"image_id": 4}]}"#;
        let dir = folder(&[
            ("c.json", text),
            ("1.jpg", b""),
            ("2.jpg", b""),
            ("4.jpg", b""),
        ]);
        let (pairs, errors) = read(&dir.path().join("c.json"));
        assert_eq!(ids(&pairs), ["1.jpg", "4.jpg"], "{errors:?}");
        assert_eq!(pairs[1].captions, ["four"]);
        let expected = [
            "row 2: the entry of images",
            "row 3: duplicate id \"1\", first used in",
            "row 5: the entry of images",
            "row 7: the entry of annotations",
            "row 8: the entry of annotations",
            "row 9: the entry of annotations",
            "row 10: the entry of annotations",
            "row 12: no caption",
        ];
        assert_eq!(errors.len(), expected.len(), "{errors:?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn what_is_no_coco_file_or_a_damaged_one_is_told() {
        assert!(fatal("p.json", "{\"images\": [{\"id\": 1}]}").contains("one JSON document"));
        assert!(fatal("p.json", "{\"images\": [{\"id\": 1, \"file_na").contains("not JSON: EOF"));
    }
}
