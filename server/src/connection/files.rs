//! How many connections the process may have open.

use super::places;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are kept for sets, models, uploads and fetched pictures.
const OWN: u64 = 256;

/// Raises the soft limit on open files as far as `wanted` connections need and the system lets it;
/// gives how many connections fit, at most `wanted`, at least 1.
pub(crate) fn room_for_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let beyond = OWN + (places::RESERVED + places::LATE) as u64;
    let needed = (wanted as u64).saturating_add(beyond);
    let soft = limit.current.unwrap_or(u64::MAX);
    if soft >= needed {
        return wanted;
    }
    let raised = limit
        .maximum
        .map_or(needed, |hard| hard.min(needed))
        .max(soft);
    let new = Rlimit {
        current: Some(raised),
        maximum: limit.maximum,
    };
    let have = match setrlimit(Resource::Nofile, new) {
        Ok(()) => raised,
        Err(_) => soft,
    };
    // Of a small limit half is for connections.
    let own = beyond.min(have / 2);
    let fits = usize::try_from(have - own)
        .unwrap_or(usize::MAX)
        .clamp(1, wanted);
    if fits < wanted {
        tracing::warn!(
            wanted,
            fits,
            open_files = have,
            "fewer connections than are wanted fit into the limit on open files"
        );
    }
    fits
}
