//! A data set is a folder of labelled or captioned images.
//!
//! ```text
//! NAME/meta.json      optional: {"name", "kind": "classification" | "retrieval",
//!                     "classes": {folder: name}, "templates": ["a photo of a {c}."],
//!                     "source", "licence", "note"}
//! NAME/labels.jsonl   optional: {"image": path, "label": folder} a line
//! NAME/pairs.jsonl    retrieval: {"image": path, "captions": [...]} a line
//! NAME/FOLDER/...     without labels.jsonl: the images of one class, folders within included
//! ```
//!
//! Classes are in the order of their folders' names. A row of a list that cannot be used, or that names
//! an image again, is left out. In folders of classes a file is an image by the ending of its name or
//! by its first bytes; every other one is left out, as is a class without an image. All of that is
//! counted and named in [`Dataset::left_out`], since a share of fewer images is another figure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::classes::{self, Class};
use crate::image_source::ImageSource;
use crate::pairs::{self, Origin, PairsError, RowError};
use crate::space::prompts::{PromptsError, Templates};
use crate::stand_in;

mod folders;
mod listed;

/// A data set that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The folder does not exist.
    #[error("{}: there is no such folder; a data set is a folder of images", .path.display())]
    Missing {
        /// The path given.
        path: PathBuf,
    },
    /// There is no file of class names.
    #[error("{}: there is no such file; give a file with `folder: name` on each line", .path.display())]
    NoClassFile {
        /// The path given.
        path: PathBuf,
    },
    /// A folder was given for the file of class names.
    #[error("{}: expected a file of class names, found a folder; give a file with `folder: name` on each line", .path.display())]
    ClassFileIsFolder {
        /// The path given.
        path: PathBuf,
    },
    /// A file was given.
    #[error("{}: expected a folder of images, found a file; name the folder", .path.display())]
    NotAFolder {
        /// The path given.
        path: PathBuf,
    },
    /// `meta.json` is not what it must be.
    #[error("{}: {message}; correct the file or remove it", .path.display())]
    Meta {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Something else lies where a file of the data set was meant: a pointer to it, or what a server
    /// answered.
    #[error("{}: {said}", .path.display())]
    StandIn {
        /// The file.
        path: PathBuf,
        /// What it seems to be, and what to do.
        said: String,
    },
    /// A row of the file of class names cannot be used.
    #[error("{origin}: {message}")]
    Row {
        /// The row.
        origin: Origin,
        /// What is wrong and what to do.
        message: String,
    },
    /// There is nothing to classify.
    #[error(
        "{}: no labelled images found; expected a folder for each class with images in it, or a \
         labels.jsonl{}", .path.display(), beginning(left_out)
    )]
    NoImages {
        /// The data set.
        path: PathBuf,
        /// What lies there, as in [`Dataset::left_out`].
        left_out: Vec<String>,
    },
    /// There is nothing to choose between.
    #[error(
        "{}: {class:?} is the only class, so every answer would be right; give a data set with two \
         classes or more, or name the others under `classes` in its meta.json", .path.display()
    )]
    OneClass {
        /// The data set.
        path: PathBuf,
        /// Its class.
        class: String,
    },
    /// The folders are not classes.
    #[error(
        "{}: the folders {} seem to be the parts of a divided data set, each with all classes; give \
         one of them", .path.display(), splits.join(", ")
    )]
    Splits {
        /// The data set.
        path: PathBuf,
        /// Its folders.
        splits: Vec<String>,
    },
    /// Two classes are called the same.
    #[error(
        "the classes {first:?} and {second:?} are both named {name:?}, so their prompts are the \
         same; name them apart with a file of class names"
    )]
    SameName {
        /// The name.
        name: String,
        /// The first class.
        first: String,
        /// The second class.
        second: String,
    },
    /// Class names for a data set that has no classes.
    #[error("{}: a retrieval data set has no classes; leave the file of class names out", .path.display())]
    NoClasses {
        /// The data set.
        path: PathBuf,
    },
    /// The templates of `meta.json` cannot be used.
    #[error("{}: {source}", .path.display())]
    Templates {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: PromptsError,
    },
    /// The list of a retrieval data set cannot be read.
    #[error(transparent)]
    Pairs(#[from] PairsError),
    /// No row of that list can be used; the first.
    #[error(transparent)]
    Pair(#[from] RowError),
    /// The system refuses to read something.
    #[error("{source}{}", pairs::reading_advice(source))]
    Read {
        /// What the system says, with the path.
        #[from]
        source: std::io::Error,
    },
}

/// A folder of labelled or captioned images.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// `name` in `meta.json`, else the folder's name.
    pub name: String,
    /// Where the images come from, if `meta.json` says so.
    pub source: Option<String>,
    /// Under which terms, if `meta.json` says so.
    pub licence: Option<String>,
    /// Anything else that a reader of the figures should know.
    pub note: Option<String>,
    /// What lies in the folders of classes and is not used, counted by ending, and the rows of a list
    /// that are left out, and classes that have no names; a sentence each.
    pub left_out: Vec<String>,
    /// What is asked.
    pub task: Task,
}

