//! Parquet: columns as those of a CSV file, with the image as a path or as the content of an image file.
//!
//! An image is a text (a path), bytes, or `{bytes, path}` as `datasets` of Hugging Face writes it; with `bytes` the
//! path is only a name. Its column is one of those of a list, else the only one of type `{bytes, path}`, else one
//! that is called after an image format, as img2dataset calls it, whose `key` then names the image. Captions are a text
//! or a list of texts. All other columns become meta, except those that hold bytes.
//!
//! Rows are read as they are needed: memory is that of a few rows and of one compressed page of each column.

mod values;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err::File;
use parquet::basic::{ConvertedType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::record::{Field, Row};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type};
use serde_json::Map;

use self::values::json_of;
use super::endings::IMAGE_EXTENSIONS;
use super::pair::{CAPTION_NAMES, IMAGE_NAMES};
use super::path_text::{path_of, text_of};
use super::source::{DraftIterator, PairDraft, PairSource, base_of};
use super::{PairOptions, PairOrigin, PairsError, RowError, RowRejection, record};
use crate::image_source::{ImageSource, ParquetCell};

/// How many rows are decoded at once: each may hold an image of megabytes.
const ROWS_AT_ONCE: usize = 8;
/// The fields of a cell with an image's content.
const BYTES: &str = "bytes";
const PATH: &str = "path";
/// The column of img2dataset that its images are named after.
const KEY: &str = "key";

/// How the image of a row is given.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ImageForm {
    /// A path as text.
    Path,
    /// The content.
    Bytes,
    /// `{bytes, path}`.
    Both,
}

/// A file whose columns are known.
struct ParquetFile {
    path: PathBuf,
    options: PairOptions,
    rows: u64,
}

/// Reads the end of the file, which says what columns and how many rows it has.
pub(super) fn open(path: &Path, options: &PairOptions) -> Result<Box<dyn PairSource>, PairsError> {
    let columns = ParquetColumns::open(path, options)?;
    let rows = columns.reader.metadata().file_metadata().num_rows();
    let path = path.to_owned();
    Ok(Box::new(ParquetFile {
        path,
        options: options.clone(),
        rows: u64::try_from(rows).unwrap_or(0),
    }))
}

impl PairSource for ParquetFile {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn is_confined(&self) -> bool {
        true
    }

    fn drafts(&mut self) -> io::Result<DraftIterator> {
        let columns =
            ParquetColumns::open(&self.path, &self.options).map_err(|error| match error {
                PairsError::Read { source } | PairsError::Damaged { source } => source,
                changed => io::Error::other(changed),
            })?;
        Ok(Box::new(ParquetRows {
            base: base_of(&self.path),
            path: self.path.clone(),
            options: self.options.clone(),
            columns,
            group: 0,
            rows: None,
            row: 0,
            ended: false,
        }))
    }
}

/// An open file, and which of its columns is what.
struct ParquetColumns {
    reader: SerializedFileReader<std::fs::File>,
    /// The columns that are read.
    schema: SchemaDescPtr,
    image: String,
    form: ImageForm,
}

