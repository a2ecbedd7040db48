//! The memory use of this process, as reported by the kernel.

/// Bytes of memory; zeros if the system does not report them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProcessMemory {
    /// All resident pages, mapped files included (`VmRSS`).
    pub resident: u64,
    /// Of these the process's own: heap and stacks (`RssAnon`). The rest is page cache, which the
    /// system takes back when it needs it.
    pub anonymous: u64,
}

impl ProcessMemory {
    /// Asks the system.
    pub fn now() -> Self {
        Self::parse(&fs_err::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn parse(status: &str) -> Self {
        let bytes = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            kib.unwrap_or(0u64).saturating_mul(1024)
        };
        Self {
            resident: bytes("VmRSS:"),
            anonymous: bytes("RssAnon:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let status = "Name:\ta\nVmRSS:\t  1200 kB\nRssAnon:\t     10 kB\nRssFile:\t 1190 kB\n";
        let expected = ProcessMemory {
            resident: 1200 << 10,
            anonymous: 10 << 10,
        };
        assert_eq!(ProcessMemory::parse(status), expected);
        assert_eq!(
            ProcessMemory::parse("VmRSS: many kB"),
            ProcessMemory::default()
        );
    }
}
