//! Why a row of a source is skipped, and the tally of skipped rows.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use super::endings::is_unread_image;
use super::input::is_damage;
use super::pair::IMAGE_NAMES;
use super::{PairOrigin, PairsError};
use crate::disk;
use crate::remedy::InputRemedy;

/// A skipped row.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {reason}")]
pub struct RowError {
    /// The row.
    pub origin: PairOrigin,
    /// Why it was skipped.
    pub reason: RowRejection,
}

impl RowError {
    /// Returns this error if the row is the cause.
    ///
    /// # Errors
    /// [`PairsError::Exhausted`] if the process is the cause, so that reading on would skip good rows.
    pub(crate) fn of_row(self) -> Result<Self, PairsError> {
        match self.reason {
            RowRejection::Exhausted { source } => Err(PairsError::Exhausted { source }),
            _ => Ok(self),
        }
    }
}

/// Why a row is skipped. `RowRejection::kind` is the short form, for counting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowRejection {
    /// Bytes that are not UTF-8.
    #[error("not UTF-8 at byte {at} of its text; save the file as UTF-8")]
    Utf8 {
        /// The first bad byte, counted from 1 within the row (for a folder, within the text file).
        at: usize,
    },
    /// A line that is not JSON.
    #[error("not JSON: {message}; each line must be one complete JSON object")]
    Json {
        /// What the parser says, with the column.
        message: String,
    },
    /// A JSON object with one key twice, so that one of its values would be lost.
    #[error("the key {key:?} occurs twice; keep one, or make its values a list")]
    KeyTwice {
        /// The key.
        key: String,
    },
    /// A whole number with more digits than a number keeps.
    #[error(
        "the number {number} would be rounded; put it in quotation marks, so that it stays as it is"
    )]
    Rounded {
        /// The number as written.
        number: String,
    },
    /// A caption that is an object or a list of anything but texts, in JSON or as a program prints it, so
    /// that its punctuation would become part of the text.
    #[error(
        "the caption {} is a list or an object, but not a JSON list of texts; write [\"a cat\", \"a pet\"], \
         or one caption without the brackets",
        quoted_short(text)
    )]
    ListText {
        /// The caption.
        text: String,
    },
    /// A row with several keys or columns for one field, so that the values of one would be lost.
    #[error("{key:?} and {other:?} both name the {role}; keep one, or rename the other")]
    KeysAlike {
        /// The key that takes precedence.
        key: &'static str,
        /// The other.
        other: &'static str,
        /// `image` or `caption`.
        role: &'static str,
    },
    /// A line that is JSON, but not an object, or a field of another type than it must have.
    #[error("{what}: expected {expected}, found {found}; correct the row")]
    Type {
        /// The field, or `the line`.
        what: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A row with more or fewer fields than the header.
    #[error(
        "expected {expected} fields as in the header, found {found}{}; put fields that hold the \
         separator in double quotes", lines_note(*lines)
    )]
    Fields {
        /// Fields in the header.
        expected: usize,
        /// Fields in the row.
        found: usize,
        /// Lines that the row takes up; more than one after a stray quote.
        lines: u64,
    },
    /// A line longer than [`super::MAX_LINE_BYTES`].
    #[error("longer than {limit} bytes; is this a text file with one record a line?")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Quotation marks of a CSV row that do not close at the end of a field.
    #[error(
        "badly quoted: a quotation mark opens a field here and is not closed before a separator or \
         the end of the row; close it, or double quotation marks that belong to the text (\"\") and \
         put the field in quotes"
    )]
    Quotes,
    /// A row with a byte of zero, which text does not have.
    #[error(
        "contains a NUL character, which text must not have; remove it, or save the file as \
         UTF-8 text"
    )]
    NulByte,
    /// An id that cannot be used in lists or on command lines.
    #[error("the id {} {why}", quoted_short(id))]
    Id {
        /// The id.
        id: String,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// A file in a folder of pairs that is not an image in a supported format.
    #[error("skipped, {}: {}", named_ending(ending), advice)]
    NotRead {
        /// The ending of its name in lower case, without the dot; empty if it has none.
        ending: String,
        /// What to do.
        advice: String,
        /// What the caller can do so that it is accepted.
        remedy: Option<InputRemedy>,
    },
    /// A text in a folder of pairs without an image of the same stem.
    #[error(
        "skipped, a text without an image: no image has the same name before its ending; \
             add the image, or move the text elsewhere"
    )]
    NoImageFile,
    /// An image, or another list, in a folder that is read through a list.
    #[error(
        "skipped, no readable row of {list} names it; add a row, or if it is a list itself, give \
         it as a source of its own"
    )]
    NotListed {
        /// The list's name.
        list: &'static str,
    },
    /// A hidden file or folder in a folder of pairs.
    #[error("skipped, its name begins with a dot; rename it if it holds pairs")]
    Hidden,
    /// No image is named.
    #[error("no image: expected one of {}; add it", IMAGE_NAMES.join(", "))]
    NoImage,
    /// The row does not have the field that was asked for by name.
    #[error(
        "no {role}: the row has no field {name:?}, which was named as the one of the {role}; check the name"
    )]
    NoField {
        /// `image` or `caption`.
        role: &'static str,
        /// The field.
        name: String,
    },
    /// All captions are blank.
    #[error("no caption: expected at least one that is not blank; add it or remove the row")]
    NoCaption,
    /// Members of an archive that are no pair, since none is an image.
    #[error("no image: no member of the archive has this name and the ending of an image; add it")]
    NoImageMember,
    /// A member of an archive that is a link to another, whose content it does not have.
    #[error(
        "a link to another member, which is not followed; store the file itself in the archive"
    )]
    MemberIsLink,
    /// A member of an archive that is the second image of a pair.
    #[error(
        "a second image of the same name, beside {first}; give each image a name and a text of its own"
    )]
    SecondImageMember {
        /// The first image.
        first: String,
    },
    /// A member of an archive that is larger than any that is read.
    #[error("too large: {bytes} bytes, at most {limit} are read; make it smaller")]
    MemberTooLarge {
        /// Its size, as the archive states it.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// An image without a text file beside it.
    #[error("no caption: expected {}; add it, or move the image elsewhere", .expected.display())]
    NoTextFile {
        /// The text file that was looked for.
        expected: PathBuf,
    },
    /// The text file beside an image cannot be read.
    #[error("cannot read its text: {message}; check its permissions")]
    TextFile {
        /// What the system says, with the path.
        message: String,
    },
    /// The text file beside an image is a placeholder: a pointer, or a server's error page.
    #[error("its text file {}: this seems to be {seems}; {advice}", .path.display())]
    TextStandIn {
        /// The text file.
        path: PathBuf,
        /// What it seems to be.
        seems: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The image is not on the disk.
    #[error("image not found: {}; paths are read from the folder of the file that names them", .path.display())]
    ImageMissing {
        /// The path, resolved.
        path: PathBuf,
    },
    /// The image's path is a folder.
    #[error("expected an image file, found a folder: {}; name a file inside it", .path.display())]
    ImageIsFolder {
        /// The path, resolved.
        path: PathBuf,
    },
    /// The image's path is a pipe, a socket or a device, which may never end.
    #[error("expected an image file, found a pipe, socket or device: {}; name a file", .path.display())]
    ImageIsDevice {
        /// The path, resolved.
        path: PathBuf,
    },
    /// The image is an address on the network.
    #[error("the image is an address ({address}); download it and name the local file")]
    ImageIsAddress {
        /// The address.
        address: String,
    },
    /// A list that comes with its pictures names an image elsewhere.
    #[error(
        "the image lies outside the folder of the list that names it, which is refused because others wrote this list: \
         {}; move the image into the folder", .path.display()
    )]
    ImageOutside {
        /// The path, resolved.
        path: PathBuf,
    },
    /// The operating system denies access to the image.
    #[error("cannot look at the image: {message}; check its path and permissions")]
    ImageUnreadable {
        /// What the system says, with the path.
        message: String,
    },
    /// The id was used before.
    #[error("duplicate id {id:?}, first used in {first}; ids must be unique, so rename one")]
    DuplicateId {
        /// The id.
        id: String,
        /// The row that has it.
        first: PairOrigin,
    },
    /// A subfolder cannot be listed, so its images are skipped.
    #[error("cannot list: {message}; check its permissions and links")]
    FolderUnreadable {
        /// What the system says, with the path.
        message: String,
    },
    /// The process may open no more files, or has no memory; see `RowError::of_row`.
    #[error("{source}")]
    Exhausted {
        /// What the system says, with the path.
        source: io::Error,
    },
    /// A link within a folder leads to a folder that it lies in, whose files are read already.
    #[error("skipped, a link leads back to a folder that is read already; remove the link")]
    LinkLoop,
    /// A link whose target is missing.
    #[error("skipped, a link whose target is missing; correct or remove the link")]
    BrokenLink,
    /// The file is damaged or not of its format here: **the rest of this source is lost**, not only the row.
    #[error(
        "reading broke off here, the rest of this source is missing: {message}; correct the file, or get it again"
    )]
    Malformed {
        /// What is wrong, with the place.
        message: String,
    },
    /// Reading failed here: **the rest of this source is lost**, not only the row.
    #[error(
        "reading broke off here, the rest of this source is missing: {message}; run again when the file can be read"
    )]
    Broken {
        /// What the system says, with the path.
        message: String,
    },
}

