//! Classifies resource errors of ONNX Runtime and its loader by their messages: their errors hold text
//! only.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// The process lacks a resource for loading a file; the source is the system's error.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}{}", .path.display(), more(source))]
struct ResourceExhausted {
    path: PathBuf,
    source: io::Error,
}

/// For files and threads the text of the system's error says which limit to raise.
fn more(source: &io::Error) -> &'static str {
    match Errno::from_io_error(source) {
        Some(Errno::NOMEM) => {
            "; too little memory for ONNX Runtime: give the process more (`ulimit -v`, a container's limit)"
        }
        _ => "",
    }
}

/// The error of a process without enough files, threads or memory for the file at `path`, which is not at
/// fault; `None` for any other message.
pub(super) fn lacking(path: &Path, said: &str) -> Option<io::Error> {
    let source = io::Error::from(errno_of(said)?);
    let path = path.to_owned();
    Some(io::Error::other(ResourceExhausted { path, source }))
}

fn errno_of(said: &str) -> Option<Errno> {
    let numbered = [
        (Errno::MFILE, "system error number "),
        (Errno::NFILE, "system error number "),
        (Errno::NOMEM, "system error number "),
        (Errno::AGAIN, "pthread_create failed, error code: "),
        (Errno::NOMEM, "pthread_create failed, error code: "),
    ];
    let is_number = |(errno, before): &(Errno, &str)| {
        let rest = said.split_once(before).map_or("", |(_, rest)| rest);
        let number = rest.split(|c: char| !c.is_ascii_digit()).next();
        number.and_then(|number| number.parse().ok()) == Some(errno.raw_os_error())
    };
    if let Some((errno, _)) = numbered.iter().find(|case| is_number(case)) {
        return Some(*errno);
    }
    let lower = said.to_ascii_lowercase();
    // A file system mounted noexec fails the same step.
    let may_not = ["not permitted", "permission denied"]
        .iter()
        .any(|refusal| lower.contains(refusal));
    let is_unmapped = lower.contains("failed to map segment") && !may_not;
    // Static TLS space is separate; more memory does not help.
    let is_memory = lower.contains("cannot allocate memory") && !lower.contains("static tls");
    if lower.contains("too many open files in system") {
        Some(Errno::NFILE)
    } else if lower.contains("too many open files") {
        Some(Errno::MFILE)
    } else if is_unmapped || is_memory || lower.contains("bad_alloc") {
        Some(Errno::NOMEM)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_loader_says_of_a_process_at_its_limits_is_not_the_librarys_fault() {
        let path = Path::new("lib.so");
        for said in [
            "lib.so: cannot open shared object file: Too many open files",
            "lib.so: cannot open shared object file: Too many open files in system",
            "lib.so: failed to map segment from shared object",
            "lib.so: failed to map segment from shared object: Cannot allocate memory",
            "lib.so: cannot create shared object descriptor: Cannot allocate memory",
        ] {
            let error = lacking(path, said);
            assert!(
                error.is_some_and(|error| crate::disk::is_exhausted(&error)),
                "{said}"
            );
        }
        for said in [
            "lib.so: invalid ELF header",
            "lib.so: failed to map segment from shared object: Operation not permitted",
            "lib.so: cannot allocate memory in static TLS block",
            "Load model failed:system error number 121",
        ] {
            assert!(lacking(path, said).is_none(), "{said}");
        }
    }
}
