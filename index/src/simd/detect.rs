//! Detects the instruction sets of this processor.

use std::sync::OnceLock;

use super::{KernelTable, scalar};

impl KernelTable {
    /// The best instruction set of this processor; detected once.
    pub fn detect() -> &'static Self {
        static BEST: OnceLock<KernelTable> = OnceLock::new();
        BEST.get_or_init(|| *Self::available().last().unwrap_or(&scalar::KERNELS))
    }

    /// The scalar reference.
    pub fn scalar() -> &'static Self {
        &scalar::KERNELS
    }

    /// All instruction sets of this processor, the reference first and the best last.
    pub fn available() -> Vec<Self> {
        #[allow(
            unused_mut,
            clippy::allow_attributes,
            reason = "there may be nothing to add"
        )]
        let mut found = vec![scalar::KERNELS];
        // Miri interprets no vendor intrinsics.
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            found.extend(super::avx2::detect());
            found.extend(super::avx512::detect());
        }
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        found.extend(super::neon::detect());
        found
    }
}
