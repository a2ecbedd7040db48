//! Stop signals.

use tokio::signal::unix::{SignalKind, signal};

/// Handles SIGTERM, SIGINT and SIGHUP; the future completes when one of them is received. SIGHUP is sent when
/// the terminal is closed, and stays ignored if it was ignored at the start (`nohup`).
///
/// # Errors
/// When a handler cannot be installed.
pub(crate) fn signals() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = match is_hangup_ignored() {
        true => None,
        false => Some(signal(SignalKind::hangup())?),
    };
    Ok(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hung_up => {}
        }
    })
}

/// Whether SIGHUP was ignored when the program started; false if the system does not report it.
fn is_hangup_ignored() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hangup(&status)
}

/// The same for the text of `/proc/PID/status`: the lowest bit is that of signal 1.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_hangup_is_told_by_the_lowest_bit() {
        let status = |mask: &str| format!("Name:\tasif\nSigIgn:\t{mask}\nSigCgt:\t1\n");
        assert!(ignores_hangup(&status("0000000000001001")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup("nothing"));
    }
}