impl RowRejection {
    /// The reason in two or three words, the same for all rows with the same fault.
    pub(crate) fn kind(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NotRead { ending, .. } => {
                return Cow::Owned(format!("not read, {}", named_ending(ending)));
            }
            Self::Quotes => "badly quoted",
            Self::NulByte => "zero byte",
            Self::Id { .. } => "unusable id",
            Self::NoImageFile => "text without an image",
            Self::NotListed { .. } => "not in the folder's list",
            Self::Hidden => "hidden file",
            Self::Utf8 { .. } => "not UTF-8",
            Self::Json { .. } => "not JSON",
            Self::KeyTwice { .. } => "key twice",
            Self::Rounded { .. } => "number too long",
            Self::ListText { .. } => "list as text",
            Self::KeysAlike { .. } => "two keys for one field",
            Self::Type { .. } => "wrong type",
            Self::Fields { .. } => "wrong number of fields",
            Self::TooLong { .. } => "line too long",
            Self::NoImage => "no image named",
            Self::NoField { .. } => "no field of that name",
            Self::NoCaption => "no caption",
            Self::NoImageMember => "no image in the archive",
            Self::MemberIsLink => "link in the archive",
            Self::SecondImageMember { .. } => "second image in the archive",
            Self::MemberTooLarge { .. } => "member too large",
            Self::NoTextFile { .. } => "no text file",
            Self::TextFile { .. } => "text file unreadable",
            Self::TextStandIn { .. } => "text file is a placeholder",
            Self::ImageMissing { .. } => "image not found",
            Self::ImageIsFolder { .. } => "image is a folder",
            Self::ImageIsDevice { .. } => "image is a pipe or device",
            Self::ImageIsAddress { .. } => "image is an address",
            Self::ImageOutside { .. } => "image outside the folder",
            Self::ImageUnreadable { .. } => "image unreadable",
            Self::DuplicateId { .. } => "duplicate id",
            Self::FolderUnreadable { .. } => "folder unreadable",
            Self::LinkLoop => "link to a folder around it",
            Self::BrokenLink => "broken link",
            Self::Exhausted { .. } => "no more files or memory",
            Self::Malformed { .. } | Self::Broken { .. } => "source broke off",
        })
    }

    /// Turns an I/O error into the rejection `of_row` with its message, unless the process is the
    /// blame.
    pub(super) fn of_io(error: io::Error, of_row: impl FnOnce(String) -> Self) -> Self {
        match disk::is_exhausted(&error) {
            true => Self::Exhausted { source: error },
            false => of_row(error.to_string()),
        }
    }

    /// The rejection of the row at which a source cannot be read on.
    pub(super) fn broken(error: io::Error) -> Self {
        match is_damage(&error) {
            true => Self::Malformed {
                message: error.to_string(),
            },
            false => Self::of_io(error, |message| Self::Broken { message }),
        }
    }

    /// What the caller can do so that the row is accepted, if anything.
    pub(crate) fn remedy(&self) -> Option<InputRemedy> {
        match self {
            Self::NotListed { .. } => Some(InputRemedy::OwnSource),
            Self::ImageOutside { .. } => Some(InputRemedy::AllowOutside),
            Self::NotRead { remedy, .. } => *remedy,
            _ => None,
        }
    }

    /// Whether the row is not part of the pairs by its name: a file beside them that is neither
    /// an image nor named like one, or that the folder's own list leaves out.
    pub(crate) fn is_bystander(&self) -> bool {
        match self {
            Self::Hidden | Self::NoImageFile | Self::NotListed { .. } => true,
            Self::NotRead { ending, .. } => !is_unread_image(ending),
            _ => false,
        }
    }
}

/// A quoted text, truncated if it is long.
fn quoted_short(text: &str) -> String {
    let end = text.char_indices().nth(60).map(|(at, _)| at);
    end.map_or_else(
        || format!("{text:?}"),
        |end| format!("{:?}...", &text[..end]),
    )
}

/// `ending .tif`, or `no ending`.
pub(crate) fn named_ending(ending: &str) -> String {
    match ending {
        "" => "no ending".to_owned(),
        ending => format!("ending .{ending}"),
    }
}

fn lines_note(lines: u64) -> String {
    match lines {
        0 | 1 => String::new(),
        n => format!(" in a row that takes up {n} lines (is a quote left open?)"),
    }
}
