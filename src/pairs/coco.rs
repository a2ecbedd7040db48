//! COCO captions: `{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}`.
//!
//! One pair an image, with all its captions; its `licence` is the name of the licence that it has. Images and captions
//! stand apart in the file, so the texts of the whole file are in memory while it is read. Annotations without a
//! caption, those of other tasks, are passed over; one of an image that the file does not have is a row
//! behind those of the images.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
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
    images: Vec<CocoImage>,
    annotations: Vec<CocoAnnotation>,
    #[serde(default)]
    licenses: Vec<CocoLicence>,
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
    let rows = (joined.images.len() + joined.strays.len()) as u64;
    Ok(Some(Box::new(CocoSource { path, rows })))
}

/// The images with their captions.
struct JoinedImages {
    images: Vec<(CocoImage, Vec<String>)>,
    /// Images that captions name and the file does not have.
    strays: Vec<i64>,
    licences: HashMap<i64, String>,
}

fn joined(path: &Path) -> io::Result<Result<JoinedImages, serde_json::Error>> {
    let file: CocoFile = match serde_json::from_reader(input::open(path)?) {
        Ok(file) => file,
        Err(error) if error.is_io() => return Err(error.into()),
        Err(error) => return Ok(Err(error)),
    };
    let mut places = HashMap::new();
    let mut images = Vec::with_capacity(file.images.len());
    for image in file.images {
        places.entry(image.id).or_insert(images.len());
        images.push((image, Vec::new()));
    }
    let mut strays = Vec::new();
    for CocoAnnotation { image_id, caption } in file.annotations {
        let Some(caption) = caption else { continue };
        match places
            .get(&image_id)
            .and_then(|&place| images.get_mut(place))
        {
            Some((_, captions)) => captions.push(caption),
            None => strays.push(image_id),
        }
    }
    let licences = file.licenses.into_iter();
    Ok(Ok(JoinedImages {
        images,
        strays,
        licences: licences.map(|licence| (licence.id, licence.name)).collect(),
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
            .map(|(image, _)| image.file_name.as_str());
        let base = image_folder(&self.path, names);
        let file = self.path.clone();
        let licences = joined.licences;
        let mut rows = 0;
        let mut origin = move || {
            rows += 1;
            PairOrigin {
                file: file.clone(),
                row: Some(rows),
            }
        };
        let mut origin_of_stray = origin.clone();
        let count = joined.images.len() as u64;
        let images = joined.images.into_iter().map(move |(image, captions)| {
            let licence = image.license.and_then(|id| licences.get(&id)).cloned();
            draft(image, captions, licence, &base, origin())
        });
        let strays = joined.strays.into_iter().map(move |id| {
            let mut origin = origin_of_stray();
            origin.row = origin.row.map(|row| row + count);
            let reason = RowRejection::Type {
                what: format!("the image {id} of a caption"),
                expected: "the id of an image of the file",
                found: "none",
            };
            Err(RowError { origin, reason })
        });
        Ok(Box::new(images.chain(strays)))
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
            assert_eq!(errors.len(), 3, "{errors:?}");
            assert!(errors[0].contains("row 3: no caption"), "{errors:?}");
            assert!(errors[1].contains("row 4: no caption"), "{errors:?}");
            assert!(errors[2].contains("row 5: the image 9"), "{errors:?}");
        }
    }

    #[test]
    fn what_is_no_coco_file_or_a_damaged_one_is_told() {
        assert!(fatal("p.json", "{\"images\": [{\"id\": 1}]}").contains("one JSON document"));
        assert!(fatal("p.json", "{\"images\": [{\"id\": 1, \"file_na").contains("not JSON: EOF"));
    }
}
