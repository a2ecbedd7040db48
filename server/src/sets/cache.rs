//! Caches with a bounded total weight.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use crate::error::Refusal;

/// Values by key, up to a total weight, with approximate LRU eviction.
///
/// There are two halves: new and requested values go into the young half; when it is full it becomes the old
/// half, and values of the previous old half, which were not requested since, are dropped. Each operation
/// takes constant time.
#[derive(Debug)]
pub(crate) struct WeightedCache<K, V>(Mutex<CacheHalves<K, V>>);

#[derive(Debug)]
struct CacheHalves<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    weight: usize,
    /// The weight of one half.
    room: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> WeightedCache<K, V> {
    /// A cache for values of this total weight.
    pub fn new(weight: usize) -> Self {
        Self(Mutex::new(CacheHalves {
            young: HashMap::new(),
            old: HashMap::new(),
            weight: 0,
            room: (weight / 2).max(1),
        }))
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<V> {
        self.lock().get(key)
    }

    /// Inserts a value. A weight above half of the capacity counts as half of it.
    pub fn put(&self, key: K, value: V, weight: usize) {
        self.lock().put(key, value, weight);
    }

    /// The value of a key; inserts this one if there is none.
    fn get_or_put(&self, key: &K, weight: usize, value: impl FnOnce() -> V) -> V {
        let mut halves = self.lock();
        if let Some(kept) = halves.get(key) {
            return kept;
        }
        let value = value();
        halves.put(key.clone(), value.clone(), weight);
        value
    }

    /// Removes the value of a key if `meant` accepts it.
    fn forget(&self, key: &K, meant: impl Fn(&V) -> bool) {
        let mut halves = self.lock();
        if halves.young.get(key).is_some_and(|(value, _)| meant(value))
            && let Some((_, weight)) = halves.young.remove(key)
        {
            halves.weight -= weight;
        }
        if halves.old.get(key).is_some_and(|(value, _)| meant(value)) {
            halves.old.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, CacheHalves<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone, V: Clone> CacheHalves<K, V> {
    fn get(&mut self, key: &K) -> Option<V> {
        if let Some((value, _)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (value, weight) = self.old.remove(key)?;
        self.put(key.clone(), value.clone(), weight);
        Some(value)
    }

    fn put(&mut self, key: K, value: V, weight: usize) {
        let weight = weight.min(self.room);
        // Rotating the halves evicts in constant time, without a list in order of use.
        if self.weight + weight > self.room {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        if let Some((_, before)) = self.young.insert(key, (value, weight)) {
            self.weight -= before;
        }
        self.weight += weight;
    }
}

/// A cache of values that are expensive to compute: one request computes a value, and others wait for it.
#[derive(Debug)]
pub(crate) struct OnceCache<K, V>(WeightedCache<K, Arc<OnceCell<Arc<V>>>>);

impl<K: Hash + Eq + Clone, V> OnceCache<K, V> {
    /// A cache for values of this total weight.
    pub fn new(weight: usize) -> Self {
        Self(WeightedCache::new(weight))
    }

    /// The value of a key, and whether it was cached.
    ///
    /// If the request that computes it is cancelled, the next waiting one takes over; failures are not cached.
    pub async fn get<F>(
        &self,
        key: &K,
        weight: usize,
        make: impl FnOnce() -> F,
    ) -> Result<(Arc<V>, bool), Refusal>
    where
        F: Future<Output = Result<V, Refusal>>,
    {
        let cell = self.0.get_or_put(key, weight, Arc::default);
        if let Some(value) = cell.get() {
            return Ok((Arc::clone(value), true));
        }
        let made = || async { make().await.map(Arc::new) };
        match cell.get_or_try_init(made).await {
            Ok(value) => Ok((Arc::clone(value), false)),
            Err(refusal) => {
                // Failures must not take space from values. Other waiting requests try again themselves.
                let vain = |kept: &Arc<_>| Arc::ptr_eq(kept, &cell) && !cell.initialized();
                self.0.forget(key, vain);
                Err(refusal)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_weight_is_bounded() {
        let kept: WeightedCache<u32, u32> = WeightedCache::new(20);
        for key in 0..1000 {
            kept.put(key, key, 1);
            assert_eq!(kept.get(&0), Some(0));
        }
        let halves = kept.lock();
        assert!(halves.young.len() + halves.old.len() <= 20);
        drop(halves);
        assert_eq!(kept.get(&999), Some(999));
        assert_eq!(kept.get(&500), None);
        kept.put(7, 7, 1000);
        assert_eq!(
            kept.get(&7),
            Some(7),
            "an overweight value is cached, alone"
        );
        assert_eq!(kept.lock().young.len(), 1);
        kept.put(0, 1, 3);
        assert_eq!(kept.get(&0), Some(1));
    }

    #[tokio::test]
    async fn many_askers_make_a_value_once_and_a_failure_is_made_again() {
        let made = AtomicUsize::new(0);
        let cache: OnceCache<&str, usize> = OnceCache::new(8);
        let ask = || {
            cache.get(&"a", 1, || async {
                tokio::task::yield_now().await;
                Ok(made.fetch_add(1, Ordering::Relaxed))
            })
        };
        let (a, b) = tokio::join!(ask(), ask());
        assert_eq!((*a.unwrap().0, *b.unwrap().0), (0, 0));
        assert_eq!(made.load(Ordering::Relaxed), 1);

        let fails = cache.get(&"b", 1, || async { Err(Refusal::busy("full")) });
        assert!(fails.await.is_err());
        let works = cache.get(&"b", 1, || async { Ok(5) });
        assert_eq!(*works.await.unwrap().0, 5);
    }

    #[tokio::test]
    async fn what_fails_takes_no_place() {
        let cache: OnceCache<u32, u32> = OnceCache::new(4);
        cache.get(&0, 1, || async { Ok(0) }).await.unwrap();
        for key in 1..100 {
            let fails = cache.get(&key, 1, || async { Err(Refusal::busy("full")) });
            assert!(fails.await.is_err());
        }
        let (_, hit) = cache.get(&0, 1, || async { Ok(1) }).await.unwrap();
        assert!(hit, "failures have evicted a value");
        assert_eq!(cache.0.lock().weight, 1);
    }

    #[tokio::test]
    async fn when_the_maker_goes_away_another_makes_it() {
        let cache: OnceCache<&str, u32> = OnceCache::new(8);
        let never = cache.get(&"a", 1, std::future::pending);
        let gone = tokio::time::timeout(std::time::Duration::from_millis(5), never);
        assert!(gone.await.is_err());
        let (value, _) = cache.get(&"a", 1, || async { Ok(3) }).await.unwrap();
        assert_eq!(*value, 3);
    }
}
