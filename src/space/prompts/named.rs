//! Published sets of prompt templates by name, such as `clip:imagenet`.
//!
//! `clip:` are the lists that CLIP's repository publishes for its zero-shot figures (MIT), `asif:`
//! those of the ASIF paper. Each is a file under `sets/`: purpose and source in two comment lines, then one
//! template a line.

use std::path::Path;

use super::entries::lines_of;
use super::error::PromptsError;
use super::templates::PromptTemplates;

/// A named set of prompt templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateSet {
    /// Its name.
    pub name: &'static str,
    text: &'static str,
}

macro_rules! sets {
    ($($name:literal $file:literal),* $(,)?) => {
        /// All named templates.
        pub const ALL: &[TemplateSet] = &[$(TemplateSet {
            name: $name,
            text: include_str!(concat!("sets/", $file, ".txt")),
        }),*];
    };
}

sets! {
    "clip:imagenet" "clip-imagenet",
    "clip:imagenet7" "clip-imagenet7",
    "clip:cifar" "clip-cifar",
    "clip:caltech101" "clip-caltech101",
    "clip:pets" "clip-pets",
    "clip:flowers" "clip-flowers",
    "clip:food" "clip-food",
    "clip:eurosat" "clip-eurosat",
    "clip:dtd" "clip-dtd",
    "clip:cars" "clip-cars",
    "clip:aircraft" "clip-aircraft",
    "clip:birds" "clip-birds",
    "clip:countries" "clip-countries",
    "clip:emotions" "clip-emotions",
    "clip:signs" "clip-signs",
    "clip:digits" "clip-digits",
    "clip:scenes" "clip-scenes",
    "clip:actions" "clip-actions",
    "asif:pets" "asif-pets",
    "asif:texture" "asif-texture",
    "asif:animal" "asif-animal",
    "asif:name" "asif-name",
}

impl TemplateSet {
    /// Its purpose.
    pub fn purpose(&self) -> &'static str {
        self.comment(0).trim_end_matches('.')
    }

    /// Its source.
    pub fn source(&self) -> &'static str {
        let line = self.comment(1).trim_end_matches('.');
        line.strip_prefix("Source: ").unwrap_or(line)
    }

    fn comment(&self, number: usize) -> &'static str {
        let line = self.text.lines().nth(number);
        let line = line.expect("a template set begins with its purpose and its source");
        line.trim_start_matches('#').trim()
    }

    /// The templates.
    ///
    /// # Errors
    /// Never for the sets of [`ALL`], which a test reads.
    pub fn templates(&self) -> Result<PromptTemplates, PromptsError> {
        PromptTemplates::parse(lines_of(self.text).map(|(_, line)| line))
    }
}

/// The template set called `name`, if it exists.
pub fn find(name: &str) -> Option<&'static TemplateSet> {
    ALL.iter().find(|set| set.name == name)
}

/// The templates that a user asked for: a name that begins with `clip:` or `asif:`, else a file.
///
/// # Errors
/// A [`PromptsError`]: an unknown name, or as `PromptTemplates::from_file`.
pub fn load(name_or_file: &str) -> Result<PromptTemplates, PromptsError> {
    if let Some(set) = find(name_or_file) {
        return set.templates();
    }
    if name_or_file.starts_with("clip:") || name_or_file.starts_with("asif:") {
        return Err(unknown(name_or_file));
    }
    PromptTemplates::from_file(Path::new(name_or_file)).map_err(|error| match error {
        // A bare word is more likely a name than a file.
        PromptsError::Missing { .. } if !name_or_file.contains(['/', '.']) => unknown(name_or_file),
        error => error,
    })
}

fn unknown(name: &str) -> PromptsError {
    let known = ALL
        .iter()
        .map(|set| set.name)
        .collect::<Vec<_>>()
        .join(", ");
    PromptsError::UnknownSet {
        name: name.to_owned(),
        known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_read_whole_and_says_where_it_comes_from() {
        let sizes: Vec<String> = ALL
            .iter()
            .map(|set| {
                assert!(
                    set.purpose().len() > 4 && !set.purpose().contains('#'),
                    "{}",
                    set.name
                );
                assert!(
                    !set.source().is_empty() && !set.source().contains("Source"),
                    "{}",
                    set.name
                );
                format!("{} {}", set.name, set.templates().unwrap().len())
            })
            .collect();
        insta::assert_snapshot!(sizes.join("\n"), @r"
        clip:imagenet 80
        clip:imagenet7 7
        clip:cifar 18
        clip:caltech101 34
        clip:pets 1
        clip:flowers 1
        clip:food 1
        clip:eurosat 3
        clip:dtd 8
        clip:cars 8
        clip:aircraft 2
        clip:birds 1
        clip:countries 5
        clip:emotions 6
        clip:signs 3
        clip:digits 1
        clip:scenes 2
        clip:actions 48
        asif:pets 1
        asif:texture 1
        asif:animal 1
        asif:name 1
        ");
    }

    #[test]
    fn the_seven_are_among_the_eighty_and_no_template_is_there_twice() {
        let texts = |name: &str| -> Vec<String> {
            let set = find(name).unwrap().templates().unwrap();
            set.iter().map(str::to_owned).collect()
        };
        let eighty = texts("clip:imagenet");
        assert!(texts("clip:imagenet7").iter().all(|t| eighty.contains(t)));
        for set in ALL {
            let mut all = texts(set.name);
            let n = all.len();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), n, "{}", set.name);
        }
    }

    #[test]
    fn a_name_that_there_is_not_lists_those_that_there_are() {
        let said = load("clip:imagnet").unwrap_err().to_string();
        for word in [
            "clip:imagnet",
            "clip:imagenet7",
            "asif:pets",
            "./clip:imagnet",
        ] {
            assert!(said.contains(word), "{said}");
        }
        assert!(
            load("no-such-file")
                .unwrap_err()
                .to_string()
                .contains("no-such-file")
        );
        assert_eq!(
            load("asif:pets").unwrap().render("cat"),
            ["a type of pet cat."]
        );
    }
}
