//! What the operating system says of a path, in words that say what is wrong with it.

use std::borrow::Cow;

/// What the system says, and what it means: (text of the system, ours). The last are of functions that
/// look at a path.
const WORDS: [(&str, &str); 9] = [
    (
        "No such file or directory (os error 2)",
        "there is no such file or folder",
    ),
    (
        "File exists (os error 17)",
        "a file with this name is in the way",
    ),
    (
        "Not a directory (os error 20)",
        "a part of the path is a file, not a folder",
    ),
    (
        "Is a directory (os error 21)",
        "expected a file, found a folder",
    ),
    (
        "Directory not empty (os error 39)",
        "a folder that is not empty is in the way",
    ),
    ("failed to query resolved metadata `", "failed to look at `"),
    ("failed to query metadata of file `", "failed to look at `"),
    (
        "failed to query metadata of symlink `",
        "failed to look at `",
    ),
    ("failed to canonicalize path `", "failed to look at `"),
];

/// `said`, a message that ends with what the system answered, with that answer in plain words where it
/// is about the kind of thing that lies under a path. Others, of a full disk say, stay as they are.
pub fn in_words(said: &str) -> Cow<'_, str> {
    let mut said = Cow::Borrowed(said);
    for (system, plain) in WORDS {
        if said.contains(system) {
            said = Cow::Owned(said.replace(system, plain));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_texts_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs_err::write(&file, b"").unwrap();
        let errors = [
            fs_err::read(folder.path().join("none")).unwrap_err(),
            fs_err::create_dir(&file).unwrap_err(),
            fs_err::read(file.join("inner")).unwrap_err(),
            fs_err::read(folder.path()).unwrap_err(),
            fs_err::remove_dir(folder.path()).unwrap_err(),
        ];
        for error in errors {
            let said = error.to_string();
            let plain = in_words(&said);
            assert!(said.contains("os error"), "{said}");
            assert!(!plain.contains("os error"), "{plain}");
        }
        assert_eq!(
            in_words("No space left on device (os error 28)"),
            "No space left on device (os error 28)"
        );
    }
}
