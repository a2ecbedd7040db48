//! Errors of `asif explain --text-pair`.

use std::error::Error;

use asif::anchors::AnchorsError;
use asif::embed::EmbedError;

use crate::errors::exit::BadInput;

/// The error where an encoder is not here. Its hint names options that do not go together with this one.
pub(super) fn explained_error(error: anyhow::Error) -> anyhow::Error {
    let is_lacking = |error: &EmbedError| matches!(error, EmbedError::NoEncoder { .. });
    let lacks = |cause: &(dyn Error + 'static)| {
        let direct = cause.downcast_ref().is_some_and(is_lacking);
        // Transparent, so the error in it is not in the chain.
        let inner = cause.downcast_ref::<AnchorsError>();
        direct || matches!(inner, Some(AnchorsError::Embed(error)) if is_lacking(error))
    };
    match error.chain().any(lacks) {
        true => BadInput(format!(
            "{error}; --text-pair compares a picture with a text, which needs both encoders"
        ))
        .into(),
        false => error,
    }
}
