//! Sources of anchor pairs, one file per format, all streaming.
//!
//! ```text
//! paths -> open: scans each file once (header, number of rows)
//!       -> PairDraft: one record of a source              (jsonl, csv, folder)
//!       -> Pair:      id settled, image found on disk     (reader)
//!       or RowError:  which row was skipped, and why      (row_error)
//! ```
//!
//! | file | role |
//! |---|---|
//! | `pair.rs` | [`Pair`] and [`PairOrigin`], and the names of the fields |
//! | `open.rs` | [`open`]: the source for a path |
//! | `formats.rs` | [`FORMATS`]: the table of formats; a new one is a file and a row there |
//! | `source.rs` | the interface of all formats |
//! | `reader.rs` | [`PairReader`]: several sources in order, ids, the check of each image |
//! | `record.rs` | reads the fields of a record |
//! | `jsonl.rs` | one JSON object per line |
//! | `json.rs` | a JSON list of objects |
//! | `parquet.rs` | Parquet, with images in it or as paths; `parquet/values.rs` its values as JSON |
//! | `shards.rs` | WebDataset archives; `shards/members.rs` the members of a tar |
//! | `expand.rs` | ranges in names: `{000..150}.tar` |
//! | `coco.rs` | COCO captions |
//! | `token.rs` | token files of Flickr8k and Flickr30k |
//! | `layout.rs` | where images of published lists lie |
//! | `options.rs` | [`PairOptions`]: columns, captions, limits |
//! | `input.rs` | the text of a list, unpacked while it is read |
//! | `csv.rs` | CSV and TSV with a header; `csv/columns.rs` the header, `csv/fields.rs` a row, `csv/splitter.rs` its fields |
//! | `records.rs` | CSV records as slices of bytes, with their lines |
//! | `given.rs` | [`given`]: pairs that are in memory |
//! | `folder.rs` | images with a `.txt` of the same stem |
//! | `other.rs` | files in unsupported formats, by their first bytes and names |
//! | `endings.rs` | file types by extension and by first bytes |
//! | `beside.rs` | which texts of a folder belong to which image |
//! | `id.rs` | validation of ids |
//! | [`path_text`] | paths as text, without loss |
//! | `checked.rs` | JSON parsing without silent loss |
//! | `lines.rs` | lines of bytes with a limit on their length |
//! | `error.rs` | [`PairsError`]: nothing can be read |
//! | `row_error.rs` | [`RowError`]: one row cannot be used, and why |
//!
//! # What every format shares
//! * **Image paths** are relative to the folder of the file that names them; absolute paths are
//!   taken as they are. For a folder they are relative to that folder. **Lists that come with their pictures**, those found
//!   in a folder, Parquet, COCO and token files, name no image outside their folder unless
//!   [`PairOptions::allow_outside`] says so; a list that is given by its own name may name any file. Nothing is
//!   fetched from an address.
//! * **Ids.** The record's own `id` (text or integer) if it has one; a second row with the same id
//!   is an error that names both rows. Otherwise the image path as written, and where that is
//!   taken already, the same with `#2`, `#3`, ... in the order of reading. A row that is skipped
//!   for another reason keeps its id, so correcting it later changes no other id.
//! * **Captions** are trimmed, and blank ones dropped; a pair has at least one. One that is a JSON list
//!   of texts is read as that list; any other list except one of numbers, and an object, skips the row.
//! * **Everything else** in the record is kept as [`Pair::meta`]; in JSON a duplicate key or an integer
//!   that would be rounded skips the row.
//! * UTF-8 only; a byte order mark is accepted, and `\n`, `\r\n` or `\r` as line ends.
//! * **Nothing is skipped silently**: whatever is not a pair is a [`RowError`] with its origin.

mod beside;
mod checked;
mod coco;
mod csv;
mod endings;
mod error;
mod expand;
mod folder;
mod formats;
mod given;
mod id;
mod input;
mod json;
mod jsonl;
mod layout;
mod lines;
mod open;
mod options;
mod other;
mod pair;
#[cfg(feature = "parquet")]
mod parquet;
pub mod path_text;
mod reader;
mod record;
mod records;
mod row_error;
mod shards;
mod source;
mod token;

#[cfg(test)]
use std::path::PathBuf;

pub(crate) use self::beside::composed;
pub(crate) use self::checked::CheckedValue;
pub(crate) use self::csv::FieldSplitter;
pub use self::endings::IMAGE_EXTENSIONS;
pub(crate) use self::endings::{ending_of, is_image};
pub use self::error::PairsError;
pub(crate) use self::error::reading_advice;
pub use self::formats::{FORMATS, PairFormat, sources_help};
pub use self::given::{GivenPair, given};
pub use self::id::MAX_ID_BYTES;
pub use self::id::id_fault;
pub(crate) use self::jsonl::object_of as row_object;
pub use self::lines::MAX_LINE_BYTES;
pub(crate) use self::lines::{LineOutcome, next_line};
pub(crate) use self::open::open_without;
pub use self::open::{open, open_with};
pub use self::options::{CaptionChoice, PairOptions};
#[cfg(feature = "parquet")]
pub(crate) use self::pair::is_pair_field;
pub use self::pair::{Pair, PairOrigin};
pub use self::reader::PairReader;
pub(crate) use self::record::{MetadataFields, json_message, metadata_fields, type_name};
pub(crate) use self::records::{CsvRecords, RecordExtent};
pub(crate) use self::row_error::named_ending;
pub use self::row_error::{RowError, RowRejection};

/// The folder of development data; without it the test is skipped.
#[cfg(test)]
pub(crate) fn test_data() -> Option<PathBuf> {
    use crate::skipped::{Lack, development_data, skip};
    development_data(env!("CARGO_MANIFEST_DIR"))
        .map_err(|reason| skip(Lack::Elsewhere, &reason))
        .ok()
}

#[cfg(test)]
mod csv_tests;
#[cfg(test)]
mod folder_tests;
#[cfg(test)]
mod kinds_tests;
#[cfg(test)]
mod tests;
