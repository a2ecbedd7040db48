//! How sources are read, where there is a choice.

/// How sources are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PairOptions {
    /// The field or column of the image, in place of the usual names.
    pub image_column: Option<String>,
    /// The field or column of the caption or captions, in place of the usual names.
    pub caption_column: Option<String>,
    /// What becomes of several captions of an image.
    pub captions: CaptionChoice,
    /// The caption of an image in a folder that has no text: `{}` stands for the name of its folder.
    pub class_template: Option<String>,
    /// How many rows may be bad; files that are no part of the pairs by their name do not count. `None` for any number.
    pub max_errors: Option<u64>,
    /// Whether lists that others made may name images outside their folder.
    pub allow_outside: bool,
}

/// What becomes of several captions of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaptionChoice {
    /// One pair with the mean of their vectors.
    #[default]
    Mean,
    /// A pair each.
    Each,
    /// One pair with the longest, the first of those.
    Longest,
    /// One pair with the first.
    First,
}

impl CaptionChoice {
    /// The captions of each pair that the captions of an image make.
    pub(super) fn of(self, mut captions: Vec<String>) -> Vec<Vec<String>> {
        match self {
            Self::Mean => vec![captions],
            Self::Each => captions.into_iter().map(|caption| vec![caption]).collect(),
            Self::First => {
                captions.truncate(1);
                vec![captions]
            }
            Self::Longest => {
                let longest = captions.into_iter().reduce(|best, next| {
                    match next.chars().count() > best.chars().count() {
                        true => next,
                        false => best,
                    }
                });
                vec![longest.into_iter().collect()]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::pairs::tests::folder;
    use crate::pairs::{Pair, open_with};

    #[test]
    fn captions_are_chosen() {
        let of =
            |choice: CaptionChoice| choice.of(["b", "a dog", "a cat"].map(str::to_owned).to_vec());
        assert_eq!(of(CaptionChoice::Mean), [["b", "a dog", "a cat"]]);
        assert_eq!(of(CaptionChoice::Each), [["b"], ["a dog"], ["a cat"]]);
        assert_eq!(of(CaptionChoice::First), [["b"]]);
        assert_eq!(of(CaptionChoice::Longest), [["a dog"]]);
    }

    fn read(dir: &TempDir, name: &str, options: &PairOptions) -> (Vec<Pair>, Vec<String>) {
        let reader = open_with(&[dir.path().join(name)], options).unwrap();
        let (pairs, errors): (Vec<_>, Vec<_>) = reader.partition(Result::is_ok);
        let errors = errors
            .into_iter()
            .map(|error| error.unwrap_err().to_string());
        (
            pairs.into_iter().map(Result::unwrap).collect(),
            errors.collect(),
        )
    }

    #[test]
    fn columns_have_the_names_that_are_asked_for() {
        let options = PairOptions {
            image_column: Some("photo".to_owned()),
            caption_column: Some("alt".to_owned()),
            ..PairOptions::default()
        };
        let row = r#"{"photo": "a.jpg", "alt": ["x", "y"], "image": 7, "caption": "z"}"#;
        let dir = folder(&[
            ("a.jpg", b""),
            ("p.jsonl", row.as_bytes()),
            ("p.json", format!("[{row}]").as_bytes()),
            (
                "p.csv",
                b"photo,alt,image,caption\na.jpg,\"[\"\"x\"\", \"\"y\"\"]\",7,z\n",
            ),
            ("q.csv", b"image,alt\na.jpg,x\n"),
            ("q.jsonl", b"{\"image\": \"a.jpg\", \"alt\": \"x\"}"),
        ]);
        for name in ["p.jsonl", "p.json", "p.csv"] {
            let (pairs, errors) = read(&dir, name, &options);
            assert_eq!((pairs.len(), errors.len()), (1, 0), "{name}: {errors:?}");
            assert_eq!(pairs[0].captions, ["x", "y"], "{name}");
            assert_eq!(
                (pairs[0].id.as_str(), pairs[0].meta.len()),
                ("a.jpg", 2),
                "{name}"
            );
        }
        let error = open_with(&[dir.path().join("q.csv")], &options)
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("expected one of photo"),
            "{error}"
        );
        assert!(read(&dir, "q.jsonl", &options).1[0].contains("no image"));
    }

    #[test]
    fn captions_make_pairs_with_ids_of_their_own() {
        let dir = folder(&[
            ("a.jpg", b""),
            (
                "p.jsonl",
                b"{\"image\": \"a.jpg\", \"captions\": [\"x\", \"y\"], \"id\": 7}\n{\"image\": \"a.jpg\", \"caption\": \"z\"}",
            ),
        ]);
        let options = PairOptions {
            captions: CaptionChoice::Each,
            ..PairOptions::default()
        };
        let (pairs, _) = read(&dir, "p.jsonl", &options);
        let found = pairs
            .iter()
            .map(|pair| (pair.id.as_str(), pair.captions[0].as_str()));
        assert_eq!(
            found.collect::<Vec<_>>(),
            [("7", "x"), ("7#2", "y"), ("a.jpg", "z")]
        );
    }

    #[test]
    fn names_of_class_folders_are_captions_where_asked() {
        let dir = folder(&[
            ("d/train/red_fox/1.jpg", b""),
            ("d/train/red_fox/2.jpg", b""),
            ("d/train/red_fox/2.txt", b"its own"),
            ("d/top.jpg", b""),
        ]);
        let options = PairOptions {
            class_template: Some("a photo of a {}.".to_owned()),
            ..PairOptions::default()
        };
        let (pairs, errors) = read(&dir, "d", &options);
        assert_eq!(pairs[0].captions, ["a photo of a red fox."]);
        assert_eq!(pairs[1].captions, ["its own"]);
        assert_eq!((pairs.len(), errors.len()), (2, 1), "{errors:?}");
        assert_eq!(read(&dir, "d", &PairOptions::default()).1.len(), 2);
    }

    #[test]
    fn a_list_of_a_folder_names_no_image_outside_unless_allowed() {
        let dir = folder(&[
            ("secret.jpg", b""),
            ("d/a.jpg", b""),
            (
                "d/pairs.jsonl",
                b"{\"image\": \"../secret.jpg\", \"caption\": \"x\"}\n{\"image\": \"./a.jpg\", \"caption\": \"y\"}\n",
            ),
        ]);
        let mut options = PairOptions::default();
        let (pairs, errors) = read(&dir, "d", &options);
        assert_eq!((pairs.len(), errors.len()), (1, 1), "{errors:?}");
        assert!(
            errors[0].contains("row 1: the image lies outside"),
            "{errors:?}"
        );
        // By its own name the list is the user's.
        assert_eq!(read(&dir, "d/pairs.jsonl", &options).0.len(), 2);
        options.allow_outside = true;
        assert_eq!(read(&dir, "d", &options).0.len(), 2);
    }
}
