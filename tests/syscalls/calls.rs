//! The system calls of Linux on x86-64 that change files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::libc::{self, c_long, user_regs_struct};
use nix::unistd::Pid;

/// What a call does below the watched folder, paths relative to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new, empty file.
    Create(PathBuf),
    /// A file has these bytes now.
    Content(PathBuf, Vec<u8>),
    /// A file's bytes or a folder's names are made durable.
    Sync(PathBuf),
    /// A file or folder has another name; what had that name is gone.
    Rename(PathBuf, PathBuf),
    /// Two take each other's names.
    Exchange(PathBuf, PathBuf),
    /// A further name for a file.
    Link(PathBuf, PathBuf),
    /// A file's name goes.
    Unlink(PathBuf),
    /// A new folder.
    MakeFolder(PathBuf),
    /// An empty folder goes.
    RemoveFolder(PathBuf),
}

impl Change {
    /// The path that it is about; of two, the first.
    pub fn path(&self) -> &Path {
        match self {
            Self::Create(p)
            | Self::Content(p, _)
            | Self::Sync(p)
            | Self::Rename(p, _)
            | Self::Exchange(p, _)
            | Self::Link(p, _)
            | Self::Unlink(p)
            | Self::MakeFolder(p)
            | Self::RemoveFolder(p) => p,
        }
    }
}

/// One call that changes files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The system call's name.
    pub name: &'static str,
    /// What it did.
    pub change: Change,
    /// Which of the program's calls it was, counted from 1.
    pub number: usize,
    /// Whether the file system refused it, so that it changed nothing.
    pub failed: bool,
}

impl Call {
    /// The path that it is about; of two, the first.
    pub fn path(&self) -> &Path {
        self.change.path()
    }

    /// Whether it makes something durable.
    pub fn is_sync(&self) -> bool {
        matches!(self.change, Change::Sync(_))
    }

    /// Whether it writes bytes into a file.
    pub fn is_write(&self) -> bool {
        matches!(self.change, Change::Content(..))
    }
}

/// What a thread is about to ask the kernel for.
pub struct Asked {
    pub name: &'static str,
    /// What it will do; a content is read when the call has ended.
    pub change: Change,
    /// Where to read the content from.
    pub content: Option<PathBuf>,
    /// Whether it is a rename that not every file system knows.
    pub flagged: bool,
}

