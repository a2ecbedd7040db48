//! Maps the columns of a header to the fields of a record.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::splitter::FieldSplitter;
use crate::pairs::endings::is_image_name;
use crate::pairs::pair::{CAPTION_NAMES, ID_NAME, IMAGE_NAMES};
use crate::pairs::record::{self, ReadTexts};
use crate::pairs::{PairOptions, PairsError};

/// The field that each column holds.
#[derive(Debug)]
pub(super) struct CsvColumns {
    pub(super) image: ColumnGroup,
    pub(super) captions: ColumnGroup,
    pub(super) id: Option<usize>,
    pub(super) meta: Vec<(usize, String)>,
    pub(super) width: usize,
    pub(super) delimiter: u8,
}

/// The columns for one field, by their accepted names; at least one.
#[derive(Debug)]
pub(super) struct ColumnGroup {
    pub(super) role: &'static str,
    pub(super) named: Vec<(&'static str, Vec<usize>)>,
    /// How the cells under a name are read.
    pub(super) read: ReadTexts,
}

impl ColumnGroup {
    /// The columns of the first name.
    fn first(&self) -> &[usize] {
        self.named.first().map_or(&[], |(_, columns)| columns)
    }

    /// Whether a column has any of the names.
    fn has(&self, column: usize) -> bool {
        self.named
            .iter()
            .any(|(_, columns)| columns.contains(&column))
    }
}

/// The role that no column of a header has.
struct MissingColumn {
    role: &'static str,
    accepted: Vec<String>,
}

impl MissingColumn {
    fn into_error(self, path: &Path, header: &[&str]) -> PairsError {
        // A header that is a single field was split at the wrong character.
        let separated = |separator| header.len() == 1 && header[0].contains(separator);
        let hint = if separated('\t') {
            "; the fields seem to be separated by tabs, so name the file .tsv"
        } else if separated(',') {
            "; the fields seem to be separated by commas, so name the file .csv"
        } else if separated(';') || separated('|') {
            "; the fields seem to be separated by another character, so save the file with commas"
        } else {
            "; rename a column, or add a first row that names them"
        };
        PairsError::Header {
            path: path.to_owned(),
            missing: self.role,
            accepted: self.accepted,
            found: header.iter().map(|&name| name.to_owned()).collect(),
            hint,
        }
    }
}

impl CsvColumns {
    pub(super) fn of_header(
        path: &Path,
        raw: &[u8],
        delimiter: u8,
        options: &PairOptions,
    ) -> Result<Self, PairsError> {
        let mut splitter = FieldSplitter::new(delimiter);
        let header = splitter.split(raw).map_err(io::Error::from)?;
        let header: Vec<_> = header
            .iter()
            .map(|name| str::from_utf8(name).map(str::trim))
            .collect::<Result<_, _>>()
            .map_err(|_| PairsError::HeaderEncoding {
                path: path.to_owned(),
            })?;
        let columns = Self::find(&header, delimiter, options)
            .map_err(|missing| missing.into_error(path, &header))?;
        let mut single = HashSet::new();
        for (number, name) in header.iter().enumerate() {
            // Names are compared without case, as the wanted ones are.
            let name = name.to_ascii_lowercase();
            // Columns of captions may repeat, for several captions a row; all others would lose one.
            if !name.is_empty() && !columns.captions.has(number) && single.contains(&name) {
                let path = path.to_owned();
                return Err(PairsError::ColumnTwice { path, name });
            }
            single.insert(name);
        }
        Ok(columns)
    }

    /// Whether a line within quotes is clearly a row of its own: it has as many fields as the
    /// header, and one that names an image.
    pub(super) fn is_row(&self, line: &[u8], base: &Path) -> bool {
        let Ok(line) = str::from_utf8(line) else {
            return false;
        };
        let cells: Vec<&str> = line.split(char::from(self.delimiter)).collect();
        let names_image = |cell: &&str| {
            let cell = cell.trim().trim_matches('"');
            let path = Path::new(cell);
            !cell.is_empty()
                // A name with spaces is more likely text that ends like a file.
                && (is_image_name(path) && !cell.contains(char::is_whitespace)
                    || base.join(path).is_file())
        };
        // Fields before the image may be quoted and contain separators. After a quotation mark, however,
        // the image may be that of the record whose quotes are open: `on a mat",a.jpg`.
        let open = line.split('"').next().unwrap_or_default();
        let (candidates, line) = match self.image.first() {
            [0, ..] => (1, line),
            _ => (cells.len(), open),
        };
        let named = line.split(char::from(self.delimiter)).take(candidates);
        cells.len() >= self.width && named.into_iter().any(|cell| names_image(&cell))
    }

    fn find(header: &[&str], delimiter: u8, options: &PairOptions) -> Result<Self, MissingColumn> {
        let positions = |wanted: &str| -> Vec<usize> {
            let named = header.iter().enumerate();
            named
                .filter(|(_, name)| name.eq_ignore_ascii_case(wanted))
                .map(|(i, _)| i)
                .collect()
        };
        let group = |names: &'static [&'static str], own: &Option<String>, role, read| {
            let accepted = match own {
                Some(own) => vec![(role, own.as_str())],
                None => names.iter().map(|&name| (name, name)).collect(),
            };
            let named = accepted
                .iter()
                .map(|(name, column)| (*name, positions(column)));
            let named: Vec<_> = named.filter(|(_, columns)| !columns.is_empty()).collect();
            match named.is_empty() {
                true => Err(MissingColumn {
                    role,
                    accepted: accepted
                        .iter()
                        .map(|(_, column)| (*column).to_owned())
                        .collect(),
                }),
                false => Ok(ColumnGroup { role, named, read }),
            }
        };
        let image = group(IMAGE_NAMES, &options.image_column, "image", |texts| {
            Ok(record::unblank(texts))
        })?;
        let captions = group(
            CAPTION_NAMES,
            &options.caption_column,
            "caption",
            record::expanded,
        )?;
        let id = positions(ID_NAME).first().copied();
        let meta = header
            .iter()
            .enumerate()
            .filter(|(i, name)| {
                let is_read = image.has(*i) || captions.has(*i);
                !is_read && Some(*i) != id && !name.is_empty()
            })
            .map(|(i, name)| (i, (*name).to_owned()))
            .collect();
        Ok(Self {
            image,
            captions,
            id,
            meta,
            width: header.len(),
            delimiter,
        })
    }
}
