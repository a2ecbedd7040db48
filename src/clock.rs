//! The current time as text, for any value of the system clock.

use std::time::{Duration, SystemTime};

/// The last second that RFC 3339 can write: 9999-12-31T23:59:59Z.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// The present time, RFC 3339 in UTC to the second.
pub(crate) fn timestamp() -> String {
    rfc3339(now())
}

/// A time, RFC 3339 in UTC to the second. A clock before 1970 or after the year 9999 is written as the
/// nearest time that can be: a machine without a battery must be able to use a set.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or_default().min(LAST);
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string()
}

/// The machine's clock. Builds with debug assertions take `ASIF_TEST_CLOCK`, seconds since 1970, which
/// may be below 0, so that tests can set it.
fn now() -> SystemTime {
    #[cfg(debug_assertions)]
    if let Some(time) = asked() {
        return time;
    }
    SystemTime::now()
}

#[cfg(debug_assertions)]
fn asked() -> Option<SystemTime> {
    let seconds: i64 = std::env::var("ASIF_TEST_CLOCK").ok()?.parse().ok()?;
    let distance = Duration::from_secs(seconds.unsigned_abs());
    match seconds < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(distance),
        false => SystemTime::UNIX_EPOCH.checked_add(distance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_can_be_written() {
        let at = |seconds: i64| {
            let distance = Duration::from_secs(seconds.unsigned_abs());
            rfc3339(match seconds < 0 {
                true => SystemTime::UNIX_EPOCH - distance,
                false => SystemTime::UNIX_EPOCH + distance,
            })
        };
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(1), "1970-01-01T00:00:01Z");
        for before in [-1, -86_400 * 365 * 100] {
            assert_eq!(at(before), "1970-01-01T00:00:00Z");
        }
        for after in [253_402_300_799, 253_402_300_800, 1 << 40] {
            assert_eq!(at(after), "9999-12-31T23:59:59Z");
        }
    }
}
