//! The published templates that a request may name.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::parts::ErrorBody;
use crate::error::Refusal;
use asif::space::prompts::named::{self, NamedSet};

/// Templates that have a name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplatesOut {
    /// What a request calls them.
    name: &'static str,
    /// What they are for.
    purpose: &'static str,
    /// Who published them.
    source: &'static str,
    /// How many they are.
    count: usize,
}

/// The published templates, by the names that `templates` takes.
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
    let out = |set: &NamedSet| {
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
