//! A graph in memory, and what makes one.

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

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layer {
    /// The rows of the set that it holds, ascending.
    pub rows: Vec<u32>,
    /// Links `[rows.len(), width]`: positions in `rows`, filled up with [`NIL`](super::NIL).
    pub links: Vec<u32>,
    /// Places for links a node has.
    pub width: usize,
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
