//! A beam search through a graph that is being built.

use std::collections::BinaryHeap;

use super::cosine::Cosine;
use super::layers::Layer;
use crate::search::top_k::{TopK, id_of, key_of};

/// A layer whose links are rows of the set, and what measures them.
pub(super) struct Place<'a> {
    pub cosine: &'a Cosine<'a>,
    pub layer: &'a Layer,
    /// Whether the layer holds all rows from 0 on: then a row is its own position.
    pub whole: bool,
}

/// What a search writes to; used again for the next.
#[derive(Default)]
pub(super) struct Beam {
    /// One bit a row: whether it was met.
    met: Vec<u64>,
    /// The rows met: what is to be cleared.
    trail: Vec<u32>,
    open: BinaryHeap<u64>,
    new: Vec<u32>,
    products: Vec<i32>,
}

impl Beam {
    /// Keys of the `ef` rows nearest to `row` that a walk from `starts` meets, best first.
    pub fn search(&mut self, place: &Place<'_>, row: u32, starts: &[u64], ef: usize) -> Vec<u64> {
        self.met.resize(place.cosine.len().div_ceil(64), 0);
        for row in self.trail.drain(..) {
            self.met[row as usize / 64] = 0;
        }
        self.open.clear();
        let mut top = TopK::tight(ef);
        for &key in starts {
            if self.meet(id_of(key)) {
                self.open.push(key);
                top.push_key(key);
            }
        }
        while let Some(key) = self.open.pop() {
            if key < top.floor() {
                break;
            }
            let node = id_of(key);
            let position = if place.whole {
                node as usize
            } else {
                match place.layer.rows.binary_search(&node) {
                    Ok(position) => position,
                    Err(_) => continue,
                }
            };
            self.new.clear();
            for &next in place.layer.links_of(position) {
                if self.meet(next) {
                    self.new.push(next);
                }
            }
            place.cosine.products(row, &self.new, &mut self.products);
            for (&next, &product) in self.new.iter().zip(&self.products) {
                let key = key_of(place.cosine.of(row, next, product), next);
                if key > top.floor() {
                    self.open.push(key);
                    top.push_key(key);
                }
            }
        }
        top.into_keys()
    }

    /// Marks a row; whether it is met for the first time.
    #[inline(always)]
    fn meet(&mut self, row: u32) -> bool {
        let (word, bit) = (&mut self.met[row as usize / 64], 1 << (row % 64));
        let first = *word & bit == 0;
        if first {
            *word |= bit;
            self.trail.push(row);
        }
        first
    }
}
