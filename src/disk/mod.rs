//! The file operations of writers: durable, and each a step at which a disk may refuse.
//!
//! Every change of a set, of the installed models and of a file that a command writes goes through
//! here or through the container writer of [`asif_index`]. What stands under a name is never
//! removed or emptied before its successor is durable under that name.
//!
//! | file | what it does |
//! |---|---|
//! | `mod` | folders, small files, lines of a log, removals |
//! | `replace` | a finished file or folder takes the place of another |
//! | `temporary` | files under hidden names until they are whole |
//! | `words` | what the system says of a path, in plain words |
//! | `fault` | a disk that refuses, for tests |

pub(crate) mod fault;
mod replace;
mod temporary;
mod words;

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use fs_err::{File, OpenOptions};

pub use replace::{FileReplacement, check_output, publish_folder, rename_new, replace_file};
pub use temporary::{hidden_prefix, is_unfinished, name_to_come};
pub use words::{in_words, is_exhausted};

/// A prefix of names that no reader opens. What a writer that was killed left under such a name may be
/// removed by the next one, if it is of a form that writers make.
pub const HIDDEN: char = '.';
/// How the name begins that a folder has while it is removed.
pub const REMOVING: &str = ".removing-";
/// How the name begins that a folder has when another takes its own.
pub const REPLACED: &str = ".replaced-";

/// What a path leads to; none where nothing is there.
///
/// # Errors
/// When the file system refuses to say, which does not mean that nothing is there.
pub fn found(path: &Path) -> io::Result<Option<std::fs::Metadata>> {
    or_none(fs_err::metadata(path))
}

/// The same of what has the name itself: of a link, not of what it leads to.
///
/// # Errors
/// As [`found`].
pub fn found_itself(path: &Path) -> io::Result<Option<std::fs::Metadata>> {
    or_none(fs_err::symlink_metadata(path))
}

fn or_none<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if [NotFound, NotADirectory].contains(&error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a regular file is there.
///
/// # Errors
/// As [`found`].
pub fn has_file(path: &Path) -> io::Result<bool> {
    Ok(found(path)?.is_some_and(|found| found.is_file()))
}

/// Whether a folder is there.
///
/// # Errors
/// As [`found`].
pub fn has_folder(path: &Path) -> io::Result<bool> {
    Ok(found(path)?.is_some_and(|found| found.is_dir()))
}

/// Whether an error is the system's refusal, which says nothing of what lies under the path: it is not
/// permitted, there are no more files or memory to give, or the disk cannot read it.
pub fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory, NotADirectory, NotFound, UnexpectedEof};
    let content = [
        NotFound,
        IsADirectory,
        NotADirectory,
        UnexpectedEof,
        InvalidData,
    ];
    !content.contains(&error.kind())
}

/// Announces a step that is taken by other means than this module's.
///
/// # Errors
/// When a test asked for it.
pub fn step(path: &Path) -> io::Result<()> {
    fault::before(fault::Kind::Write, path)
}

/// Makes a folder and those above it, durably.
///
/// # Errors
/// When the file system refuses.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    create_dir_all(parent(path))?;
    fault::before(fault::Kind::Write, path)?;
    match fs_err::create_dir(path) {
        // Somebody else made it in the meantime.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made?,
    }
    sync_folder(parent(path))
}

/// Replaces `path` by `bytes`: hidden file, fsync, rename, fsync of the folder. What a killed writer of
/// it left goes.
///
/// # Errors
/// When the file system refuses; the file is then what it was, or, if only the last fsync failed,
/// the new one.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut file, hidden) = temporary::begin(path)?;
    let written = (|| {
        write(&mut file, &hidden, bytes)?;
        fault::before(fault::Kind::Write, &hidden)?;
        file.sync_all()
    })();
    if let Err(error) = written {
        // Its name says that anyone may remove it; a failure to do so changes nothing.
        let _ = fs_err::remove_file(&hidden);
        return Err(error);
    }
    rename(&hidden, path)?;
    sync_folder(parent(path))
}

/// Appends a line and makes it durable. What stands behind the last line end, left by a writer that
/// was killed, is cut off first.
///
/// # Errors
/// When the file system refuses; the file then ends with a whole line, or with a part of one that
/// the next call cuts off.
pub fn append_line(path: &Path, line: &str) -> io::Result<()> {
    fault::before(fault::Kind::Write, path)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let end = whole_lines(&mut file)?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    write(&mut file, path, format!("{line}\n").as_bytes())?;
    fault::before(fault::Kind::Write, path)?;
    file.sync_all()?;
    // Also where the file was there: the writer that made it may have been killed before its sync.
    sync_folder(parent(path))
}

