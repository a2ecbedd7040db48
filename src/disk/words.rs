//! Plain-language texts for the operating system's errors about a path.

use std::borrow::Cow;

use super::files::HIDDEN;
use super::temporary::name_to_come;

/// Texts of errors of writing a file: its hidden name is gone when the message is read. Any other message may
/// name a hidden file that is there.
const UNWRITTEN: [&str; 5] = [
    "File too large (os error 27)",
    "No space left on device (os error 28)",
    "Disk quota exceeded (os error 122)",
    "failed to create file `",
    "failed to write to file `",
];
/// Infixes and prefixes of the hidden names of folders that are being written.
const BUILDING: &str = ".building-";
const WRITING: &str = ".writing-";
const BRINGING: &str = ".bringing-";

/// The system's text and ours. The last entries are for functions that
/// examine a path.
const WORDS: [(&str, &str); 12] = [
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
    (
        "Too many open files (os error 24)",
        "the process may open no more files; raise the limit (`ulimit -n`, LimitNOFILE of a systemd unit)",
    ),
    (
        "Resource temporarily unavailable (os error 11)",
        "the process may start no more threads; raise the limit (`ulimit -u`, TasksMax of a systemd unit, pids of a container)",
    ),
    (
        "File too large (os error 27)",
        "the file would be larger than the limit allows (`ulimit -f`, LimitFSIZE of a systemd unit)",
    ),
    ("failed to query resolved metadata `", "failed to look at `"),
    ("failed to query metadata of file `", "failed to look at `"),
    (
        "failed to query metadata of symlink `",
        "failed to look at `",
    ),
    ("failed to canonicalize path `", "failed to look at `"),
];

/// Replaces the system's error text at the end of the message `said` by plain language where it is about the
/// kind of thing that lies under a path, or about a limit of the process. Others, of a full disk say, stay as
/// they are.
pub fn in_words(said: &str) -> Cow<'_, str> {
    // Asked of the system's text, before it is replaced.
    let is_write = UNWRITTEN.iter().any(|text| said.contains(text));
    let mut said = Cow::Borrowed(said);
    for (system, plain) in WORDS {
        if said.contains(system) {
            said = Cow::Owned(said.replace(system, plain));
        }
    }
    match is_write {
        true => with_final_names(said),
        false => said,
    }
}

/// A message with the names that files and folders are to have in place of the hidden ones under which they
/// are written, which are gone when the message is read.
fn with_final_names(said: Cow<'_, str>) -> Cow<'_, str> {
    // No hidden name stands in it.
    if !said.contains("/.") {
        return said;
    }
    let mut parts = said.split('/');
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['`', ':', ' ', ',', ';', '"', '\'']);
        let (name, rest) = part.split_at(end.unwrap_or(part.len()));
        match final_name(name) {
            FinalName::Same => named.push_str(&format!("/{part}")),
            FinalName::Other(name) => named.push_str(&format!("/{name}{rest}")),
            FinalName::None => named.push_str(rest),
        }
    }
    Cow::Owned(named)
}

enum FinalName<'a> {
    Same,
    Other(&'a str),
    /// The folder of a segment is named by its content once it is written.
    None,
}

fn final_name(name: &str) -> FinalName<'_> {
    if name == "."
        || [WRITING, BRINGING]
            .iter()
            .any(|begin| name.starts_with(begin))
    {
        return FinalName::None;
    }
    let hidden = name.strip_prefix(HIDDEN);
    let built = hidden.and_then(|name| name.rsplit_once(BUILDING));
    // The end of such a name is random; a name that people chose has other characters.
    let is_random = |end: &str| end.bytes().all(|b| b.is_ascii_alphanumeric());
    match built
        .filter(|(_, end)| is_random(end))
        .map(|(name, _)| name)
    {
        Some(name) => FinalName::Other(name),
        None => name_to_come(name).map_or(FinalName::Same, FinalName::Other),
    }
}

/// Whether an error says that the process or the machine has no more files, memory or threads to give, which is
/// nothing that the file it was met at could help.
pub fn is_exhausted(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let all = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN];
    let is_met = |cause: &std::io::Error| match Errno::from_io_error(cause) {
        Some(met) => all.contains(&met),
        // `fs_err` shows the system's error in its text only, at the end.
        None => {
            let said = cause.to_string();
            let number = |errno: &Errno| format!("(os error {})", errno.raw_os_error());
            all.iter().any(|errno| said.ends_with(&number(errno)))
        }
    };
    // Others with a path hold that of the system in the log.
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if found.downcast_ref().is_some_and(is_met) {
            return true;
        }
        cause = found.source();
    }
    false
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

    #[test]
    fn names_that_are_gone_are_told_as_those_to_come() {
        use crate::anchors::stored::{layout, place};
        let used = [place::BUILDING, layout::WRITING, layout::BRINGING];
        assert_eq!([BUILDING, WRITING, BRINGING], used);
        for (hidden, told) in [
            (
                "/s/./.m.asif.building-ixQP76/segments/.writing-hpguhD/.image.vec.tmp-43defaa87f46580e: \
                 No space left on device (os error 28)",
                "/s/m.asif/segments/image.vec: No space left on device (os error 28)",
            ),
            (
                "failed to write to file `/s/.o.html.tmp-Ko44V1amATuC`: no",
                "failed to write to file `/s/o.html`: no",
            ),
            (
                "failed to create file `../.config/./.b/a.png`: no",
                "failed to create file `../.config/.b/a.png`: no",
            ),
            ("/s/.work.tmp was left: it", "/s/.work.tmp was left: it"),
        ] {
            assert_eq!(in_words(hidden), told);
        }
    }

    #[test]
    fn a_process_without_files_is_known_through_errors_that_name_a_path() {
        use std::io::Error;
        #[derive(Debug, thiserror::Error)]
        #[error("failed to open a file")]
        struct FileOpening(#[source] Error);
        let met = || Error::from(rustix::io::Errno::MFILE);
        assert!(is_exhausted(&met()));
        assert!(is_exhausted(&Error::other(FileOpening(met()))));
        // `fs_err` ends with what the system says.
        let missing = fs_err::read("/nowhere/at/all").unwrap_err();
        assert!(missing.to_string().ends_with(')') && missing.to_string().contains("(os error "));
        assert!(rustix::io::Errno::from_io_error(&missing).is_none());
        let said = format!("failed to open file `a.png`: {}", met());
        assert!(is_exhausted(&Error::other(said)));
        let other = Error::from(rustix::io::Errno::NOENT);
        assert!(!is_exhausted(&Error::other(FileOpening(other))));
    }
}
