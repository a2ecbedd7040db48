//! Reads the fields of a record: image, captions and id.

use std::path::Path;

use serde_json::{Map, Value};

use super::id::id_fault;
use super::lines::BOM;
use super::pair::{CAPTION_NAMES, ID_NAME, IMAGE_NAMES};
use super::path_text::path_of;
use super::source::PairDraft;
use super::{PairOptions, PairOrigin, RowError, RowRejection};
use crate::image_source::ImageSource;

/// Reads a JSON object as a draft; all fields but image, captions and id become its meta.
pub(super) fn from_json(
    mut object: Map<String, Value>,
    options: &PairOptions,
    base: &Path,
    origin: PairOrigin,
) -> Result<PairDraft, RowError> {
    match image_of(&mut object, options) {
        Ok(written) => {
            let image = base.join(path_of(&written)).into();
            with_image(object, image, written, options, base, origin)
        }
        Err(reason) => Err(RowError { origin, reason }),
    }
}

/// Reads the fields of an object whose image, called `written`, is known.
pub(super) fn with_image(
    mut object: Map<String, Value>,
    image: ImageSource,
    written: String,
    options: &PairOptions,
    base: &Path,
    origin: PairOrigin,
) -> Result<PairDraft, RowError> {
    match parts(&mut object, options) {
        Ok((id, captions)) => Ok(PairDraft {
            id,
            image,
            written,
            base: base.to_owned(),
            captions,
            meta: object,
            origin,
            rows: 1,
        }),
        Err(reason) => Err(RowError { origin, reason }),
    }
}

/// The path of the image as written.
fn image_of(
    object: &mut Map<String, Value>,
    options: &PairOptions,
) -> Result<String, RowRejection> {
    let field = match &options.image_column {
        Some(name) => object.remove(name).map(|value| (name.as_str(), value)),
        None => take(object, IMAGE_NAMES, "image", |texts| Ok(unblank(texts)))?,
    };
    let (name, value) =
        field.ok_or_else(|| no_field(&options.image_column, "image", RowRejection::NoImage))?;
    match value {
        Value::String(text) if text.trim().is_empty() => Err(RowRejection::NoImage),
        Value::String(text) => Ok(text.trim().to_owned()),
        other => Err(wrong_type(name, "the path of an image as text", &other)),
    }
}

/// The rejection of a row without a field: of the one that was asked for by name, else the usual one.
fn no_field(own: &Option<String>, role: &'static str, usual: RowRejection) -> RowRejection {
    match own {
        Some(name) => RowRejection::NoField {
            role,
            name: name.clone(),
        },
        None => usual,
    }
}

/// The id and the captions.
fn parts(
    object: &mut Map<String, Value>,
    options: &PairOptions,
) -> Result<(Option<String>, Vec<String>), RowRejection> {
    let field = match &options.caption_column {
        Some(name) => object.remove(name).map(|value| (name.as_str(), value)),
        None => take(object, CAPTION_NAMES, "caption", expanded)?,
    };
    let (name, value) = field
        .ok_or_else(|| no_field(&options.caption_column, "caption", RowRejection::NoCaption))?;
    let captions = captions_of(name, value)?;
    Ok((own_id(object)?, captions))
}

/// The id of a record, if it has one.
fn own_id(object: &mut Map<String, Value>) -> Result<Option<String>, RowRejection> {
    Ok(match object.remove(ID_NAME) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(checked_id(text.trim().to_owned())?),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Some(number.to_string())
        }
        Some(other) => return Err(wrong_type(ID_NAME, "text or an integer", &other)),
    })
}

/// The fields of a pair that metadata may have.
pub(crate) struct MetadataFields {
    pub(crate) id: Option<String>,
    /// The path of the image as written.
    pub(crate) image: Option<String>,
    pub(crate) captions: Vec<String>,
}

/// The id, the image's path and the captions of a record that needs none of them, because its vectors lie
/// elsewhere; all other fields stay in `object`.
pub(crate) fn metadata_fields(
    object: &mut Map<String, Value>,
) -> Result<MetadataFields, RowRejection> {
    let image = take(object, IMAGE_NAMES, "image", |texts| Ok(unblank(texts)))?;
    let image = match image {
        None | Some((_, Value::Null)) => None,
        Some((_, Value::String(text))) => Some(text.trim().to_owned()),
        Some((name, other)) => {
            return Err(wrong_type(name, "the path of an image as text", &other));
        }
    };
    let captions = match take(object, CAPTION_NAMES, "caption", expanded)? {
        None | Some((_, Value::Null)) => Vec::new(),
        Some((name, value)) => match captions_of(name, value) {
            Err(RowRejection::NoCaption) => Vec::new(),
            captions => captions?,
        },
    };
    let image = image.filter(|path| !path.is_empty());
    Ok(MetadataFields {
        id: own_id(object)?,
        image,
        captions,
    })
}

