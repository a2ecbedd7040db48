//! Prompt templates.

use std::path::Path;

use super::entries::lines_of;
use super::error::{PromptPlace, PromptsError, place};
use super::form;
use super::form::refuse_long;
use super::text_file::read;

/// Prompt templates, at least one. [`PromptTemplates::default`] is `a photo of a {}.`, the customary template when
/// nothing is known about the images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptTemplates(Vec<PromptTemplate>);

/// A parsed template: the class name is inserted between consecutive `parts`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PromptTemplate {
    text: String,
    parts: Vec<String>,
}

impl Default for PromptTemplates {
    fn default() -> Self {
        Self(vec![PromptTemplate {
            text: "a photo of a {}.".to_owned(),
            parts: vec!["a photo of a ".to_owned(), ".".to_owned()],
        }])
    }
}

impl PromptTemplates {
    /// Reads one template an entry. Blank entries are skipped.
    ///
    /// # Errors
    /// [`PromptsError`]: a template without a placeholder or with an unknown one, or none at all.
    pub fn parse<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> Result<Self, PromptsError> {
        Self::parse_in(None, lines.into_iter().enumerate())
    }

    /// Reads a UTF-8 file with one template a line; blank lines and lines that begin with `#` are skipped. A
    /// file with a JSON list of strings is read as JSON.
    ///
    /// # Errors
    /// As [`PromptTemplates::parse`], with the line, and for a file that is missing, not UTF-8, or whose form shows
    /// that it is something else.
    pub(crate) fn from_file(path: &Path) -> Result<Self, PromptsError> {
        let text = read(path)?;
        match form::templates(path, &text)? {
            Some(list) => Self::parse_in(Some(path), list.into_iter().enumerate()),
            None => Self::parse_in(Some(path), lines_of(&text))
                .map_err(|error| error.with_comments_of(&text)),
        }
    }

    /// Notes for the user on how a file of templates was read.
    ///
    /// # Errors
    /// As `PromptTemplates::from_file` for a file that cannot be read.
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
            form::refuse_nul(file, text)?;
            refuse_long(|| place(file, index), text)?;
            if !text.is_empty() {
                templates.push(PromptTemplate::parse(text, || place(file, index))?);
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

    /// The prompts for a class name, one for each template in order.
    pub(crate) fn render(&self, class: &str) -> Vec<String> {
        self.0
            .iter()
            .map(|template| template.parts.join(class))
            .collect()
    }

    /// The templates as written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|template| template.text.as_str())
    }

    /// The number of templates, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl PromptTemplate {
    fn parse(text: &str, at: impl Fn() -> PromptPlace) -> Result<Self, PromptsError> {
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
            // Doubled braces first, as in Python's `format`, or they would be taken for a placeholder.
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
                    // `{a {c}`: the first brace is the mistake, not a placeholder called `a {c`.
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
        // One part more than placeholders, so that joining puts the name between all of them.
        literal.push_str(rest);
        parts.push(literal);
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }
}