/// What is asked of a data set.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Task {
    /// Which class is this image of?
    Classification(Classification),
    /// Which text belongs to this image, and which image to this text?
    Retrieval(Retrieval),
}

/// Images with one label each.
#[derive(Debug, Clone)]
pub struct Classification {
    /// The classes to choose between; some may have no image.
    pub classes: Vec<Class>,
    /// The images.
    pub images: Vec<PathBuf>,
    /// For each image, its class, as an index into `classes`.
    pub labels: Vec<usize>,
    /// The templates of `meta.json`, if it has any.
    pub templates: Option<Templates>,
}

/// Images with one or more captions each.
#[derive(Debug, Clone)]
pub struct Retrieval {
    /// The images.
    pub images: Vec<ImageSource>,
    /// The captions of all images, those of one image together.
    pub captions: Vec<String>,
    /// For each caption, its image, as an index into `images`.
    pub owners: Vec<usize>,
}

#[derive(Debug, Default, Deserialize)]
struct Meta {
    name: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    classes: BTreeMap<String, String>,
    #[serde(default)]
    templates: Vec<String>,
    source: Option<String>,
    #[serde(alias = "license")]
    licence: Option<String>,
    note: Option<String>,
}

impl Dataset {
    /// Reads what the images of a folder are. `classnames` is a file with one
    /// `folder<tab, colon or comma>name` a line that overrides the names of classes.
    ///
    /// Without `meta.json` a folder that holds a `pairs.jsonl` is for retrieval, any other for
    /// classification. The images are looked for, not opened.
    ///
    /// # Errors
    /// [`DatasetError`], on the first thing that is wrong.
    pub fn load(folder: &Path, classnames: Option<&Path>) -> Result<Self, DatasetError> {
        match fs_err::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(DatasetError::NotAFolder {
                    path: folder.to_owned(),
                });
            }
            Err(error)
                if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) =>
            {
                return Err(DatasetError::Missing {
                    path: folder.to_owned(),
                });
            }
            Err(error) => return Err(error.into()),
        }
        let meta_file = folder.join("meta.json");
        let meta = Meta::read(&meta_file)?;
        let kind = match &meta.kind {
            Some(kind) => kind.as_str(),
            None if folder.join("pairs.jsonl").is_file() => "retrieval",
            None => "classification",
        };
        let (task, left_out) = match kind {
            "classification" => {
                let (task, rest) = Classification::load(folder, &meta, &meta_file, classnames)?;
                (Task::Classification(task), rest)
            }
            "retrieval" if classnames.is_some() => {
                return Err(DatasetError::NoClasses {
                    path: folder.to_owned(),
                });
            }
            "retrieval" => {
                let (task, rest) = Retrieval::load(folder)?;
                (Task::Retrieval(task), rest)
            }
            other => {
                let message = format!("expected kind classification or retrieval, found {other:?}");
                return Err(DatasetError::Meta {
                    path: meta_file,
                    message,
                });
            }
        };
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let name = given(meta.name).unwrap_or_else(|| name_of(folder));
        let (source, licence, note) = (given(meta.source), given(meta.licence), given(meta.note));
        Ok(Self {
            name,
            source,
            licence,
            note,
            left_out,
            task,
        })
    }
}

