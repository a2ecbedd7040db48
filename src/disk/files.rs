//! Folders, small files, lines of a log, removals.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use fs_err::{File, OpenOptions};

use super::fault;

/// A prefix of names that no reader opens. Leftovers of a killed writer under such a name may be
/// removed by the next one, if the name has a form that writers generate.
pub const HIDDEN: char = '.';
/// Prefix of the name of a folder while it is removed.
pub const REMOVING: &str = ".removing-";
/// Prefix of the name of a folder that another one has replaced.
pub const REPLACED: &str = ".replaced-";

/// The most bytes that file systems take as a name.
const NAME_BYTES: usize = 255;

/// `begin`, the name of `path` and `end`, with as much of the name as leaves room for `more` bytes.
pub fn hidden_prefix(begin: &str, path: &Path, end: &str, more: usize) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let room = NAME_BYTES.saturating_sub(begin.len() + end.len() + more);
    let kept = name.floor_char_boundary(room);
    format!("{begin}{}{end}", &name[..kept])
}

/// The metadata of what a path resolves to; `None` where nothing is there.
///
/// # Errors
/// When the metadata cannot be read, which does not mean that nothing is there.
pub fn found(path: &Path) -> io::Result<Option<std::fs::Metadata>> {
    or_none(fs_err::metadata(path))
}

/// As [`found`], without following a link.
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

/// Whether an error says that a link leads to itself.
pub fn is_link_loop(error: &io::Error) -> bool {
    // The kind has no stable name.
    error.kind() == io::Error::from(rustix::io::Errno::LOOP).kind()
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

/// Whether an error is a refusal of the operating system, which says nothing about the path's content: it is
/// not permitted, there are no more files or memory to give, or the disk cannot read it.
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

/// Announces a step that is performed outside this module.
///
/// # Errors
/// When a test asked for it.
pub fn step(path: &Path) -> io::Result<()> {
    fault::before(fault::StepKind::Write, path)
}

/// Makes a folder and those above it, durably.
///
/// # Errors
/// On an I/O error.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    // Parents first, each synced: a durable folder in one that is not would vanish with it.
    create_dir_all(parent(path))?;
    fault::before(fault::StepKind::Write, path)?;
    match fs_err::create_dir(path) {
        // Another process created it in the meantime.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made?,
    }
    sync_folder(parent(path))
}

/// Appends a line and syncs it. Anything after the last line end, left by a writer that
/// was killed, is cut off first.
///
/// # Errors
/// On an I/O error; the file then ends with a whole line, or with a partial one that
/// the next call cuts off.
pub fn append_line(path: &Path, line: &str) -> io::Result<()> {
    fault::before(fault::StepKind::Write, path)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let end = whole_lines(&mut file)?;
    // A torn line would otherwise join with this one, and both would be lost.
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    write(&mut file, path, format!("{line}\n").as_bytes())?;
    fault::before(fault::StepKind::Write, path)?;
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

/// Renames a file or folder, atomically.
///
/// # Errors
/// On an I/O error.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault::before(fault::StepKind::Write, to)?;
    fs_err::rename(from, to)
}

/// Syncs the entries of a folder.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    fault::before(fault::StepKind::Write, folder)?;
    File::open(folder)?.sync_all()
}

/// Syncs a folder with all its content, but not its own name.
///
/// # Errors
/// When something in it cannot be opened or synced.
pub fn sync_tree(folder: &Path) -> io::Result<()> {
    for name in names(folder)? {
        let path = folder.join(name);
        if has_folder(&path)? {
            sync_tree(&path)?;
        } else {
            fault::before(fault::StepKind::Write, &path)?;
            File::open(&path)?.sync_all()?;
        }
    }
    sync_folder(folder)
}

/// Hard-links an immutable file, or copies it durably where links are not possible.
///
/// # Errors
/// When `to` exists, or both operations fail.
pub fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    fault::before(fault::StepKind::Write, to)?;
    // A link costs no space and no time, and shared files are never changed, only replaced.
    match fs_err::hard_link(from, to) {
        Ok(()) => Ok(()),
        // A copy would overwrite the existing file, which may be the source itself.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => copy_new(from, to),
    }
}

/// Copies a file durably to a path that does not exist; its name is durable once the folder is synced.
///
/// # Errors
/// When `to` exists, or on an I/O error.
pub fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    fault::before(fault::StepKind::Write, to)?;
    let mut source = File::open(from)?;
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).open(to)?;
    io::copy(&mut source, &mut file)?;
    fault::before(fault::StepKind::Write, to)?;
    file.sync_all()
}

/// Removes a file; a missing file is not an error.
///
/// # Errors
/// On an I/O error.
pub fn remove_file(path: &Path) -> io::Result<()> {
    fault::before(fault::StepKind::Remove, path)?;
    absent_is_fine(fs_err::remove_file(path))
}

/// Removes an unused folder with its content; a missing folder is not an
/// error.
///
/// It is renamed to a hidden name first, so that it is never visible half removed.
///
/// # Errors
/// On an I/O error.
pub fn remove_dir_all(path: &Path) -> io::Result<()> {
    let hidden = path.with_file_name(hidden_prefix(REMOVING, path, "", 0));
    remove_hidden(&hidden)?;
    fault::before(fault::StepKind::Remove, path)?;
    absent_is_fine(fs_err::rename(path, &hidden))?;
    remove_hidden(&hidden)
}

/// Removes a file or folder with a hidden name; a missing one is not an error.
///
/// # Errors
/// On an I/O error.
pub fn remove_hidden(path: &Path) -> io::Result<()> {
    // A link is removed itself, not what it leads to.
    let found = match fs_err::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    fault::before(fault::StepKind::Remove, path)?;
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

/// Writes all of `bytes` at the position of `file`, which is the file at `path`.
///
/// # Errors
/// On an I/O error; a part may have been written.
pub(crate) fn write(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fault::before_write(file, path, bytes)?;
    file.write_all(bytes)
}
