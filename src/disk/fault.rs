//! Fault injection: the n-th disk operation fails.
//!
//! In builds with debug assertions the environment variable `ASIF_TEST_FAIL` holds `MODE:N`; the
//! N-th step of the process, counted from 1, then
//!
//! | mode | what happens |
//! |---|---|
//! | `error` | it fails as if the disk were full; later steps succeed |
//! | `full` | it and every later step that writes fail |
//! | `abort` | the process ends before it, as if killed |
//! | `torn` | the N-th write of bytes puts half of them down, then the process ends |
//!
//! A step is one creation, write, fsync, rename, fsync of a folder or removal, whether
//! [`crate::disk`] does it or the container writer of [`asif_index`], which calls back for each
//! (`asif_index::container::intercept`). Release builds contain no such hook and read no variable.

/// Whether a step needs disk space.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum StepKind {
    /// It does, so it fails on a full disk.
    Write,
    /// It frees space.
    Remove,
}

pub(crate) use imp::{arm, before, before_write};

#[cfg(debug_assertions)]
mod imp {
    use std::io::{self, Write};
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Once, OnceLock};

    use asif_index::container::{FileOperation, intercept};

    use super::StepKind;

    #[derive(Clone, Copy, PartialEq)]
    enum FaultMode {
        Error,
        Full,
        Abort,
        Torn,
    }

    fn asked() -> Option<(FaultMode, u64)> {
        static ASKED: OnceLock<Option<(FaultMode, u64)>> = OnceLock::new();
        *ASKED.get_or_init(|| {
            let text = std::env::var("ASIF_TEST_FAIL").ok()?;
            let (mode, at) = text.split_once(':')?;
            let mode = match mode {
                "error" => FaultMode::Error,
                "full" => FaultMode::Full,
                "abort" => FaultMode::Abort,
                "torn" => FaultMode::Torn,
                _ => return None,
            };
            Some((mode, at.parse().ok()?))
        })
    }

    /// Records that the requested fault was injected, for the test.
    fn failing(path: &Path) {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            if let Some(file) = std::env::var_os("ASIF_TEST_FAILED") {
                // A failure here is ignored: without the file the test fails anyway.
                let _ = fs_err::write(file, path.display().to_string());
            }
        });
    }

    /// The number of the step that begins.
    fn count() -> u64 {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        COUNT.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts the steps of container writers as well.
    pub(crate) fn arm() {
        if asked().is_some() {
            intercept(|operation, path| match operation {
                FileOperation::Write { file, bytes } => before_write(file, path, bytes),
                FileOperation::Remove => before(StepKind::Remove, path),
                _ => before(StepKind::Write, path),
            });
        }
    }

    /// A step other than a write of bytes.
    pub(crate) fn before(kind: StepKind, path: &Path) -> io::Result<()> {
        let Some((mode, at)) = asked() else {
            return Ok(());
        };
        // Torn writes are counted apart, so that N means the N-th write of bytes.
        if mode == FaultMode::Torn {
            return Ok(());
        }
        let now = count();
        let fails = match mode {
            FaultMode::Error => now == at,
            // A full disk still lets files be removed.
            FaultMode::Full => now >= at && kind == StepKind::Write,
            FaultMode::Abort if now == at => {
                failing(path);
                std::process::abort()
            }
            FaultMode::Abort | FaultMode::Torn => false,
        };
        if fails {
            failing(path);
            let what = format!("{}: no space left (a test asked for it)", path.display());
            return Err(io::Error::new(io::ErrorKind::StorageFull, what));
        }
        Ok(())
    }

    /// A write of bytes, which may be torn.
    pub(crate) fn before_write(file: &mut dyn Write, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match asked() {
            Some((FaultMode::Torn, at)) => {
                if count() == at {
                    failing(path);
                    file.write_all(&bytes[..bytes.len() / 2])?;
                    std::process::abort();
                }
                Ok(())
            }
            _ => before(StepKind::Write, path),
        }
    }
}

#[cfg(not(debug_assertions))]
mod imp {
    use std::io::{self, Write};
    use std::path::Path;

    use super::StepKind;

    #[inline(always)]
    pub(crate) fn arm() {}

    #[inline(always)]
    pub(crate) fn before(_kind: StepKind, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn before_write(
        _file: &mut dyn Write,
        _path: &Path,
        _bytes: &[u8],
    ) -> io::Result<()> {
        Ok(())
    }
}
