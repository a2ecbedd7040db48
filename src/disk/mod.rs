//! Durable file operations for writers; each step is a point at which tests can inject a fault.
//!
//! Every change of an anchor set, of the installed models and of a file that a command writes goes through
//! here or through the container writer of [`asif_index`]. An existing file is never
//! removed or truncated before its successor is durable under the same name.
//!
//! | file | what it does |
//! |---|---|
//! | `files` | folders, small files, lines of a log, removals |
//! | `replace` | atomic replacement of a file or folder |
//! | `temporary` | files under hidden names until they are complete |
//! | `words` | plain-language texts for I/O errors |
//! | `fault` | fault injection, for tests |

pub(crate) mod fault;
mod files;
mod replace;
mod temporary;
mod words;

pub(crate) use files::write;
pub use files::{
    HIDDEN, REMOVING, REPLACED, append_line, copy_new, create_dir_all, found, found_itself,
    has_file, has_folder, hidden_prefix, is_link_loop, is_refusal, link_or_copy, names, parent,
    remove_dir_all, remove_file, remove_hidden, rename, step, sync_folder, sync_tree,
};
pub use replace::{
    FileReplacement, check_output, publish_folder, rename_new, replace_file, write_atomically,
};
pub(crate) use temporary::{is_unfinished, name_to_come, sweep_hidden};
pub use words::{in_words, is_exhausted};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_torn_line_is_cut_off_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append_line(&path, "one").unwrap();
        for torn in ["tw".to_owned(), "x".repeat(10_000)] {
            let mut text = fs_err::read_to_string(&path).unwrap();
            text.push_str(&torn);
            fs_err::write(&path, text).unwrap();
            append_line(&path, "next").unwrap();
        }
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "one\nnext\nnext\n");
    }

    #[test]
    fn replacing_and_removing_leave_nothing_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("CURRENT");
        write_atomically(&path, b"1").unwrap();
        write_atomically(&path, b"2").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"2");
        let inner = folder.path().join("a/b");
        create_dir_all(&inner).unwrap();
        remove_dir_all(&folder.path().join("a")).unwrap();
        remove_dir_all(&inner).unwrap();
        remove_file(&inner).unwrap();
        assert_eq!(names(folder.path()).unwrap(), ["CURRENT"]);
        for name in [
            ".CURRENT.tmp",
            ".CURRENT.tmp-abcdefghijkl",
            ".notes",
            ".x.tmp",
        ] {
            fs_err::write(folder.path().join(name), b"").unwrap();
        }
        sweep_hidden(folder.path(), |name| name == "CURRENT").unwrap();
        assert_eq!(
            names(folder.path()).unwrap(),
            [".notes", ".x.tmp", "CURRENT"]
        );
        assert_eq!(names(&inner).unwrap(), [""; 0]);
    }

    /// What changes files goes through this module, where it is durable and nothing is lost between
    /// two steps.
    #[test]
    fn nothing_else_changes_files() {
        const CHANGES: [&str; 9] = [
            "fs_err::write(",
            "fs_err::rename(",
            "fs_err::copy(",
            "fs_err::hard_link(",
            "fs_err::create_dir",
            "fs_err::remove_",
            "File::create",
            ".truncate(true)",
            ".persist(",
        ];
        // In a hidden folder that is synced as a whole; a cache; what has a hidden name or none.
        let known = [
            ("src/encode/registry/install.rs", "fs_err::copy("),
            ("src/encode/registry/install.rs", "fs_err::create_dir"),
            ("src/encode/registry/install.rs", "fs_err::write("),
            ("src/embed/cache/mod.rs", "fs_err::create_dir"),
            ("server/src/sets/uploads.rs", ".persist("),
            ("server/src/sets/uploads.rs", "fs_err::remove_"),
        ];
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = std::collections::BTreeSet::new();
        let crates =
            ["src", "cli/src", "server/src"].map(|of| walkdir::WalkDir::new(root.join(of)));
        for entry in crates.into_iter().flatten() {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(root).unwrap().to_string_lossy();
            let is_own = name.starts_with("src/disk/");
            if !name.ends_with(".rs") || name.ends_with("tests.rs") || is_own {
                continue;
            }
            let text = fs_err::read_to_string(entry.path()).unwrap();
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for change in CHANGES.iter().filter(|change| product.contains(**change)) {
                found.insert((name.clone().into_owned(), *change));
            }
        }
        let known: std::collections::BTreeSet<_> = known
            .iter()
            .map(|(name, change)| ((*name).to_owned(), *change))
            .collect();
        assert_eq!(found, known);
    }
}