fn captions_of(name: &str, value: Value) -> Result<Vec<String>, RowRejection> {
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

/// The id, if it is valid.
pub(super) fn checked_id(id: String) -> Result<String, RowRejection> {
    match id_fault(&id) {
        Some(why) => Err(RowRejection::Id { id, why }),
        None => Ok(id),
    }
}

/// Captions as they are kept: [`expanded`], at least one, and all of them text.
pub(super) fn trimmed(
    texts: impl IntoIterator<Item = String>,
) -> Result<Vec<String>, RowRejection> {
    checked(expanded(texts)?)
}

/// Captions that are [`expanded`] already, if a pair can have them.
pub(super) fn checked(captions: Vec<String>) -> Result<Vec<String>, RowRejection> {
    if captions.iter().any(|text| text.contains('\0')) {
        Err(RowRejection::NulByte)
    } else if captions.is_empty() {
        Err(RowRejection::NoCaption)
    } else {
        Ok(captions)
    }
}

/// Trims captions and drops blank ones. One that is a JSON list of texts is expanded, as it occurs
/// in table cells.
pub(super) fn expanded(
    texts: impl IntoIterator<Item = String>,
) -> Result<Vec<String>, RowRejection> {
    let mut captions = Vec::new();
    for text in texts {
        match list_within(text.trim())? {
            Some(list) => captions.extend(list),
            None => captions.push(text),
        }
    }
    Ok(unblank(captions))
}

/// Texts that are not blank, trimmed.
pub(super) fn unblank(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let texts = texts.into_iter().map(|text| text.trim().to_owned());
    texts.filter(|text| !text.is_empty()).collect()
}

/// The texts of a JSON list that is a file as a whole; `None` for one with a caption a line.
///
/// # Errors
/// [`RowRejection::ListText`] for a list or an object of something else, also one that is broken, so that its
/// lines would be taken for captions.
fn list_of_file(text: &str) -> Result<Option<Vec<String>>, RowRejection> {
    let text = text.trim();
    if let Some(list) = list_within(text)? {
        return Ok(Some(list));
    }
    let mut lines = text.lines().map(str::trim);
    let opens = lines
        .next()
        .is_some_and(|line| ["[", "(", "{"].contains(&line));
    match opens && lines.next().is_some() {
        true => Err(RowRejection::ListText {
            text: text.to_owned(),
        }),
        false => Ok(None),
    }
}

/// The texts of a file of captions: each line that is not blank, or those of a JSON list.
pub(super) fn texts_of_file(bytes: &[u8]) -> Result<Vec<String>, RowRejection> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let text = str::from_utf8(bytes).map_err(|error| RowRejection::Utf8 {
        at: error.valid_up_to() + 1,
    })?;
    if let Some(list) = list_of_file(text)? {
        return Ok(list);
    }
    let lines = text.lines().filter(|line| !is_translation(line));
    Ok(lines.map(str::to_owned).collect())
}

/// `pt_BR.utf8=Um gato.`
fn is_translation(line: &str) -> bool {
    line.split_once(".utf8=").is_some_and(|(locale, _)| {
        !locale.is_empty()
            && locale.len() <= 16
            && locale
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_@-".contains(&byte))
    })
}

/// The texts of a caption that is a JSON list. `[sic] a dog` and `[2012]` are not lists.
///
/// # Errors
/// [`RowRejection::ListText`] for a JSON object, and a list that is not JSON, as Python and NumPy print them,
/// or that contains anything but texts.
fn list_within(text: &str) -> Result<Option<Vec<String>>, RowRejection> {
    let unread = || {
        let text = text.to_owned();
        Err(RowRejection::ListText { text })
    };
    if !text.starts_with(['[', '(', '{']) {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(Value::Array(values)) => {
            // A list of numbers is prose such as `[1]`, not captions.
            if !values.is_empty() && values.iter().all(Value::is_number) {
                return Ok(None);
            }
            let of_text = |value| match value {
                Value::String(text) => Some(text),
                _ => None,
            };
            let texts: Option<Vec<_>> = values.into_iter().map(of_text).collect();
            texts.map_or_else(unread, |texts| Ok(Some(texts)))
        }
        Ok(_) => unread(),
        // Python's `str` of a list is no JSON, and would become a caption with brackets.
        Err(_) if is_printed_list(text) || is_printed_dict(text) => unread(),
        Err(_) => Ok(None),
    }
}

