//! Extractors: the JSON body, the path parameters and the query of a request.

use axum::body::Bytes;
use axum::extract::{self, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::schema::{advice, mismatch};
use crate::error::Refusal;

/// Larger bodies are parsed with `block_in_place`, because parsing takes some milliseconds.
const LARGE: usize = 128 << 10;

/// A JSON body, whatever its content type; errors name the field.
pub(super) struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + ToSchema> FromRequest<S> for JsonBody<T> {
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

/// The parameters of a path.
pub(super) struct PathParams<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathParams<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(named) = Path::from_request_parts(parts, state).await.map_err(|_| {
            let message = "a name in the path is not UTF-8; escape its bytes with %";
            Refusal::invalid("malformed_path", message)
        })?;
        Ok(Self(named))
    }
}

/// The query `?generation=3`; the live generation by default.
pub(super) struct GenerationQuery(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for GenerationQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let refuse = |message: String| Refusal::invalid("malformed_query", message).of_request();
        let query = extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let extract::Query(fields) = query.map_err(|_| {
            refuse("the query is malformed; expected NAME=VALUE, joined by `&`".to_owned())
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

/// A whole number that was sent as text.
pub(super) fn whole_number(field: &str, text: &str) -> Result<u64, Refusal> {
    text.trim().parse().map_err(|_| {
        let shown: String = text.chars().take(60).collect();
        let message = format!("`{field}`: expected a whole number, found {shown:?}");
        Refusal::wrong_fields(message)
    })
}

/// Checks that a number of a request is within inclusive bounds.
///
/// # Errors
/// When it is not.
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

/// LangChain sends token ids by default.
const TOKENS: &str = "token ids are not accepted, send the text (LangChain: \
                      check_embedding_ctx_length=False)";

/// Parses a body.
///
/// # Errors
/// When the bytes are not JSON, or a field does not match the schema.
pub(super) fn parse<T: DeserializeOwned + ToSchema>(bytes: &[u8]) -> Result<T, Refusal> {
    parse_as(&T::name(), bytes)
}

/// Parses a value with the schema of this name.
pub(super) fn parse_as<T: DeserializeOwned>(schema: &str, bytes: &[u8]) -> Result<T, Refusal> {
    let read = serde_json::from_slice(bytes);
    // serde also accepts a list of the field values in order, which the schema does not allow.
    let what = match (&read, may_be_lists(schema, bytes)) {
        (Ok(_), false) => None,
        _ => mismatch(schema, bytes),
    };
    let what = match (read, what) {
        (Ok(read), None) => return Ok(read),
        (_, Some(what)) => what,
        (Err(error), None) if error.is_data() => {
            let (line, column) = (error.line(), error.column());
            format!("unexpected value at line {line}, column {column} of the body")
        }
        (Err(error), None) => {
            let message = format!("the body is not JSON: {error}; see /openapi.json");
            return Err(Refusal::invalid("malformed_json", message));
        }
    };
    let of_tokens = schema == "EmbeddingsRequest"
        && what.starts_with("`input")
        && (what.contains("found the number") || what.contains("found a list"));
    let message = match of_tokens {
        true => format!("{what}; {TOKENS}"),
        false => format!("{what}; see /openapi.json"),
    };
    Err(Refusal::wrong_fields(message))
}

/// Whether a parsed body may have a list in place of an object. Checked cheaply for classification, because
/// validating many vectors again would cost as much as the answer.
fn may_be_lists(schema: &str, bytes: &[u8]) -> bool {
    const NESTED: &[u8] = b"\"without\"";
    schema != "ClassifyRequest"
        || bytes.trim_ascii_start().first() != Some(&b'{')
        || bytes.windows(NESTED.len()).any(|part| part == NESTED)
}
