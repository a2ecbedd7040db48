//! Names of the fields, how captions and ids are read, and what sources hand over.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Origin, Reason, RowError};

/// Names of the field that holds the image's path; a record has one of them.
pub(super) const IMAGE_NAMES: &[&str] = &["image", "image_path", "file_name"];
/// Names of the field that holds the text or texts; a record has one of them.
pub(super) const CAPTION_NAMES: &[&str] = &["captions", "caption", "text"];
/// Name of the field that holds the id.
pub(super) const ID_NAME: &str = "id";

/// A pair as its source wrote it, before its id is settled and its image looked for.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: Option<String>,
    /// The image as written, which is also the ground for an id.
    pub(super) written: String,
    /// The image, resolved.
    pub(super) image: PathBuf,
    pub(super) captions: Vec<String>,
    pub(super) meta: Map<String, Value>,
    pub(super) origin: Origin,
    /// Rows of the source that went into this draft.
    pub(super) rows: u64,
}

/// The drafts of one source, in its order. An error stands for one row.
pub(super) type Drafts = Box<dyn Iterator<Item = Result<Draft, RowError>> + Send>;

/// The folder from which a file's image paths are read.
pub(super) fn base_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_owned).unwrap_or_default()
}

/// Reads a JSON object as a draft; what is not image, captions or id becomes its meta.
pub(super) fn from_json(
    mut object: Map<String, Value>,
    base: &Path,
    origin: Origin,
) -> Result<Draft, RowError> {
    match parts(&mut object) {
        Ok((id, written, captions)) => Ok(Draft {
            id,
            image: base.join(&written),
            written,
            captions,
            meta: object,
            origin,
            rows: 1,
        }),
        Err(reason) => Err(RowError { origin, reason }),
    }
}

fn parts(object: &mut Map<String, Value>) -> Result<(Option<String>, String, Vec<String>), Reason> {
    let (name, value) = take(object, IMAGE_NAMES, "image")?.ok_or(Reason::NoImage)?;
    let written = match value {
        Value::String(text) if text.trim().is_empty() => return Err(Reason::NoImage),
        Value::String(text) => text.trim().to_owned(),
        other => return Err(wrong_type(name, "the path of an image as text", &other)),
    };
    let (name, value) = take(object, CAPTION_NAMES, "caption")?.ok_or(Reason::NoCaption)?;
    let captions = captions_of(name, value)?;
    let id = match object.remove(ID_NAME) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(checked_id(text.trim().to_owned())?),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Some(number.to_string())
        }
        Some(other) => return Err(wrong_type(ID_NAME, "text or an integer", &other)),
    };
    Ok((id, written, captions))
}

fn captions_of(name: &str, value: Value) -> Result<Vec<String>, Reason> {
    let values = match value {
        Value::Array(values) => values,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let texts = values.into_iter().map(|value| match value {
        Value::String(text) => Ok(text),
        other => Err(wrong_type(name, "text or a list of texts", &other)),
    });
    trimmed(texts.collect::<Result<Vec<_>, _>>()?)
}

/// The id, if it can be one.
pub(super) fn checked_id(id: String) -> Result<String, Reason> {
    match super::id_fault(&id) {
        Some(why) => Err(Reason::Id { id, why }),
        None => Ok(id),
    }
}

/// Trims captions and drops blank ones. One that is a JSON list of texts is that list, as it stands
/// in a cell of a table.
pub(super) fn trimmed(texts: impl IntoIterator<Item = String>) -> Result<Vec<String>, Reason> {
    let mut captions = Vec::new();
    for text in texts {
        match list_within(text.trim())? {
            Some(list) => captions.extend(list),
            None => captions.push(text),
        }
    }
    let captions: Vec<_> = captions
        .into_iter()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    if captions.iter().any(|text| text.contains('\0')) {
        Err(Reason::NulByte)
    } else if captions.is_empty() {
        Err(Reason::NoCaption)
    } else {
        Ok(captions)
    }
}

/// The texts of a JSON list that is a caption as a whole. `[sic] a dog` and `[2012]` are none.
///
/// # Errors
/// [`Reason::ListText`] for a list that is not JSON, as Python and NumPy print them, or that has
/// something else than texts beside them.
fn list_within(text: &str) -> Result<Option<Vec<String>>, Reason> {
    let unread = || {
        let text = text.to_owned();
        Err(Reason::ListText { text })
    };
    if !text.starts_with(['[', '(']) {
        return Ok(None);
    }
    if let Ok(Value::Array(values)) = serde_json::from_str(text) {
        let count = values.len();
        let of_text = |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        };
        let texts: Vec<_> = values.into_iter().filter_map(of_text).collect();
        return match texts.len() {
            all if all == count => Ok(Some(texts)),
            0 => Ok(None),
            _ => unread(),
        };
    }
    match is_printed_list(text) {
        true => unread(),
        false => Ok(None),
    }
}

