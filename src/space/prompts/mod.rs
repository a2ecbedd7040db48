//! Prompt templates and label lists, which turn class names into prompts.
//!
//! A template is a line with a placeholder, `{}` or `{c}`, for the class name: `a photo of a {}.`
//! `{{` and `}}` stand for the braces themselves.
//!
//! | file | role |
//! |---|---|
//! | `templates` | [`PromptTemplates`] |
//! | `text_file` | files of labels and templates as text |
//! | `entries` | tests of a single line or entry |
//! | `error` | errors of templates and labels |
//! | `labels` | [`LabelList`]: class names, their alternative names and own prompts |
//! | `listed` | label files in JSON or JSON Lines |
//! | `line_marks` | marks in an entry that names do not have |
//! | `line_shape` | lists that are not names, by the common shape of their entries |
//! | `mistaken` | input that is not labels |
//! | `form` | the form of a file: another format, lines that may not be read as intended |
//! | [`named`] | published template sets by name |
//! | `sets/` | those template sets, one file each |

mod entries;
mod error;
mod form;
mod labels;
mod line_marks;
mod line_shape;
mod listed;
mod mistaken;
pub mod named;
mod templates;
mod text_file;

pub use self::error::{PromptPlace, PromptsError};
pub use self::form::MAX_PROMPT_CHARS;
pub use self::labels::LabelList;
pub use self::templates::PromptTemplates;

/// What class names seem to be if they are not names.
pub(crate) fn names_seem(names: &[&str]) -> Option<&'static str> {
    if names.is_empty() {
        return None;
    }
    if names.iter().any(|name| mistaken::has_placeholder(name)) {
        return Some("templates");
    }
    let shape = line_shape::shape_of(names).map(line_shape::LineShape::seems);
    shape.or_else(|| mistaken::names(names).map(|(seems, _)| seems))
}

pub(crate) use self::mistaken::numbers as note_on_numbers;

#[cfg(test)]
mod form_tests;
#[cfg(test)]
mod shape_tests;
#[cfg(test)]
mod tests;