impl Meta {
    fn read(path: &Path) -> Result<Self, DatasetError> {
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error.into()),
        };
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let fault = |message| DatasetError::Meta {
            path: path.to_owned(),
            message,
        };
        if let Some(said) = stand_in::said_of(bytes) {
            return Err(DatasetError::StandIn {
                path: path.to_owned(),
                said,
            });
        }
        let parsed: Result<Value, _> = serde_json::from_slice(bytes);
        // A list would be read as the values of the fields in their order.
        if let Ok(other) = &parsed
            && !other.is_object()
        {
            let found = pairs::type_name(other);
            return Err(fault(format!("expected an object, found {found}")));
        }
        // From the text once more, so that the message has the place.
        serde_json::from_slice(bytes).map_err(|error| fault(pairs::json_message(&error)))
    }
}

fn name_of(folder: &Path) -> String {
    let resolved = fs_err::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    resolved
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

impl Classification {
    fn load(
        folder: &Path,
        meta: &Meta,
        meta_file: &Path,
        classnames: Option<&Path>,
    ) -> Result<(Self, Vec<String>), DatasetError> {
        let list = folder.join("labels.jsonl");
        let (labelled, mut left_out) = if list.is_file() {
            let (labelled, left) = listed::listed(&list, meta)?;
            let left_out = left.sentences("labels.jsonl", labelled.len());
            (labelled, left_out)
        } else {
            let filed = folders::filed(folder)?;
            (filed.labelled, filed.left_out)
        };
        if labelled.is_empty() {
            return Err(DatasetError::NoImages {
                path: folder.to_owned(),
                left_out,
            });
        }
        let mut folders: BTreeSet<_> = meta.classes.keys().cloned().collect();
        folders.extend(labelled.iter().map(|(_, label)| label.clone()));
        let mut classes = classes::named(folders, &meta.classes);
        if let Some(file) = classnames {
            classes::rename(&mut classes, file)?;
        }
        classes::check_unique(&classes)?;
        left_out.extend(classes::unnamed_note(&classes));

        let index: HashMap<_, _> = classes
            .iter()
            .enumerate()
            .map(|(i, class)| (class.folder.as_str(), i))
            .collect();
        let (images, labels) = labelled
            .into_iter()
            .map(|(image, label)| (image, index[label.as_str()]))
            .unzip();
        let templates = (!meta.templates.is_empty()).then(|| Templates::parse(&meta.templates));
        let templates = templates
            .transpose()
            .map_err(|source| DatasetError::Templates {
                path: meta_file.to_owned(),
                source,
            })?;
        if let [only] = classes.as_slice() {
            return Err(DatasetError::OneClass {
                path: folder.to_owned(),
                class: only.name.clone(),
            });
        }
        let task = Self {
            classes,
            images,
            labels,
            templates,
        };
        Ok((task, left_out))
    }
}

/// The first of what was left out, as the end of a sentence.
fn beginning(left_out: &[String]) -> String {
    left_out
        .first()
        .map_or_else(String::new, |first| format!("; {first}"))
}

impl Retrieval {
    fn load(folder: &Path) -> Result<(Self, Vec<String>), DatasetError> {
        let (mut left, mut first) = (listed::LeftRows::default(), None);
        let mut data = Self {
            images: Vec::new(),
            captions: Vec::new(),
            owners: Vec::new(),
        };
        for pair in pairs::open(&[folder.join("pairs.jsonl")])? {
            let pair = match pair {
                Ok(pair) => pair,
                Err(error) => {
                    let error = error.of_row()?;
                    left.pair(&error);
                    first.get_or_insert(error);
                    continue;
                }
            };
            let image = data.images.len();
            data.owners.extend(pair.captions.iter().map(|_| image));
            data.captions.extend(pair.captions);
            data.images.push(pair.image);
        }
        if let (true, Some(error)) = (data.images.is_empty(), first) {
            return Err(error.into());
        }
        let left_out = left.sentences("pairs.jsonl", data.images.len());
        Ok((data, left_out))
    }
}

#[cfg(test)]
mod tests;
