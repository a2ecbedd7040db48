//! Prompt templates and label lists: what turns a class name into the texts that stand for it.
//!
//! A template is a line with a placeholder, `{}` or `{c}`, for the class name: `a photo of a {}.`
//! `{{` and `}}` stand for the braces themselves.
//!
//! | file | role |
//! |---|---|
//! | `mod` | [`Templates`], and what can be wrong with them |
//! | `labels` | [`Labels`]: class names, their other names and prompts of their own |
//! | `listed` | label files that are JSON or JSON Lines |
//! | `line_shape` | lists that are no names by the shape of all entries |
//! | `mistaken` | labels that are something else than names |
//! | `form` | what a file says by its form: another format, comments that may be meant as text |
//! | [`named`] | published templates by name |
//! | `sets/` | those templates, a file a set |

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

mod form;
mod labels;
mod line_shape;
mod listed;
mod mistaken;
pub mod named;

pub use self::labels::Labels;

/// Templates or labels that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromptsError {
    /// A template without a place for the class name.
    #[error(
        "{at}: {text:?} has no {{}}; put {{}} or {{c}} where the class name belongs (or are these labels?)"
    )]
    NoPlaceholder {
        /// The template's place.
        at: Place,
        /// The template.
        text: String,
    },
    /// A placeholder other than `{}` and `{c}`.
    #[error(
        "{at}: unknown placeholder {{{name}}}; the class name is {{}} or {{c}}, and a brace itself is \
         written {{{{ or }}}}"
    )]
    UnknownPlaceholder {
        /// The template's place.
        at: Place,
        /// What stands between the braces.
        name: String,
    },
    /// A brace without its partner.
    #[error(
        "{at}: {text:?} has a single {brace}; the class name is {{}} or {{c}}, and a brace itself is \
         written {{{{ or }}}}"
    )]
    LoneBrace {
        /// The template's place.
        at: Place,
        /// The template.
        text: String,
        /// `{` or `}`.
        brace: char,
    },
    /// No template at all.
    #[error(
        "{}: no templates; {}write one a line, such as: a photo of a {{}}.",
        source_name(file),
        commented(comment)
    )]
    NoTemplates {
        /// The file, if they came from one.
        file: Option<PathBuf>,
        /// Its first comment.
        comment: Option<String>,
    },
    /// No label at all.
    #[error(
        "{}: no labels; {}name at least one",
        source_name(file),
        commented(comment)
    )]
    NoLabels {
        /// The file, if they came from one.
        file: Option<PathBuf>,
        /// Its first comment.
        comment: Option<String>,
    },
    /// A label with nothing in it.
    #[error(
        "{at}: a label or a name of one is blank; take out the extra comma or bar (|), or name it"
    )]
    BlankLabel {
        /// The label's place.
        at: Place,
    },
    /// Labels that are there more than once.
    #[error(
        "{}: labels given more than once: {}; {}",
        source_name(file),
        quoted(labels),
        if *described {
            "text after a colon and a blank is taken as a description of the label before it: write \
             names with a colon as a JSON list, [\"a: b\", ...], in a .json file"
        } else {
            "name each once"
        }
    )]
    DuplicateLabels {
        /// The file, if they came from one.
        file: Option<PathBuf>,
        /// Each such label, once.
        labels: Vec<String>,
        /// Whether such a label stands before a colon and a description.
        described: bool,
    },
    /// A file that says by its form that it is something else.
    #[error("{}: this seems to be {seems}; {advice}", .path.display())]
    OtherForm {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        seems: String,
        /// What to do.
        advice: &'static str,
    },
    /// A list on a command line that says by its form that it is something else.
    #[error("the list given seems to be {seems}; {advice}")]
    ListForm {
        /// What it seems to be.
        seems: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// There is no such file.
    #[error("{}: there is no such file; check the path", .path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A folder where a file is expected.
    #[error("{}: expected a file, found a folder; give a file inside it", .path.display())]
    FolderForFile {
        /// The path.
        path: PathBuf,
    },
    /// A label file in JSON that is not what it must be.
    #[error(
        "{at}: {what}; a label file in JSON is {{\"label\": [\"a prompt\", ...], ...}}, one in JSON \
         Lines has {{\"label\": ..., \"names\": [...], \"prompts\": [...]}} on each line"
    )]
    Json {
        /// The place.
        at: Place,
        /// What is wrong.
        what: String,
    },
    /// There are no templates of this name.
    #[error(
        "no templates are named {name:?}; there are {}; a file of that name is ./{name}",
        named::names()
    )]
    UnknownSet {
        /// The name.
        name: String,
    },
    /// A file that is not UTF-8.
    #[error("{at}: not UTF-8; save the file as UTF-8")]
    Encoding {
        /// The first bad line.
        at: Place,
    },
    /// The system refuses to read a file.
    #[error("{source}; check the path and its permissions")]
    Read {
        /// What the system says, with the path.
        #[from]
        source: std::io::Error,
    },
}

impl PromptsError {
    /// Says of a file without entries which comments it has.
    fn with_comments_of(mut self, text: &str) -> Self {
        if let Self::NoLabels { comment, .. } | Self::NoTemplates { comment, .. } = &mut self {
            let mut lines = text.lines().map(str::trim);
            *comment = lines.find(|line| line.starts_with('#')).map(str::to_owned);
        }
        self
    }
}

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

/// Where a template or a label was written: a line of a file, or a position in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, if it came from one.
    pub file: Option<PathBuf>,
    /// Line or position, counted from 1.
    pub number: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}, line {}", file.display(), self.number),
            None => write!(f, "entry {}", self.number),
        }
    }
}

