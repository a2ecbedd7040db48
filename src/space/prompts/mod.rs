//! Prompt templates and label lists: what turns a class name into the texts that stand for it.
//!
//! A template is a line with a placeholder, `{}` or `{c}`, for the class name: `a photo of a {}.`
//! `{{` and `}}` stand for the braces themselves.
//!
//! | file | role |
//! |---|---|
//! | `templates` | [`Templates`] |
//! | `text_file` | files of labels and templates as text |
//! | `entries` | what an entry of a list is by itself |
//! | `error` | what can be wrong with templates and labels |
//! | `labels` | [`Labels`]: class names, their other names and prompts of their own |
//! | `listed` | label files that are JSON or JSON Lines |
//! | `line_marks` | marks that an entry bears and a name does not |
//! | `line_shape` | lists that are no names by the shape of all entries |
//! | `mistaken` | labels that are something else than names |
//! | `form` | what a file says by its form: another format, comments that may be meant as text |
//! | [`named`] | published templates by name |
//! | `sets/` | those templates, a file a set |

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
pub use self::labels::Labels;
pub use self::templates::Templates;

/// What names of classes seem to be that are none, wherever they come from.
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