/// Looks at a call that a thread is about to make; none where it changes nothing below `root`.
///
/// # Panics
/// For a call that changes files in a way that is not followed here, which no program of this project
/// may use: maps that write through, `io_uring`, names by symbolic link.
pub fn asked(tid: Pid, regs: &user_regs_struct, root: &Path) -> Option<Asked> {
    let thread = Thread { tid, root };
    let (a, b, c, d, e) = (regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8);
    let cwd = libc::AT_FDCWD as u64;
    let plain = |name, change| {
        Some(Asked {
            name,
            change,
            content: None,
            flagged: false,
        })
    };
    match regs.orig_rax as c_long {
        libc::SYS_open => thread.open("open", cwd, a, b),
        libc::SYS_creat => thread.open("creat", cwd, a, (libc::O_CREAT | libc::O_TRUNC) as u64),
        libc::SYS_openat => thread.open("openat", a, b, c),
        libc::SYS_openat2 => {
            let how = thread.memory(c, 8);
            let flags = u64::from_ne_bytes(how.try_into().unwrap());
            thread.open("openat2", a, b, flags)
        }
        libc::SYS_write => thread.content("write", a),
        libc::SYS_pwrite64 => thread.content("pwrite64", a),
        libc::SYS_writev => thread.content("writev", a),
        libc::SYS_pwritev | libc::SYS_pwritev2 => thread.content("pwritev", a),
        libc::SYS_ftruncate => thread.content("ftruncate", a),
        libc::SYS_fallocate => thread.content("fallocate", a),
        libc::SYS_copy_file_range => thread.content("copy_file_range", c),
        libc::SYS_sendfile => thread.content("sendfile", a),
        libc::SYS_splice => thread.content("splice", c),
        libc::SYS_ioctl if b == libc::FICLONE => thread.content("ioctl", a),
        libc::SYS_truncate => {
            let path = thread.path(cwd, a)?;
            panic!("truncate {} is not followed", path.display());
        }
        libc::SYS_fsync => plain("fsync", Change::Sync(thread.file(a)?)),
        libc::SYS_fdatasync => plain("fdatasync", Change::Sync(thread.file(a)?)),
        libc::SYS_rename => thread.rename("rename", (cwd, a), (cwd, b), 0),
        libc::SYS_renameat => thread.rename("renameat", (a, b), (c, d), 0),
        libc::SYS_renameat2 => thread.rename("renameat2", (a, b), (c, d), e),
        libc::SYS_link => thread.link("link", (cwd, a), (cwd, b)),
        libc::SYS_linkat => thread.link("linkat", (a, b), (c, d)),
        libc::SYS_unlink => plain("unlink", Change::Unlink(thread.path(cwd, a)?)),
        libc::SYS_rmdir => plain("rmdir", Change::RemoveFolder(thread.path(cwd, a)?)),
        libc::SYS_unlinkat => {
            let path = thread.path(a, b)?;
            let change = match c & libc::AT_REMOVEDIR as u64 {
                0 => Change::Unlink(path),
                _ => Change::RemoveFolder(path),
            };
            plain("unlinkat", change)
        }
        libc::SYS_mkdir => plain("mkdir", Change::MakeFolder(thread.path(cwd, a)?)),
        libc::SYS_mkdirat => plain("mkdirat", Change::MakeFolder(thread.path(a, b)?)),
        libc::SYS_symlink => {
            let path = thread.path(cwd, b)?;
            panic!("symlink {} is not followed", path.display());
        }
        libc::SYS_symlinkat => {
            let path = thread.path(b, c)?;
            panic!("symlinkat {} is not followed", path.display());
        }
        libc::SYS_mmap => {
            let shared = d & 3 == libc::MAP_SHARED as u64 || d & 3 == 3;
            let writes = c & libc::PROT_WRITE as u64 != 0;
            if shared && writes && d & libc::MAP_ANONYMOUS as u64 == 0 {
                let path = thread.file(e);
                assert!(path.is_none(), "{path:?} is mapped to be written through");
            }
            None
        }
        libc::SYS_io_uring_setup => panic!("io_uring is not followed"),
        _ => None,
    }
}

/// The call and the path, where a thread is about to look at a file or folder below `root`: to open it,
/// read it, map it, or ask what it is.
pub fn looks_at(tid: Pid, regs: &user_regs_struct, root: &Path) -> Option<(&'static str, PathBuf)> {
    let thread = Thread { tid, root };
    let (a, b, d, e) = (regs.rdi, regs.rsi, regs.r10, regs.r8);
    let cwd = libc::AT_FDCWD as u64;
    let (name, path) = match regs.orig_rax as c_long {
        libc::SYS_open => ("open", thread.path(cwd, a)),
        libc::SYS_openat => ("openat", thread.path(a, b)),
        libc::SYS_stat => ("stat", thread.path(cwd, a)),
        libc::SYS_lstat => ("lstat", thread.path(cwd, a)),
        libc::SYS_newfstatat | libc::SYS_statx if thread.text(b).is_empty() => {
            ("fstat", thread.file(a))
        }
        libc::SYS_newfstatat | libc::SYS_statx => ("statx", thread.path(a, b)),
        libc::SYS_fstat => ("fstat", thread.file(a)),
        libc::SYS_read => ("read", thread.file(a)),
        libc::SYS_pread64 => ("pread64", thread.file(a)),
        libc::SYS_getdents64 => ("getdents64", thread.file(a)),
        libc::SYS_mmap if d & libc::MAP_ANONYMOUS as u64 == 0 => ("mmap", thread.file(e)),
        _ => return None,
    };
    Some((name, path?))
}

struct Thread<'a> {
    tid: Pid,
    root: &'a Path,
}