/// `['a cat', "a cat's toy"]`, `['a cat' 'kitty']`, `[u'a cat']`, `[['a cat']]`, `('a cat', 'kitty')`.
fn is_printed_list(text: &str) -> bool {
    fn between(text: &str, open: char, close: char) -> Option<&str> {
        Some(
            text.strip_prefix(open)?
                .trim_end()
                .strip_suffix(close)?
                .trim(),
        )
    }
    let quoted = |inner: &str| {
        let inner = inner.trim_end_matches(',');
        let begin = inner.trim_start_matches(['u', 'b', 'r']);
        let prefix = inner.len() - begin.len();
        let is_quote = |c: char| matches!(c, '\'' | '"');
        prefix < 2
            && inner.len() > prefix + 1
            && begin.starts_with(is_quote)
            && begin.ends_with(is_quote)
    };
    // `["Stop"] and ["Go"]` closes before its end.
    let closes = |inner: &str, marks: [&str; 2]| marks.iter().any(|mark| inner.contains(mark));
    let square = |inner: &str| quoted(inner) && !closes(inner, ["']", "\"]"]);
    // A single quoted text in parentheses is ordinary prose.
    let divides = |inner: &str| ["', ", "\", "].iter().any(|mark| inner.contains(mark));
    let round = |inner: &str| quoted(inner) && divides(inner) && !closes(inner, ["')", "\")"]);
    let nested = |inner: &str| {
        is_printed_dict(inner)
            || between(inner, '[', ']').is_some_and(quoted)
            || between(inner, '(', ')').is_some_and(quoted)
    };
    between(text, '[', ']').is_some_and(|inner| square(inner) || nested(inner))
        || between(text, '(', ')').is_some_and(round)
}

/// `{'en': 'a cat'}`.
fn is_printed_dict(text: &str) -> bool {
    let begins = ["{'", "{\""].iter().any(|begin| text.starts_with(begin));
    let has_key = ["':", "\":"].iter().any(|mark| text.contains(mark));
    begins && has_key && text.ends_with('}')
}

/// Selects among several names for one field: the first whose texts include those of all the others
/// so that none is lost. Each comes with its texts, blanks removed and lists
/// expanded.
///
/// # Errors
/// [`RowRejection::KeysAlike`] where none has all.
pub(super) fn fullest(
    said: &[(&'static str, Vec<String>)],
    role: &'static str,
) -> Result<Option<usize>, RowRejection> {
    let within = |some: &[String], all: &[String]| some.iter().all(|text| all.contains(text));
    let has_all = |(_, all): &(_, Vec<String>)| said.iter().all(|(_, some)| within(some, all));
    if said.is_empty() {
        return Ok(None);
    }
    if let Some(taken) = said.iter().position(has_all) {
        return Ok(Some(taken));
    }
    // No field has all texts: names the first two that differ.
    let mut valued = said.iter().filter(|(_, texts)| !texts.is_empty());
    let Some((key, known)) = valued.next() else {
        return Ok(None);
    };
    match valued.find(|(_, texts)| !within(texts, known)) {
        Some((other, _)) => Err(RowRejection::KeysAlike { key, other, role }),
        None => Ok(None),
    }
}

/// The field that has one of these names, by [`fullest`]; the others are removed.
fn take(
    object: &mut Map<String, Value>,
    names: &[&'static str],
    role: &'static str,
    read: ReadTexts,
) -> Result<Option<(&'static str, Value)>, RowRejection> {
    let present = names.iter().copied();
    let present: Vec<_> = present.filter(|name| object.contains_key(*name)).collect();
    let taken = match present.as_slice() {
        [] | [_] => Some(0),
        several => {
            let said = several.iter().map(|name| {
                let texts = said_of(&object[*name]);
                Ok((*name, read(texts)?))
            });
            fullest(&said.collect::<Result<Vec<_>, _>>()?, role)?
        }
    };
    let mut field = None;
    for (index, name) in present.into_iter().enumerate() {
        let value = object.remove(name);
        if Some(index) == taken {
            field = value.map(|value| (name, value));
        }
    }
    Ok(field)
}

/// How the texts of a field are normalised before they are compared.
pub(super) type ReadTexts = fn(Vec<String>) -> Result<Vec<String>, RowRejection>;

/// The texts of a value, for comparison; its JSON if it is not text.
fn said_of(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(said_of).collect(),
        other => vec![other.to_string()],
    }
}

fn wrong_type(what: &str, expected: &'static str, found: &Value) -> RowRejection {
    RowRejection::Type {
        what: what.to_owned(),
        expected,
        found: type_name(found),
    }
}

/// The type of a JSON value, in words.
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

/// The parser's message about a row, without Rust type names. A row is one line, so its "line 1" would
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

/// `invalid type: map, expected a string` in the form of our other messages: expected a string, found an
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
