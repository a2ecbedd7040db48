//! A set of ids as a bitmap.

/// Some of the ids `0..len`, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdSet {
    /// Bits past `len` are zero.
    words: Vec<u64>,
    len: usize,
}

impl IdSet {
    /// The empty set of ids of `0..len`.
    pub fn none(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
            len,
        }
    }

    /// Every id of `0..len`.
    pub fn all(len: usize) -> Self {
        let mut set = Self {
            words: vec![u64::MAX; len.div_ceil(64)],
            len,
        };
        // Bits past the range stay zero: counts and equality look at whole words.
        if !len.is_multiple_of(64)
            && let Some(last) = set.words.last_mut()
        {
            *last = (1 << (len % 64)) - 1;
        }
        set
    }

    /// A set of ids of `0..len` from the words of its bitmap: bit `id % 64` of word `id / 64` for each id.
    ///
    /// `None` unless there are `len.div_ceil(64)` words and all bits past the range are 0.
    pub fn from_words(words: Vec<u64>, len: usize) -> Option<Self> {
        let past = |last: &u64| !len.is_multiple_of(64) && last >> (len % 64) != 0;
        let fits = words.len() == len.div_ceil(64) && !words.last().is_some_and(past);
        fits.then_some(Self { words, len })
    }

    /// The bitmap, as [`Self::from_words`] takes it.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The length of the range of ids, not the number of ids in the set.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the range of ids is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Inserts an id; false if it is past the range.
    pub fn insert(&mut self, id: usize) -> bool {
        // The length in bits is compared, not that of the words, whose last one may reach further.
        if id < self.len {
            self.words[id / 64] |= 1 << (id % 64);
        }
        id < self.len
    }

    /// Removes an id; false if it is past the range.
    pub fn remove(&mut self, id: usize) -> bool {
        if id < self.len {
            self.words[id / 64] &= !(1 << (id % 64));
        }
        id < self.len
    }

    /// Whether an id is in the set; ids past the range are not.
    #[inline(always)]
    pub fn contains(&self, id: usize) -> bool {
        self.words
            .get(id / 64)
            .is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    /// The ids `first..first + len` as a new set, counted from 0, without ids past the range of this one.
    pub fn slice(&self, first: usize, len: usize) -> Self {
        let word = |at: usize| self.words.get(at).copied().unwrap_or(0);
        let (skip, shift) = (first / 64, first % 64);
        let mut out = Self::none(len);
        for (at, slot) in out.words.iter_mut().enumerate() {
            let low = word(skip + at) >> shift;
            // A shift by 64 overflows, and there is nothing to add then.
            let high = if shift == 0 {
                0
            } else {
                word(skip + at + 1) << (64 - shift)
            };
            *slot = low | high;
        }
        // The last word may have taken bits of ids past the slice.
        if !len.is_multiple_of(64)
            && let Some(last) = out.words.last_mut()
        {
            *last &= (1 << (len % 64)) - 1;
        }
        out
    }

    /// The number of ids in the set; reads the whole bitmap.
    pub fn count(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// The ids in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                // Clears the lowest bit that is set.
                rest &= rest - 1;
                Some(at * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set() {
        for len in [0, 1, 63, 64, 65, 200] {
            let mut set = IdSet::none(len);
            assert_eq!((set.count(), set.len()), (0, len));
            let ids: Vec<usize> = (0..len).filter(|i| i % 3 == 0 || i % 64 == 63).collect();
            for &id in &ids {
                assert!(set.insert(id));
            }
            assert!(!set.insert(len) && !set.contains(len) && !set.contains(usize::MAX));
            assert_eq!(set.iter().collect::<Vec<_>>(), ids);
            assert_eq!(set.count(), ids.len());
            for (first, count) in [(0, len), (1, 64), (63, 65), (64, 10), (len, 3), (5, 0)] {
                let expected: Vec<usize> = ids
                    .iter()
                    .filter(|&&id| id >= first && id < first + count)
                    .map(|id| id - first)
                    .collect();
                let slice = set.slice(first, count);
                assert_eq!(
                    slice.iter().collect::<Vec<_>>(),
                    expected,
                    "{len} {first} {count}"
                );
            }
            let words = set.words().to_vec();
            assert_eq!(IdSet::from_words(words.clone(), len), Some(set.clone()));
            assert_eq!(IdSet::from_words(words, len + 64), None);
            if !len.is_multiple_of(64) {
                let past = vec![u64::MAX; len.div_ceil(64)];
                assert_eq!(IdSet::from_words(past, len), None);
            }
            let all = IdSet::all(len);
            assert_eq!(all.iter().collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
            if len > 0 {
                assert!(set.remove(0) && !set.contains(0));
            }
        }
    }
}
