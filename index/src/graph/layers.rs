//! A graph in memory, and what makes one.

use super::NIL;
use crate::error::Result;
use crate::vectors::VectorSet;

/// A layered graph over the rows of a set.
///
/// Layer 0 holds every row; each layer above holds some of the one below.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Layers {
    /// From layer 0 upwards.
    pub layers: Vec<Layer>,
    /// Where a search begins: a position in the top layer.
    pub entry: u32,
    /// The rows in an order in which near ones are close; empty for their own order.
    pub order: Vec<u32>,
}

impl Layers {
    /// An order for `n` rows: this one, then the rows that it does not name.
    pub(super) fn order_for(&self, n: usize) -> Vec<u32> {
        let old = self.order.len() as u32;
        if old == 0 {
            return Vec::new();
        }
        self.order.iter().copied().chain(old..n as u32).collect()
    }
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layer {
    /// The rows of the set that it holds, ascending.
    pub rows: Vec<u32>,
    /// Links `[rows.len(), width]`: positions in `rows`, filled up with [`NIL`].
    pub links: Vec<u32>,
    /// Places for links a node has.
    pub width: usize,
}

impl Layer {
    /// The links of one position.
    pub fn links_of(&self, position: usize) -> &[u32] {
        let links = &self.links[position * self.width..][..self.width];
        &links[..links.iter().position(|&x| x == NIL).unwrap_or(links.len())]
    }
}

/// A way to build a graph.
pub trait Build {
    /// Its name, for reports.
    fn name(&self) -> &'static str;

    /// Builds a graph over all rows of `set`.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) when the builder's options make no sense.
    fn build(&self, set: &VectorSet) -> Result<Layers>;
}
