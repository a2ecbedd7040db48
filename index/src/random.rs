//! Random numbers that never change for a seed, so that published figures can be reproduced.
//!
//! The only generator of the project: its programs, tests and benchmarks all use it.

/// The increment of the state.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A hash of `value`: the first 64 bits of a [`SplitMix64`] with that seed.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        bits
    }

    /// A number below `n`; 0 where `n` is 0. The bias of the multiplication is below `n / 2^64`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Approximately normally distributed, with mean 0 and variance 1: from the sum of six [`Self::unit`].
    pub fn normal(&mut self) -> f32 {
        let sum: f64 = (0..6).map(|_| self.unit()).sum();
        ((sum - 3.0) * std::f64::consts::SQRT_2) as f32
    }

    /// Shuffles a list (Fisher and Yates).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }

    /// The numbers below `n` in a random order.
    pub fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}

/// Samples `want` of the numbers below `n`, ascending; all of them if `want` is `n` or more.
pub fn sample(n: usize, want: usize, seed: u64) -> Vec<usize> {
    if want >= n {
        return (0..n).collect();
    }
    let mut chosen = SplitMix64::new(seed).order(n);
    chosen.truncate(want);
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // First outputs for seed 1234567 of the authors' reference code.
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_sample_has_no_number_twice_and_depends_on_the_seed_only() {
        let drawn = sample(1000, 300, 7);
        assert_eq!(drawn.len(), 300);
        assert!(drawn.is_sorted_by(|a, b| a < b) && drawn[299] < 1000);
        assert_eq!(drawn, sample(1000, 300, 7));
        assert_ne!(drawn, sample(1000, 300, 8));
        assert_eq!(sample(3, 10, 1), [0, 1, 2]);
    }
}
