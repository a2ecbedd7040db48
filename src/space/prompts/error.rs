//! Errors of templates and labels, and their locations.

use std::fmt;
use std::path::{Path, PathBuf};

/// Templates or labels that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromptsError {
    /// A template without a placeholder.
    #[error(
        "{at}: {text:?} has no {{}}; put {{}} or {{c}} where the class name belongs (or are these labels?)"
    )]
    NoPlaceholder {
        /// The template's place.
        at: PromptPlace,
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
        at: PromptPlace,
        /// The text between the braces.
        name: String,
    },
    /// An unmatched brace.
    #[error(
        "{at}: {text:?} has a single {brace}; the class name is {{}} or {{c}}, and a brace itself is \
         written {{{{ or }}}}"
    )]
    LoneBrace {
        /// The template's place.
        at: PromptPlace,
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
    /// A label, prompt or template that is longer than any encoder reads.
    #[error(
        "{at}: {found} characters, at most {allowed} are accepted for a label, a prompt or a template; \
         shorten it, or write one label a line"
    )]
    TooLong {
        /// The place of the text.
        at: PromptPlace,
        /// Its number of characters.
        found: usize,
        /// The most that are accepted.
        allowed: usize,
    },
    /// A label with nothing in it.
    #[error(
        "{at}: a label or a name of one is blank; take out the extra comma or bar (|), or name it"
    )]
    BlankLabel {
        /// The label's place.
        at: PromptPlace,
    },
    /// Duplicate labels.
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
        /// Whether such a label is followed by a colon and a description.
        described: bool,
    },
    /// A file whose form shows that it is something else.
    #[error("{}: this seems to be {seems}; {advice}", .path.display())]
    OtherForm {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        seems: String,
        /// What to do.
        advice: &'static str,
    },
    /// A list of labels whose form shows that it is something else.
    #[error("the list given seems to be {seems}; {advice}")]
    ListForm {
        /// What it seems to be.
        seems: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The file does not exist.
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
    /// An invalid label file in JSON.
    #[error(
        "{at}: {what}; a label file in JSON is {{\"label\": [\"a prompt\", ...], ...}}, one in JSON \
         Lines has {{\"label\": ..., \"names\": [...], \"prompts\": [...]}} on each line"
    )]
    Json {
        /// The place.
        at: PromptPlace,
        /// What is wrong.
        what: String,
    },
    /// Unknown name of a template set.
    #[error(
        "no prompt templates are named {name:?}; the known names are {known}; for a file of that name write ./{name}"
    )]
    UnknownSet {
        /// The name.
        name: String,
        /// The known names.
        known: String,
    },
    /// A file that is not UTF-8.
    #[error("{at}: not UTF-8; save the file as UTF-8")]
    Encoding {
        /// The first bad line.
        at: PromptPlace,
    },
    /// A file cannot be read.
    #[error("{source}{}", crate::pairs::reading_advice(source))]
    Read {
        /// The system's error, with the path.
        #[from]
        source: std::io::Error,
    },
}

impl PromptsError {
    /// Adds the first comment to the error for a file without entries.
    pub(super) fn with_comments_of(mut self, text: &str) -> Self {
        if let Self::NoLabels { comment, .. } | Self::NoTemplates { comment, .. } = &mut self {
            let mut lines = text.lines().map(str::trim);
            *comment = lines.find(|line| line.starts_with('#')).map(str::to_owned);
        }
        self
    }
}

/// The location of a template or a label: a line of a file, or a position in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptPlace {
    /// The file, if it came from one.
    pub file: Option<PathBuf>,
    /// Line or position, counted from 1.
    pub number: usize,
}

impl fmt::Display for PromptPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}, line {}", file.display(), self.number),
            None => write!(f, "entry {}", self.number),
        }
    }
}

pub(super) fn place(file: Option<&Path>, index: usize) -> PromptPlace {
    PromptPlace {
        file: file.map(Path::to_owned),
        number: index + 1,
    }
}

fn source_name(file: &Option<PathBuf>) -> String {
    file.as_ref().map_or_else(
        || "the list given".to_owned(),
        |file| file.display().to_string(),
    )
}

/// An explanation for a file that has only comments.
fn commented(comment: &Option<String>) -> String {
    comment.as_ref().map_or_else(String::new, |line| {
        format!(
            "every line is a comment because it begins with #, such as {line:?}; for literal text write \
             a JSON list in a .json file, else "
        )
    })
}

fn quoted(labels: &[String]) -> String {
    let labels: Vec<_> = labels.iter().map(|label| format!("{label:?}")).collect();
    labels.join(", ")
}