/// The length of a text file up to and with its last line end.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    const BLOCK: u64 = 4096;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        if let Some(at) = block.iter().rposition(|&b| b == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Gives a file or folder another name, atomically.
///
/// # Errors
/// When the file system refuses.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault::before(fault::Kind::Write, to)?;
    fs_err::rename(from, to)
}

/// Makes the entries of a folder durable.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    fault::before(fault::Kind::Write, folder)?;
    File::open(folder)?.sync_all()
}

/// Makes a folder with all that is in it durable, but for its own name.
///
/// # Errors
/// When something in it cannot be opened or synced.
pub fn sync_tree(folder: &Path) -> io::Result<()> {
    for name in names(folder)? {
        let path = folder.join(name);
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            fault::before(fault::Kind::Write, &path)?;
            File::open(&path)?.sync_all()?;
        }
    }
    sync_folder(folder)
}

/// A second name for a file that is never changed, or a durable copy where links are not possible.
///
/// # Errors
/// When something stands at `to`, or the file system refuses both.
pub fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    fault::before(fault::Kind::Write, to)?;
    match fs_err::hard_link(from, to) {
        Ok(()) => Ok(()),
        // A copy would be written into what stands there, which may be the very same file.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => copy_new(from, to),
    }
}

/// A durable copy of a file where nothing stands yet; its name is durable when the folder is synced.
///
/// # Errors
/// When something stands at `to`, or the file system refuses.
pub fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    fault::before(fault::Kind::Write, to)?;
    let mut source = File::open(from)?;
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).open(to)?;
    io::copy(&mut source, &mut file)?;
    fault::before(fault::Kind::Write, to)?;
    file.sync_all()
}

/// Removes a file; one that is not there is no error.
///
/// # Errors
/// When the file system refuses.
pub fn remove_file(path: &Path) -> io::Result<()> {
    fault::before(fault::Kind::Remove, path)?;
    absent_is_fine(fs_err::remove_file(path))
}

/// Removes a folder that nothing needs any more, with what is in it; one that is not there is no
/// error.
///
/// It gets a hidden name first, so that nobody finds it under its own with half of its files.
///
/// # Errors
/// When the file system refuses.
pub fn remove_dir_all(path: &Path) -> io::Result<()> {
    let hidden = path.with_file_name(hidden_prefix(REMOVING, path, "", 0));
    remove_hidden(&hidden)?;
    fault::before(fault::Kind::Remove, path)?;
    absent_is_fine(fs_err::rename(path, &hidden))?;
    remove_hidden(&hidden)
}

/// Removes a file or folder that has a hidden name; one that is not there is no error.
///
/// # Errors
/// When the file system refuses.
pub fn remove_hidden(path: &Path) -> io::Result<()> {
    // A link is removed itself, not what it leads to.
    let found = match fs_err::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    fault::before(fault::Kind::Remove, path)?;
    match found.is_dir() {
        true => absent_is_fine(fs_err::remove_dir_all(path)),
        false => absent_is_fine(fs_err::remove_file(path)),
    }
}

/// The names in a folder, sorted; none when there is no such folder.
///
/// # Errors
/// When the folder cannot be read.
pub fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Removes what killed writers left in a folder under hidden names of files that `is_own` says it
/// writes there. What else lies there is somebody else's.
///
/// # Errors
/// When the file system refuses.
pub fn sweep_hidden(folder: &Path, is_own: impl Fn(&str) -> bool) -> io::Result<()> {
    for name in names(folder)? {
        if name_to_come(&name).is_some_and(&is_own) {
            remove_hidden(&folder.join(name))?;
        }
    }
    Ok(())
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The folder in which `path` lies: that of a bare name is `.`, where [`Path::parent`] has an empty path.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes all of `bytes` where `file`, which lies at `path`, stands.
///
/// # Errors
/// When the file system refuses; a part may have been written.
pub(crate) fn write(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fault::before_write(file, path, bytes)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
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
            ("encode/registry/install.rs", "fs_err::copy("),
            ("encode/registry/install.rs", "fs_err::create_dir"),
            ("encode/registry/install.rs", "fs_err::write("),
            ("anchors/cache/mod.rs", "fs_err::create_dir"),
            ("serve/uploads.rs", ".persist("),
            ("serve/uploads.rs", "fs_err::remove_"),
        ];
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = std::collections::BTreeSet::new();
        for entry in walkdir::WalkDir::new(&root) {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(&root).unwrap().to_string_lossy();
            if !name.ends_with(".rs") || name.ends_with("tests.rs") || name.starts_with("disk/") {
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