impl ParquetColumns {
    fn open(path: &Path, options: &PairOptions) -> Result<Self, PairsError> {
        let (file, _) = File::open(path)?.into_parts();
        let reader = SerializedFileReader::new(file).map_err(|error| damage(path, &error))?;
        let root = reader.metadata().file_metadata().schema();
        let columns = root.get_fields();
        let missing = |role, own: &Option<String>, names: &[&str]| PairsError::Header {
            path: path.to_owned(),
            missing: role,
            accepted: match own {
                Some(own) => vec![own.clone()],
                None => names.iter().map(|&name| name.to_owned()).collect(),
            },
            found: columns.iter().map(|c| c.name().to_owned()).collect(),
            hint: "; rename a column",
        };
        let (image, form) = image_column(columns, &options.image_column).ok_or_else(|| {
            let own = options.image_column.as_deref();
            let names = own.map_or(IMAGE_NAMES, |_| &[]).iter().copied().chain(own);
            let named: Vec<&str> = names.collect();
            match columns.iter().find(|column| named.contains(&column.name())) {
                Some(column) => PairsError::ColumnType {
                    path: path.to_owned(),
                    name: column.name().to_owned(),
                    expected: "a path as text, the bytes of an image, or {bytes, path}",
                    found: type_of(column),
                },
                None => missing("image", &options.image_column, IMAGE_NAMES),
            }
        })?;
        let is_caption = |name: &str| match &options.caption_column {
            Some(own) => name == own,
            None => CAPTION_NAMES.contains(&name),
        };
        if !columns.iter().any(|column| is_caption(column.name())) {
            return Err(missing("caption", &options.caption_column, CAPTION_NAMES));
        }
        let is_read = |column: &&Arc<Type>| column.name() == image || !has_bytes(column);
        let read = columns.iter().filter(is_read).cloned().collect();
        let schema = Type::group_type_builder(root.name())
            .with_fields(read)
            .build()
            .map_err(|error| damage(path, &error))?;
        Ok(Self {
            schema: Arc::new(SchemaDescriptor::new(Arc::new(schema))),
            image: image.to_owned(),
            form,
            reader,
        })
    }
}

/// The column of the image and its form.
fn image_column<'a>(
    columns: &'a [Arc<Type>],
    own: &Option<String>,
) -> Option<(&'a str, ImageForm)> {
    let form = |name: &str| {
        let column = columns.iter().find(|column| column.name() == name)?;
        form_of(column).map(|form| (column.name(), form))
    };
    if let Some(own) = own {
        return form(own);
    }
    let both = |column: &&Arc<Type>| form_of(column) == Some(ImageForm::Both);
    let of_list = IMAGE_NAMES.iter().find_map(|name| form(name));
    let only = || {
        let mut found = columns.iter().filter(both);
        let column = found.next().filter(|_| found.next().is_none())?;
        Some((column.name(), ImageForm::Both))
    };
    let of_format = || {
        let mut found = IMAGE_EXTENSIONS.iter().filter_map(|name| form(name));
        found.find(|(_, form)| *form == ImageForm::Bytes)
    };
    of_list.or_else(only).or_else(of_format)
}

fn form_of(column: &Type) -> Option<ImageForm> {
    if column.is_primitive() {
        return match (column.get_physical_type(), is_text(column)) {
            (PhysicalType::BYTE_ARRAY, true) => Some(ImageForm::Path),
            (PhysicalType::BYTE_ARRAY, false) => Some(ImageForm::Bytes),
            _ => None,
        };
    }
    let has = |name: &str, form| {
        let mut fields = column.get_fields().iter();
        fields.any(|field| field.name() == name && form_of(field) == Some(form))
    };
    (has(BYTES, ImageForm::Bytes) && has(PATH, ImageForm::Path)).then_some(ImageForm::Both)
}

