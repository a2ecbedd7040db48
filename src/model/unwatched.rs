//! Work without an observer.

use crate::embed::WorkControl;
use crate::progress::{CancelToken, NoProgress};

/// Work that nobody watches and nobody stops.
pub(super) fn unwatched<T>(work: impl FnOnce(WorkControl<'_>) -> T) -> T {
    work(WorkControl {
        progress: &NoProgress,
        cancel: &CancelToken::default(),
    })
}
