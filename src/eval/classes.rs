//! Class folders, their names, and the file that renames them.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::Path;

use super::dataset::error::DatasetError;
use crate::pairs::PairOrigin;
use crate::space::prompts::{names_seem, note_on_numbers};
use crate::stand_in;

/// One class of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetClass {
    /// The folder, or the label in `labels.jsonl`.
    pub folder: String,
    /// The name of the class in prompts.
    pub name: String,
}

/// Classes in the order of their folders, named by `names`, else by the folder with `_` replaced by a space.
pub(super) fn named(
    folders: impl IntoIterator<Item = String>,
    names: &BTreeMap<String, String>,
) -> Vec<DatasetClass> {
    let name = |folder: String| {
        let name = names
            .get(&folder)
            .cloned()
            .unwrap_or_else(|| folder.replace('_', " "));
        DatasetClass { folder, name }
    };
    folders.into_iter().map(name).collect()
}

/// Renames classes by a file with one `folder<separator>name` a line.
///
/// The separator is the first tab of the line; if it has none, the first colon; if it has none, the
/// first comma. Blank lines and lines that begin with `#` are skipped; a class that is not in the file keeps
/// its name.
pub(super) fn rename(classes: &mut [DatasetClass], file: &Path) -> Result<(), DatasetError> {
    let path = || file.to_owned();
    if file.is_dir() {
        return Err(DatasetError::ClassFileIsFolder { path: path() });
    }
    let bytes = fs_err::read(file).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            DatasetError::NoClassFile { path: path() }
        }
        _ => DatasetError::Read { source },
    })?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    if let Some(said) = stand_in::said_of(bytes) {
        return Err(DatasetError::StandIn { path: path(), said });
    }
    let mut renamed = HashMap::new();
    // Split before the text is decoded, so that a fault names its line.
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let fault = |message: String| DatasetError::Row {
            origin: PairOrigin {
                file: file.to_owned(),
                row: Some(index as u64 + 1),
            },
            message,
        };
        let line = str::from_utf8(line)
            .map_err(|_| fault("not UTF-8; save the file as UTF-8".to_owned()))?
            // Files that were joined have a mark in the middle.
            .trim_start_matches('\u{feff}')
            .trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // A JSON file under another name would pass as `{"folder"` and a name.
        if line.starts_with('{') {
            return Err(fault(
                "expected a folder and a name with a tab, colon or comma between them, found JSON; \
                 write `folder: name` on each line"
                    .to_owned(),
            ));
        }
        let (folder, name) = ['\t', ':', ',']
            .iter()
            .find_map(|&separator| line.split_once(separator))
            .map(|(folder, name)| (folder.trim(), name.trim()))
            .filter(|(folder, name)| !folder.is_empty() && !name.is_empty())
            .ok_or_else(|| {
                fault(format!(
                    "expected a folder and a name with a tab, colon or comma between them, found \
                     {line:?}; correct the line"
                ))
            })?;
        let class = classes
            .iter_mut()
            .find(|class| class.folder == folder)
            .ok_or_else(|| {
                fault(format!(
                    "the data set has no class {folder:?}; correct or remove the line"
                ))
            })?;
        // Which of two names is meant cannot be told.
        if let Some(first) = renamed.insert(folder.to_owned(), index + 1) {
            return Err(fault(format!(
                "{folder:?} was named on line {first} already; keep one of the two"
            )));
        }
        name.clone_into(&mut class.name);
    }
    let named = classes
        .iter()
        .filter(|class| renamed.contains_key(&class.folder));
    let names: Vec<&str> = named.map(|class| class.name.as_str()).collect();
    match names_seem(&names) {
        Some(seems) => Err(DatasetError::Row {
            origin: PairOrigin {
                file: file.to_owned(),
                row: None,
            },
            message: format!(
                "expected class names, found what seems to be {seems}, such as {:?}; write \
                 `folder: name` on each line, or if these are the names, put them under \"classes\" in \
                 the meta.json of the data set",
                names[0]
            ),
        }),
        None => Ok(()),
    }
}

/// A note on classes whose names, from their folders or from `meta.json`, do not look like names. It is
/// not an error: there are data sets of digits, the user has often not chosen the folders, and JSON is
/// taken literally, as in label files.
pub(super) fn unnamed_note(classes: &[DatasetClass]) -> Option<String> {
    let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    let first = names.first()?;
    let seems = names_seem(&names).map(|seems| {
        format!(
            "the class names seem to be {seems}, such as {first:?}, and are used as written; \
             other names go into a file with `folder: name` on each line"
        )
    });
    seems.or_else(|| note_on_numbers(&names))
}

/// Rejects two classes with the same name: their prompts would be equal, and the second could never win.
pub(super) fn check_unique(classes: &[DatasetClass]) -> Result<(), DatasetError> {
    let mut seen = HashMap::new();
    for class in classes {
        if let Some(first) = seen.insert(&class.name, &class.folder) {
            return Err(DatasetError::SameName {
                name: class.name.clone(),
                first: first.clone(),
                second: class.folder.clone(),
            });
        }
    }
    Ok(())
}
