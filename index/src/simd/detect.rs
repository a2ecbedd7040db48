//! Which of the instruction sets this processor has.

use std::sync::OnceLock;

use super::{Kernels, scalar};

impl Kernels {
    /// The best set that this processor has; looked up once.
    pub fn detect() -> &'static Self {
        static BEST: OnceLock<Kernels> = OnceLock::new();
        BEST.get_or_init(|| *Self::available().last().unwrap_or(&scalar::KERNELS))
    }

    /// The reference.
    pub fn scalar() -> &'static Self {
        &scalar::KERNELS
    }

    /// All sets that this processor has, the reference first and the best last.
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
