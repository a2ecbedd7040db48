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
//! Classes are in the order of their folders' names. A row of a list that cannot be used, or that repeats an
//! image, is left out. In class folders a file is an image by its extension or by its first bytes; other
//! files are left out, as is a class without an image. Everything left out is counted and listed in
//! [`Dataset::left_out`], because it changes the figures.

use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use self::error::DatasetError;
use self::meta::DatasetMeta;
use super::classes::{self, DatasetClass};
use crate::image_source::ImageSource;
use crate::pairs::{self};
use crate::space::prompts::PromptTemplates;

pub(super) mod error;
mod folders;
mod listed;
mod meta;

/// A folder of labelled or captioned images.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// `name` in `meta.json`, else the folder's name.
    pub name: String,
    /// The source of the images, if in `meta.json`.
    pub source: Option<String>,
    /// Their licence, if in `meta.json`.
    pub licence: Option<String>,
    /// A note for readers of the figures, if in `meta.json`.
    pub note: Option<String>,
    /// Files in class folders that are not used, counted by extension; rows of a list that are left out; and
    /// classes without proper names. One sentence each.
    pub left_out: Vec<String>,
    /// The task.
    pub task: EvaluationTask,
}

/// The task of a data set.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EvaluationTask {
    /// Find the class of each image.
    Classification(ClassificationTask),
    /// Find the text of each image, and the image of each text.
    Retrieval(RetrievalTask),
}

/// Images with one label each.
#[derive(Debug, Clone)]
pub struct ClassificationTask {
    /// The classes to choose between; some may have no image.
    pub classes: Vec<DatasetClass>,
    /// The images.
    pub images: Vec<PathBuf>,
    /// For each image, its class, as an index into `classes`.
    pub labels: Vec<usize>,
    /// The templates of `meta.json`, if it has any.
    pub templates: Option<PromptTemplates>,
}

/// Images with one or more captions each.
#[derive(Debug, Clone)]
pub struct RetrievalTask {
    /// The images.
    pub images: Vec<ImageSource>,
    /// The captions of all images, those of one image together.
    pub captions: Vec<String>,
    /// For each caption, its image, as an index into `images`.
    pub owners: Vec<usize>,
}

impl Dataset {
    /// Reads a data set from a folder. `classnames` is a file with one
    /// `folder<tab, colon or comma>name` a line that overrides the names of classes.
    ///
    /// Without `meta.json` a folder that holds a `pairs.jsonl` is for retrieval, any other for
    /// classification. The images are located, not opened.
    ///
    /// # Errors
    /// A [`DatasetError`] for the first problem.
    pub fn load(folder: &Path, classnames: Option<&Path>) -> Result<Self, DatasetError> {
        match fs_err::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(DatasetError::NotAFolder {
                    path: folder.to_owned(),
                });
            }
            Err(error)
                // A path that runs through a file is no folder either.
                if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) =>
            {
                return Err(DatasetError::Missing {
                    path: folder.to_owned(),
                });
            }
            Err(error) => return Err(error.into()),
        }
        let meta_file = folder.join("meta.json");
        let meta = DatasetMeta::read(&meta_file)?;
        let kind = match &meta.kind {
            Some(kind) => kind.as_str(),
            None if folder.join("pairs.jsonl").is_file() => "retrieval",
            None => "classification",
        };
        let (task, left_out) = match kind {
            "classification" => {
                let (task, rest) = ClassificationTask::load(folder, &meta, &meta_file, classnames)?;
                (EvaluationTask::Classification(task), rest)
            }
            // Names of classes would be ignored without a word.
            "retrieval" if classnames.is_some() => {
                return Err(DatasetError::NoClasses {
                    path: folder.to_owned(),
                });
            }
            "retrieval" => {
                let (task, rest) = RetrievalTask::load(folder)?;
                (EvaluationTask::Retrieval(task), rest)
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

impl Dataset {
    /// The classes to choose between; 0 for another task.
    pub fn classes(&self) -> usize {
        match &self.task {
            EvaluationTask::Classification(task) => task.classes.len(),
            EvaluationTask::Retrieval(_) => 0,
        }
    }
}

fn name_of(folder: &Path) -> String {
    // `.` and links have no name of their own.
    let resolved = fs_err::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    resolved
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

impl ClassificationTask {
    fn load(
        folder: &Path,
        meta: &DatasetMeta,
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
        // Classes without an image are answers to choose from, too, and belong to the task.
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
        let templates =
            (!meta.templates.is_empty()).then(|| PromptTemplates::parse(&meta.templates));
        let templates = templates
            .transpose()
            .map_err(|source| DatasetError::Templates {
                path: meta_file.to_owned(),
                source,
            })?;
        // With one class every answer is right, and the figure means nothing.
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

impl RetrievalTask {
    fn load(folder: &Path) -> Result<(Self, Vec<String>), DatasetError> {
        let (mut left, mut first) = (listed::RejectedRows::default(), None);
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
        // Where nothing is left the first reason says more than a count.
        if let (true, Some(error)) = (data.images.is_empty(), first) {
            return Err(error.into());
        }
        let left_out = left.sentences("pairs.jsonl", data.images.len());
        Ok((data, left_out))
    }
}

#[cfg(test)]
mod tests;