/// `['a cat', "a cat's toy"]`, `['a cat' 'kitty']`, `[u'a cat']`, `('a cat', 'kitty')`.
fn is_printed_list(text: &str) -> bool {
    let between = |open, close| text.strip_prefix(open)?.trim_end().strip_suffix(close);
    let quoted = |inner: &str| {
        let inner = inner.trim().trim_end_matches(',');
        let begin = inner.trim_start_matches(['u', 'b', 'r']);
        let prefix = inner.len() - begin.len();
        let is_quote = |c: char| matches!(c, '\'' | '"');
        prefix < 2
            && inner.len() > prefix + 1
            && begin.starts_with(is_quote)
            && begin.ends_with(is_quote)
    };
    // One text in quotation marks and round brackets is an aside.
    let divides = |inner: &str| ["', ", "\", "].iter().any(|mark| inner.contains(mark));
    between('[', ']').is_some_and(quoted)
        || between('(', ')').is_some_and(|inner| quoted(inner) && divides(inner))
}

/// The field that has one of these names, the first that has a value. The same value under a second
/// name is no harm, nor one that is among those of a list.
fn take(
    object: &mut Map<String, Value>,
    names: &[&'static str],
    role: &'static str,
) -> Result<Option<(&'static str, Value)>, Reason> {
    let present = names.iter().filter(|name| object.contains_key(**name));
    let (valued, blank): (Vec<_>, Vec<_>) = present.partition(|name| !is_blank(&object[**name]));
    let Some(&&key) = valued.first().or(blank.first()) else {
        return Ok(None);
    };
    let value = &object[key];
    let is_same = |other: &Value| match value.as_array() {
        Some(values) => value == other || values.contains(other),
        None => value == other,
    };
    if let Some(other) = valued
        .iter()
        .skip(1)
        .find(|other| !is_same(&object[***other]))
    {
        return Err(Reason::KeysAlike { key, other, role });
    }
    Ok(object.remove(key).map(|value| (key, value)))
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.iter().all(is_blank),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

fn wrong_type(what: &str, expected: &'static str, found: &Value) -> Reason {
    Reason::Type {
        what: what.to_owned(),
        expected,
        found: type_name(found),
    }
}

/// What a JSON value is, in words.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What the parser says of a row, without names of types. A row is one line, so its "line 1" would
/// only mislead.
pub(crate) fn json_message(error: &serde_json::Error) -> String {
    let said = error.to_string().replace(" at line 1 column", " at column");
    let mut words = said.split(' ').peekable();
    let mut plain = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "struct" | "enum" if plain.last() == Some(&"expected") => {
                words.next();
                plain.push(if word == "struct" {
                    "an object"
                } else {
                    "another value"
                });
            }
            word => plain.push(word),
        }
    }
    expected_first(&plain.join(" "))
}

/// `invalid type: map, expected a string` as messages say it elsewhere: expected a string, found an
/// object.
fn expected_first(said: &str) -> String {
    let parts = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|begin| said.strip_prefix(begin)?.rsplit_once(", expected "));
    let Some((found, expected)) = parts else {
        return said.to_owned();
    };
    let found = match found {
        "map" => "an object",
        "sequence" => "a list",
        other => other,
    };
    // `string "a cat"`, and numbers between grave accents.
    let found = found.replacen("string \"", "the text \"", 1);
    let found = found.replacen("integer `", "the number `", 1);
    let found = found.replacen("floating point `", "the number `", 1);
    let found = found.replacen("boolean `", "`", 1).replace('`', "");
    let (expected, place) = match expected.rfind(" at ") {
        Some(at) => expected.split_at(at),
        None => (expected, ""),
    };
    let expected = match expected {
        "a sequence" => "a list",
        other => other,
    };
    format!("expected {expected}, found {found}{place}")
}
