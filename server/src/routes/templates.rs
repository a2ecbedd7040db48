//! The published prompt templates that a request may name.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::shared::ErrorBody;
use crate::error::Refusal;
use asif::space::prompts::named::{self, TemplateSet};

/// Named prompt templates.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplatesOut {
    /// Their name in requests.
    name: &'static str,
    /// Their purpose.
    purpose: &'static str,
    /// Their publisher.
    source: &'static str,
    /// The number of templates.
    count: usize,
}

/// The published prompt templates, by the names that `templates` accepts.
#[utoipa::path(
    get,
    path = "/v1/templates",
    tag = "answers",
    operation_id = "templates",
    responses(
        (status = 200, description = "The names", body = Vec<TemplatesOut>),
        (status = "4XX", description = "Refused", body = ErrorBody),
    ),
    security((), ("api_key" = [])),
)]
pub(super) async fn templates() -> Result<Json<Vec<TemplatesOut>>, Refusal> {
    let out = |set: &TemplateSet| {
        Ok(TemplatesOut {
            name: set.name,
            purpose: set.purpose(),
            source: set.source(),
            count: set.templates()?.len(),
        })
    };
    named::ALL
        .iter()
        .map(out)
        .collect::<Result<_, _>>()
        .map(Json)
}