impl Thread<'_> {
    fn open(&self, name: &'static str, at: u64, path: u64, flags: u64) -> Option<Asked> {
        let flags = flags as i32;
        if flags & (libc::O_CREAT | libc::O_TRUNC) == 0 {
            return None;
        }
        let path = self.path(at, path)?;
        assert!(
            flags & libc::O_TMPFILE != libc::O_TMPFILE,
            "a file without a name"
        );
        let whole = self.root.join(&path);
        let change = match (whole.exists(), flags & libc::O_TRUNC != 0) {
            (false, _) => Change::Create(path),
            (true, true) => Change::Content(path, Vec::new()),
            (true, false) => return None,
        };
        Some(Asked {
            name,
            change,
            content: None,
            flagged: false,
        })
    }

    fn content(&self, name: &'static str, fd: u64) -> Option<Asked> {
        let path = self.file(fd)?;
        Some(Asked {
            name,
            change: Change::Content(path, Vec::new()),
            content: Some(self.descriptor(fd)),
            flagged: false,
        })
    }

    fn rename(
        &self,
        name: &'static str,
        from: (u64, u64),
        to: (u64, u64),
        flags: u64,
    ) -> Option<Asked> {
        let (from, to) = (self.path(from.0, from.1), self.path(to.0, to.1));
        let (from, to) = match (from, to) {
            (None, None) => return None,
            (Some(from), Some(to)) => (from, to),
            crossed => panic!("a rename across the watched folder's border: {crossed:?}"),
        };
        let change = match flags as u32 & libc::RENAME_EXCHANGE {
            0 => Change::Rename(from, to),
            _ => Change::Exchange(from, to),
        };
        Some(Asked {
            name,
            change,
            content: None,
            flagged: flags != 0,
        })
    }

    fn link(&self, name: &'static str, from: (u64, u64), to: (u64, u64)) -> Option<Asked> {
        let to = self.path(to.0, to.1)?;
        let from = self.path(from.0, from.1);
        let from = from.expect("a link to what is in the watched folder");
        Some(Asked {
            name,
            change: Change::Link(from, to),
            content: None,
            flagged: false,
        })
    }

    fn descriptor(&self, fd: u64) -> PathBuf {
        format!("/proc/{}/fd/{}", self.tid, fd as i32).into()
    }

    /// What a descriptor leads to, if that has a name below the root.
    fn file(&self, fd: u64) -> Option<PathBuf> {
        let path = fs_err::read_link(self.descriptor(fd)).ok()?;
        let deleted = path.as_os_str().as_bytes().ends_with(b" (deleted)");
        let below = path.strip_prefix(self.root).ok()?;
        (!deleted).then(|| below.to_owned())
    }

    /// The path at an address, if it lies below the root.
    fn path(&self, at: u64, address: u64) -> Option<PathBuf> {
        let text = self.text(address);
        let mut path = PathBuf::from(OsStr::from_bytes(&text));
        if path.is_relative() {
            let folder = match at as i32 {
                libc::AT_FDCWD => format!("/proc/{}/cwd", self.tid).into(),
                _ => self.descriptor(at),
            };
            path = fs_err::read_link(folder).ok()?.join(path);
        }
        // What the call is about need not be there yet; what it lies in is.
        let parent = fs_err::canonicalize(path.parent()?).ok()?;
        let path = parent.join(path.file_name()?);
        path.strip_prefix(self.root).ok().map(Path::to_owned)
    }

    fn text(&self, address: u64) -> Vec<u8> {
        let memory = fs_err::File::open(format!("/proc/{}/mem", self.tid)).unwrap();
        let mut text = Vec::new();
        while !text.contains(&0) {
            // To the end of a page, because the next may not be there.
            let at = address + text.len() as u64;
            let mut block = vec![0; (4096 - at % 4096) as usize];
            let read = memory.file().read_at(&mut block, at).unwrap();
            assert!(read > 0, "a path that ends nowhere");
            text.extend(&block[..read]);
        }
        text.truncate(text.iter().position(|&b| b == 0).unwrap());
        text
    }

    fn memory(&self, address: u64, len: usize) -> Vec<u8> {
        let memory = fs_err::File::open(format!("/proc/{}/mem", self.tid)).unwrap();
        let mut bytes = vec![0; len];
        memory.file().read_exact_at(&mut bytes, address).unwrap();
        bytes
    }
}
