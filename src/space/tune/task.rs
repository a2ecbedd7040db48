//! The two tasks that a space is evaluated on.

use serde::{Serialize, Serializer};

/// One value per task of tuning: retrieval of held-out pairs, and classification of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerTask<T> {
    /// The value for the retrieval of held-out pairs.
    pub pairs: T,
    /// The value for the classification of images.
    pub classes: T,
}

impl<T> PerTask<T> {
    /// Maps each value.
    pub fn map<U>(self, mut turn: impl FnMut(T) -> U) -> PerTask<U> {
        PerTask {
            pairs: turn(self.pairs),
            classes: turn(self.classes),
        }
    }

    /// Pairs each value with that of `other`.
    pub fn zip<U>(self, other: PerTask<U>) -> PerTask<(T, U)> {
        PerTask {
            pairs: (self.pairs, other.pairs),
            classes: (self.classes, other.classes),
        }
    }

    /// References to both.
    pub fn as_ref(&self) -> PerTask<&T> {
        PerTask {
            pairs: &self.pairs,
            classes: &self.classes,
        }
    }
}

impl<T: Serialize> Serialize for PerTask<T> {
    /// As a list, pairs first.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [&self.pairs, &self.classes].serialize(serializer)
    }
}

impl<T> IntoIterator for PerTask<T> {
    type Item = T;
    type IntoIter = std::array::IntoIter<T, 2>;

    fn into_iter(self) -> Self::IntoIter {
        [self.pairs, self.classes].into_iter()
    }
}