/// The templates of one task, at least one. [`Templates::default`] is `a photo of a {}.`, which
/// image-text encoders are customarily asked with when nothing is known of the images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates(Vec<Template>);

/// A template, taken apart: a class name belongs between each two neighbours of `parts`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template {
    text: String,
    parts: Vec<String>,
}

impl Default for Templates {
    fn default() -> Self {
        Self(vec![Template {
            text: "a photo of a {}.".to_owned(),
            parts: vec!["a photo of a ".to_owned(), ".".to_owned()],
        }])
    }
}

impl Templates {
    /// Reads one template an entry. Blank ones are passed over.
    ///
    /// # Errors
    /// [`PromptsError`]: a template without a placeholder or with an unknown one, or none at all.
    pub fn parse<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> Result<Self, PromptsError> {
        Self::parse_in(None, lines.into_iter().enumerate())
    }

    /// Reads a UTF-8 file with one template a line; blank lines and lines that begin with `#` are
    /// passed over. A file that holds a list of texts in JSON is read as that.
    ///
    /// # Errors
    /// As [`Templates::parse`], with the line; a file that is missing or not UTF-8, and one that says
    /// by its form that it is something else.
    pub fn from_file(path: &Path) -> Result<Self, PromptsError> {
        let text = read(path)?;
        match form::templates(path, &text)? {
            Some(list) => Self::parse_in(Some(path), list.into_iter().enumerate()),
            None => Self::parse_in(Some(path), lines_of(&text))
                .map_err(|error| error.with_comments_of(&text)),
        }
    }

    /// What a person should know of how a file of templates was read.
    ///
    /// # Errors
    /// As [`Templates::from_file`] of a file that cannot be read.
    pub fn notes_of_file(path: &Path) -> Result<Vec<String>, PromptsError> {
        Ok(form::comments(path, &read(path)?).into_iter().collect())
    }

    fn parse_in<S: AsRef<str>>(
        file: Option<&Path>,
        lines: impl Iterator<Item = (usize, S)>,
    ) -> Result<Self, PromptsError> {
        let mut templates = Vec::new();
        for (index, line) in lines {
            let text = line.as_ref().trim();
            if !text.is_empty() {
                templates.push(Template::parse(text, || place(file, index))?);
            }
        }
        if templates.is_empty() {
            return Err(PromptsError::NoTemplates {
                file: file.map(Path::to_owned),
                comment: None,
            });
        }
        Ok(Self(templates))
    }

    /// One prompt a template for a class name, in the order of the templates.
    pub fn render(&self, class: &str) -> Vec<String> {
        self.0
            .iter()
            .map(|template| template.parts.join(class))
            .collect()
    }

    /// The templates as written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|template| template.text.as_str())
    }

    /// How many there are, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Template {
    fn parse(text: &str, at: impl Fn() -> Place) -> Result<Self, PromptsError> {
        let lone = |brace| PromptsError::LoneBrace {
            at: at(),
            text: text.to_owned(),
            brace,
        };
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(position) = rest.find(['{', '}']) {
            let (before, braces) = rest.split_at(position);
            literal.push_str(before);
            if let Some(after) = braces.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = braces.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if braces.starts_with('}') {
                return Err(lone('}'));
            } else {
                let end = braces.find('}').ok_or_else(|| lone('{'))?;
                match &braces[1..end] {
                    "" | "c" => parts.push(std::mem::take(&mut literal)),
                    name if name.contains('{') => return Err(lone('{')),
                    name => {
                        let name = name.to_owned();
                        return Err(PromptsError::UnknownPlaceholder { at: at(), name });
                    }
                }
                rest = &braces[end + 1..];
            }
        }
        if parts.is_empty() {
            return Err(PromptsError::NoPlaceholder {
                at: at(),
                text: text.to_owned(),
            });
        }
        literal.push_str(rest);
        parts.push(literal);
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }
}

fn place(file: Option<&Path>, index: usize) -> Place {
    Place {
        file: file.map(Path::to_owned),
        number: index + 1,
    }
}

/// The lines of a file with their numbers from 0, without blank lines and comments.
fn lines_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
}

fn read(path: &Path) -> Result<String, PromptsError> {
    if path.is_dir() {
        return Err(PromptsError::FolderForFile {
            path: path.to_owned(),
        });
    }
    let bytes = fs_err::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => PromptsError::Missing {
            path: path.to_owned(),
        },
        _ => PromptsError::Read { source },
    })?;
    form::refuse_binary(path, &bytes)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(of_any_line_end(
            text.strip_prefix('\u{feff}').unwrap_or(&text),
        )),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|&&byte| byte == b'\n').count();
            Err(PromptsError::Encoding {
                at: place(Some(path), line),
            })
        }
    }
}

/// With `\n` in place of a `\r` alone, which `str::lines` does not take for a line end, and without
/// the byte order marks of files that were joined.
fn of_any_line_end(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.replace("\n\u{feff}", "\n")
}

fn source_name(file: &Option<PathBuf>) -> String {
    file.as_ref().map_or_else(
        || "the list given".to_owned(),
        |file| file.display().to_string(),
    )
}

/// What a file holds that has nothing but comments.
fn commented(comment: &Option<String>) -> String {
    comment.as_ref().map_or_else(String::new, |line| {
        format!(
            "every line begins with #, which begins a comment, such as {line:?}; to mean the text, write \
             a JSON list in a .json file, else "
        )
    })
}

fn quoted(labels: &[String]) -> String {
    let labels: Vec<_> = labels.iter().map(|label| format!("{label:?}")).collect();
    labels.join(", ")
}

#[cfg(test)]
mod form_tests;
#[cfg(test)]
mod shape_tests;
#[cfg(test)]
mod tests;
