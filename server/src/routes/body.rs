//! Parts of a request: its body as JSON, what its path and its query name.

use axum::body::Bytes;
use axum::extract::{self, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::expected::{advice, mismatch};
use crate::error::Refusal;

/// Bodies above this are parsed where a thread may be busy for some milliseconds.
const LARGE: usize = 128 << 10;

/// A body that is JSON, whatever its content type says; what it is refused for names the place.
pub(super) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + ToSchema> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|_| Refusal::incomplete_body())?;
        let parse = || parse(&bytes);
        let parsed = match bytes.len() > LARGE {
            true => tokio::task::block_in_place(parse),
            false => parse(),
        };
        parsed.map(Self)
    }
}

/// What stands in the place of names in a path.
pub(super) struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(named) = Path::from_request_parts(parts, state).await.map_err(|_| {
            let message = "a name in the path is not UTF-8; escape its bytes with %";
            Refusal::invalid("malformed_path", message)
        })?;
        Ok(Self(named))
    }
}

/// The generation that stands after the `?`, as `?generation=3`; the live one if none is named.
pub(super) struct OfGeneration(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for OfGeneration {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let refuse = |message: String| Refusal::invalid("malformed_query", message).of_request();
        let query = extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let extract::Query(fields) = query.map_err(|_| {
            refuse("what stands after the `?` is not NAME=VALUE, joined by `&`".to_owned())
        })?;
        let mut generation: Option<u64> = None;
        for (name, value) in fields {
            if name != "generation" {
                let shown: String = name.chars().take(60).collect();
                let advice = advice(&name, ["generation"].into_iter());
                return Err(refuse(format!(
                    "the query has an unknown field {shown:?}; {advice}"
                )));
            }
            let number = value.parse().map_err(|_| {
                let shown: String = value.chars().take(60).collect();
                refuse(format!(
                    "`generation`: expected a whole number of at least 0, found {shown:?}"
                ))
            })?;
            if generation.replace(number).is_some() {
                return Err(refuse(
                    "`generation` is given twice; give it once".to_owned(),
                ));
            }
        }
        Ok(Self(generation))
    }
}

/// A whole number that was sent as a text.
pub(super) fn whole_number(field: &str, text: &str) -> Result<u64, Refusal> {
    text.trim().parse().map_err(|_| {
        let shown: String = text.chars().take(60).collect();
        let message = format!("`{field}`: expected a whole number, found {shown:?}");
        Refusal::wrong_fields(message)
    })
}

/// A number of a request that must lie within bounds, both of them included.
///
/// # Errors
/// That it does not.
pub(super) fn within(
    field: &str,
    value: usize,
    least: usize,
    most: usize,
) -> Result<usize, Refusal> {
    match (least..=most).contains(&value) {
        true => Ok(value),
        false => {
            let expected = match most {
                usize::MAX => format!("at least {least}"),
                most => format!("{least} to {most}"),
            };
            let message = format!("`{field}`: expected a whole number, {expected}, found {value}");
            Err(Refusal::wrong_fields(message))
        }
    }
}

/// What LangChain sends unless it is told otherwise.
const TOKENS: &str = "token numbers are not taken, send the text (LangChain: \
                      check_embedding_ctx_length=False)";

/// A body from bytes.
///
/// # Errors
/// Where they are no JSON, or which field is not what the route takes.
pub(super) fn parse<T: DeserializeOwned + ToSchema>(bytes: &[u8]) -> Result<T, Refusal> {
    parse_as(&T::name(), bytes)
}

/// What has the schema of this name.
pub(super) fn parse_as<T: DeserializeOwned>(schema: &str, bytes: &[u8]) -> Result<T, Refusal> {
    let read = serde_json::from_slice(bytes);
    // A list of the fields' values in their order would be read as well.
    let what = match (&read, may_be_lists(schema, bytes)) {
        (Ok(_), false) => None,
        _ => mismatch(schema, bytes),
    };
    let what = match (read, what) {
        (Ok(read), None) => return Ok(read),
        (_, Some(what)) => what,
        (Err(error), None) if error.is_data() => {
            let (line, column) = (error.line(), error.column());
            format!("line {line}, column {column} of the body is not what is expected there")
        }
        (Err(error), None) => {
            let message =
                format!("the body is not JSON: {error}; /openapi.json says what it takes");
            return Err(Refusal::invalid("malformed_json", message));
        }
    };
    let of_tokens = schema == "Embed"
        && what.starts_with("`input")
        && (what.contains("found the number") || what.contains("found a list"));
    let message = match of_tokens {
        true => format!("{what}; {TOKENS}"),
        false => format!("{what}; /openapi.json says what this route takes"),
    };
    Err(Refusal::wrong_fields(message))
}

/// Whether a body that was read may have a list in the place of an object. Vectors are many numbers, and
/// looking through them again would cost as much as the answer.
fn may_be_lists(schema: &str, bytes: &[u8]) -> bool {
    const NESTED: &[u8] = b"\"without\"";
    schema != "Classify"
        || bytes.trim_ascii_start().first() != Some(&b'{')
        || bytes.windows(NESTED.len()).any(|part| part == NESTED)
}
