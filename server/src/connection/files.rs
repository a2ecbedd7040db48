//! The limit on open files, and how many connections fit into it.

use super::slots;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files reserved for anchor sets, models, uploads and fetched pictures.
const OWN: u64 = 256;

/// Raises the soft limit on open files for `wanted` connections as far as the system allows; returns how
/// many connections fit, at most `wanted`, at least 1.
pub(crate) fn room_for_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let beyond = OWN + (slots::RESERVED + slots::LATE) as u64;
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
    // With a small limit, half of it is for connections.
    let own = beyond.min(have / 2);
    let fits = usize::try_from(have - own)
        .unwrap_or(usize::MAX)
        .clamp(1, wanted);
    if fits < wanted {
        tracing::warn!(
            wanted,
            fits,
            open_files = have,
            "the limit on open files allows fewer connections than configured"
        );
    }
    fits
}
