//! The class names to choose between, with their alternative names and prompts.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::entries::{ends_with, lines_of};
use super::error::{PromptsError, place};
use super::form::refuse_long;
use super::listed::LabelDetails;
use super::templates::PromptTemplates;
use super::text_file::read;
use super::{form, listed, mistaken};
use crate::pairs::composed;
use crate::printable::is_unseen;

/// The class names to choose between: at least one, without duplicates.
///
/// A label may have several names, as `cat|gato|Katze`, and prompts of its own. It is shown by its first
/// name, and represented by all its prompts together ([`prompts`](Self::prompts)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelList {
    shown: Vec<String>,
    more: Vec<LabelDetails>,
    notes: Vec<String>,
}

impl LabelList {
    /// Reads `cat|gato,dog,fire engine`. A label that holds a comma needs [`LabelList::from_file`].
    ///
    /// # Errors
    /// [`PromptsError`]: no label, a blank one, or duplicates.
    pub fn parse(list: &str) -> Result<Self, PromptsError> {
        if list.trim().is_empty() {
            return Err(PromptsError::NoLabels {
                file: None,
                comment: None,
            });
        }
        if let Some((seems, advice)) = mistaken::list(list) {
            return Err(PromptsError::ListForm { seems, advice });
        }
        Self::new(list.split(','))
    }

    /// Takes one label an entry, trimmed; alternative names follow after `|`.
    ///
    /// # Errors
    /// As [`LabelList::parse`].
    pub fn new<S: AsRef<str>>(labels: impl IntoIterator<Item = S>) -> Result<Self, PromptsError> {
        let labels = labels.into_iter().enumerate();
        Self::collect(
            None,
            labels
                .map(|(index, label)| (index, label.as_ref().to_owned(), LabelDetails::default())),
        )
    }

    /// Reads a UTF-8 file of labels, whose format depends on its extension:
    ///
    /// * `.json`: `["cat", "dog"]`, or `{"cat": ["a small pet", ...], "dog": "a loyal pet"}`, labels
    ///   with prompts of their own, or the numbered classes of a model (`id2label`, `label2id`, also
    ///   within a `config.json`; Keras's `class_index.json`), in the order of their numbers;
    /// * `.jsonl`: `{"label": "cat", "names": ["gato"], "prompts": ["a small pet"]}` a line;
    /// * any other: one label a line, optionally followed by a tab, or a colon and a space, and a prompt of
    ///   its own; further prompts follow after further tabs. Blank lines and lines that begin with `#` are
    ///   skipped.
    ///
    /// # Errors
    /// As [`LabelList::parse`], and for a file that is missing, not UTF-8, invalid JSON, or whose form
    /// shows that it is something else.
    pub fn from_file(path: &Path) -> Result<Self, PromptsError> {
        let text = read(path)?;
        let lines = ends_with(path, "jsonl") || ends_with(path, "ndjson");
        let is_json = || serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        if lines {
            return Self::collect(Some(path), listed::lines(path, &text)?.into_iter());
        }
        if ends_with(path, "json") || form::is_document(&text) && is_json() {
            return match listed::document(path, &text)? {
                listed::LabelDocument::Names(names) => {
                    let names = names.into_iter().enumerate();
                    let entry = |(index, name)| (index, name, LabelDetails::default());
                    Self::gather(Some(path), names.map(entry), false)
                }
                listed::LabelDocument::Entries(entries) => {
                    Self::collect(Some(path), entries.into_iter())
                }
            };
        }
        form::refuse_other_labels(path, &text)?;
        let mut with_colon = Vec::new();
        let mut plain = 0;
        let entries: Vec<_> = lines_of(&text)
            .map(|(index, line)| {
                let (label, prompts) = described(line);
                match line.contains('\t') || prompts.is_empty() {
                    true => plain += 1,
                    false => with_colon.push(line.trim()),
                }
                let names = Vec::new();
                (index, label.to_owned(), LabelDetails { names, prompts })
            })
            .collect();
        let mut labels = Self::collect(Some(path), entries.into_iter()).map_err(|mut error| {
            if let PromptsError::DuplicateLabels {
                labels, described, ..
            } = &mut error
            {
                let twice =
                    |line: &&str| labels.iter().any(|l| line.starts_with(&format!("{l}: ")));
                *described = with_colon.iter().any(twice);
            }
            error.with_comments_of(&text)
        })?;
        labels.notes.extend(form::comments(path, &text));
        // "Name: Capital ..." without the label in the rest is as often a name with a colon as a description.
        let is_doubtful = |line: &&&str| {
            let (label, rest) = line.split_once(':').unwrap_or((line, ""));
            let has_label = rest.to_lowercase().contains(&label.trim().to_lowercase());
            plain > 0 || !has_label && rest.trim_start().starts_with(char::is_uppercase)
        };
        if let Some(line) = with_colon.iter().find(is_doubtful) {
            labels.notes.push(format!(
                "{}: in {} of {} lines the text after a colon was taken as a description of the \
                 label, such as {line:?}; write names with a colon as a JSON list in a .json file",
                path.display(),
                with_colon.len(),
                with_colon.len() + plain
            ));
        }
        Ok(labels)
    }