/// The type of a column in the words of Parquet.
fn type_of(column: &Type) -> String {
    match column.is_primitive() {
        true => column.get_physical_type().to_string(),
        false => {
            let fields = column.get_fields().iter().map(|field| field.name());
            format!("a group of {}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

fn is_text(column: &Type) -> bool {
    matches!(
        column.get_basic_info().converted_type(),
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
    )
}

/// Whether a column holds bytes that are no text, at any depth.
fn has_bytes(column: &Type) -> bool {
    match column.is_primitive() {
        true => form_of(column) == Some(ImageForm::Bytes),
        false => column.get_fields().iter().any(|field| has_bytes(field)),
    }
}

fn damage(path: &Path, error: &ParquetError) -> io::Error {
    let said = error.to_string();
    let said = said.strip_prefix("Parquet error: ").unwrap_or(&said);
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "{}: no Parquet file, or damaged or cut off: {said}",
            path.display()
        ),
    )
}

/// Reads a file row by row.
struct ParquetRows {
    columns: ParquetColumns,
    options: PairOptions,
    path: PathBuf,
    base: PathBuf,
    /// The next row group.
    group: usize,
    rows: Option<ReaderIter>,
    /// The rows that were read.
    row: u64,
    ended: bool,
}

impl ParquetRows {
    /// The next row; `None` at the end.
    fn next_row(&mut self) -> Option<Result<Row, ParquetError>> {
        loop {
            if let Some(row) = self.rows.as_mut().and_then(Iterator::next) {
                return Some(row);
            }
            if self.group == self.columns.reader.num_row_groups() {
                return None;
            }
            let schema = Arc::clone(&self.columns.schema);
            let rows = TreeBuilder::new().with_batch_size(ROWS_AT_ONCE);
            let group = self.columns.reader.get_row_group(self.group);
            self.group += 1;
            match group.and_then(|group| rows.as_iter(schema, &*group)) {
                Ok(rows) => self.rows = Some(rows),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn draft(&self, row: Row, origin: PairOrigin) -> Result<PairDraft, RowError> {
        let mut image = None;
        let mut object = Map::new();
        for (name, field) in row.into_columns() {
            match name == self.columns.image {
                true => image = Some(field),
                false => drop(object.insert(name, json_of(&field))),
            }
        }
        let key = object.get(KEY).and_then(|key| key.as_str());
        match self.image(image.unwrap_or(Field::Null), key) {
            Ok((image, written)) => {
                record::with_image(object, image, written, &self.options, &self.base, origin)
            }
            Err(reason) => Err(RowError { origin, reason }),
        }
    }

    /// The image of the row read last, and its name.
    fn image(
        &self,
        field: Field,
        key: Option<&str>,
    ) -> Result<(ImageSource, String), RowRejection> {
        let (bytes, path) = match field {
            Field::Bytes(bytes) => (Some(bytes), None),
            Field::Str(path) => (None, Some(path)),
            Field::Group(row) => {
                let (mut bytes, mut path) = (None, None);
                for (name, field) in row.into_columns() {
                    match field {
                        Field::Bytes(found) if name == BYTES => bytes = Some(found),
                        Field::Str(found) if name == PATH => path = Some(found),
                        _ => {}
                    }
                }
                (bytes, path)
            }
            _ => (None, None),
        };
        let path = path
            .map(|path| path.trim().to_owned())
            .filter(|path| !path.is_empty());
        match (bytes, path) {
            (Some(bytes), path) => {
                let name = path.unwrap_or_else(|| self.name(key));
                let cell = ParquetCell {
                    file: self.path.clone(),
                    column: self.columns.image.clone(),
                    row: self.row - 1,
                };
                Ok((ImageSource::Cell(cell, Some(bytes.data().into())), name))
            }
            (None, Some(path)) => Ok((self.base.join(path_of(&path)).into(), path)),
            (None, None) => Err(RowRejection::NoImage),
        }
    }

    /// The name of an image without one.
    fn name(&self, key: Option<&str>) -> String {
        match (key, self.columns.form) {
            (Some(key), ImageForm::Bytes) => format!("{key}.{}", self.columns.image),
            _ => {
                let file = self.path.file_name().map(Path::new).unwrap_or(&self.path);
                format!("{}/{}", text_of(file), self.row)
            }
        }
    }
}

impl Iterator for ParquetRows {
    type Item = Result<PairDraft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        // The crate panics at some files whose pages contradict one another.
        let row = catch_unwind(AssertUnwindSafe(|| self.next_row()));
        let row = row.unwrap_or_else(|_| {
            Some(Err(ParquetError::General(
                "its pages contradict one another".to_owned(),
            )))
        });
        self.row += 1;
        let origin = PairOrigin {
            file: self.path.clone(),
            row: Some(self.row),
        };
        Some(match row? {
            Ok(row) => self.draft(row, origin),
            Err(error) => {
                self.ended = true;
                let reason = RowRejection::broken(damage(&self.path, &error));
                Err(RowError { origin, reason })
            }
        })
    }
}
