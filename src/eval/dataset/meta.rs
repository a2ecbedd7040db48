//! `meta.json` of a data set.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::error::DatasetError;
use crate::{pairs, stand_in};

#[derive(Debug, Default, Deserialize)]
pub(crate) struct DatasetMeta {
    pub name: Option<String>,
    pub kind: Option<String>,
    #[serde(default)]
    pub classes: BTreeMap<String, String>,
    #[serde(default)]
    pub templates: Vec<String>,
    pub source: Option<String>,
    #[serde(alias = "license")]
    pub licence: Option<String>,
    pub note: Option<String>,
}

impl DatasetMeta {
    pub(crate) fn read(path: &Path) -> Result<Self, DatasetError> {
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error.into()),
        };
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let fault = |message| DatasetError::Meta {
            path: path.to_owned(),
            message,
        };
        if let Some(said) = stand_in::said_of(bytes) {
            return Err(DatasetError::StandIn {
                path: path.to_owned(),
                said,
            });
        }
        let parsed: Result<Value, _> = serde_json::from_slice(bytes);
        // serde would accept a list as the values of the fields in their order.
        if let Ok(other) = &parsed
            && !other.is_object()
        {
            let found = pairs::type_name(other);
            return Err(fault(format!("expected an object, found {found}")));
        }
        // Parsed from the text again, so that the message has line and column.
        serde_json::from_slice(bytes).map_err(|error| fault(pairs::json_message(&error)))
    }
}