    /// Notes for the user on how a file was read, such as lines that were taken as comments.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn collect(
        file: Option<&Path>,
        entries: impl Iterator<Item = (usize, String, LabelDetails)>,
    ) -> Result<Self, PromptsError> {
        Self::gather(file, entries, true)
    }

    /// `bars`: whether `|` separates the names of one label.
    fn gather(
        file: Option<&Path>,
        entries: impl Iterator<Item = (usize, String, LabelDetails)>,
        bars: bool,
    ) -> Result<Self, PromptsError> {
        let (mut shown, mut more) = (Vec::new(), Vec::new());
        for (index, names, rest) in entries {
            if let (Some(path), true) = (file, mistaken::has_placeholder(&names)) {
                return Err(PromptsError::OtherForm {
                    path: path.to_owned(),
                    seems: format!("a file of templates, because of {names:?}"),
                    advice: "pass it as templates, and here give one label a line",
                });
            }
            let texts = rest.names.iter().chain(&rest.prompts).chain([&names]);
            for text in texts {
                form::refuse_nul(file, text)?;
                refuse_long(|| place(file, index), text)?;
            }
            let mut names = names
                .split(|letter| bars && letter == '|')
                .map(str::trim)
                .chain(rest.names.iter().map(|n| n.trim()));
            let first = names.next().unwrap_or_default().to_owned();
            let names: Vec<String> = names.map(str::to_owned).collect();
            let is_blank = |name: &String| name.chars().all(is_unmarked);
            if is_blank(&first) || names.iter().any(is_blank) {
                return Err(PromptsError::BlankLabel {
                    at: place(file, index),
                });
            }
            let prompts = rest.prompts;
            shown.push(first);
            more.push(LabelDetails { names, prompts });
        }
        if shown.is_empty() {
            return Err(PromptsError::NoLabels {
                file: file.map(Path::to_owned),
                comment: None,
            });
        }
        if let (Some(path), Some((seems, advice))) = (file, mistaken::names(&shown)) {
            return Err(PromptsError::OtherForm {
                path: path.to_owned(),
                seems: seems.to_owned(),
                advice,
            });
        }
        let mut seen = HashSet::new();
        let again = |label: &&String| !seen.insert(as_read(label));
        let mut twice: Vec<_> = shown.iter().filter(again).cloned().collect();
        twice.sort_unstable();
        twice.dedup();
        if !twice.is_empty() {
            return Err(PromptsError::DuplicateLabels {
                file: file.map(Path::to_owned),
                labels: twice,
                described: false,
            });
        }
        let notes = mistaken::numbers(&shown).or_else(|| mistaken::numbered(&shown));
        let notes = notes.into_iter();
        let notes = notes.chain(of_other_case(&shown)).collect();
        Ok(Self { shown, more, notes })
    }

    /// The labels in the order given, each by its first name.
    pub fn as_slice(&self) -> &[String] {
        &self.shown
    }

    /// The prompts of each label, `[labels]`, at least one each and without duplicates: every template with
    /// each of its names, then its own prompts.
    pub fn prompts(&self, templates: &PromptTemplates) -> Vec<Vec<String>> {
        let of = |(first, more): (&String, &LabelDetails)| {
            let mut prompts = Vec::new();
            let names = std::iter::once(first).chain(&more.names);
            let rendered = names.flat_map(|name| templates.render(name));
            for prompt in rendered.chain(more.prompts.iter().cloned()) {
                if !prompts.contains(&prompt) {
                    prompts.push(prompt);
                }
            }
            prompts
        };
        self.shown.iter().zip(&self.more).map(of).collect()
    }
}

/// Whether a character is whitespace or invisible.
fn is_unmarked(character: char) -> bool {
    character.is_whitespace()
        || is_unseen(character)
        || matches!(character, '\u{200C}' | '\u{200D}')
}

/// A label as a reader sees it: composed (NFC), with single spaces, without invisible characters. Two labels
/// that are equal in this form have the same prompts for most text encoders, so neither could win.
fn as_read(label: &str) -> String {
    let seen: String = composed(label).chars().filter(|c| !is_unseen(*c)).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A note on labels that differ only in case.
fn of_other_case(labels: &[String]) -> Option<String> {
    let mut first_of = HashMap::new();
    labels.iter().find_map(|label| {
        let first = *first_of.entry(label.to_lowercase()).or_insert(label);
        (first != label).then(|| {
            format!(
                "the labels {first:?} and {label:?} differ only in case, which many text encoders \
                 ignore; give them distinct names"
            )
        })
    })
}

/// A line's label and the prompts after it.
fn described(line: &str) -> (&str, Vec<String>) {
    let (label, rest) = match (line.split_once('\t'), line.split_once(": ")) {
        (Some(parts), _) | (None, Some(parts)) => parts,
        (None, None) => (line, ""),
    };
    let prompts = rest.split('\t').map(str::trim).filter(|p| !p.is_empty());
    (label, prompts.map(str::to_owned).collect())
}
