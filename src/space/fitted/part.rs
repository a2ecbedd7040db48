//! A part of a space, fitted to anchors.

use std::sync::Arc;

use crate::modality::PerModality;
use crate::space::linear::LinearMap;
use crate::space::{CoordinateFrame, RelativeParams};

/// A fitted part of a recipe: how the inputs of each side become codes.
#[derive(Debug, Clone)]
pub(crate) enum FittedPart {
    /// By their nearest anchors in a frame, as relative rows.
    Rows(FittedRows),
    /// By maps, as coordinates.
    Mapped(PerModality<LinearMap>),
}

/// How relative rows are computed.
#[derive(Debug, Clone)]
pub(crate) struct FittedRows {
    /// How similarities become a row.
    pub params: RelativeParams,
    /// The coordinates in which the anchors of each side are searched.
    pub frames: PerModality<Arc<CoordinateFrame>>,
}

impl FittedPart {
    /// How relative rows are computed, if the part has any.
    pub(crate) fn rows(&self) -> Option<&FittedRows> {
        match self {
            Self::Rows(rows) => Some(rows),
            Self::Mapped(_) => None,
        }
    }
}
