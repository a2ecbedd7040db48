//! A graph in memory, and the trait of its builders.

use crate::error::Result;
use crate::vectors::VectorSet;

/// A layered graph over the rows of a set.
///
/// Layer 0 holds every row; each layer above holds some of the one below.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GraphLayers {
    /// From layer 0 upwards.
    pub layers: Vec<GraphLayer>,
    /// Where a search begins: a position in the top layer.
    pub entry: u32,
    /// A permutation of the rows that places near ones close together; empty for the identity.
    pub order: Vec<u32>,
}

/// One layer of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GraphLayer {
    /// The rows of the set that it holds, ascending.
    pub rows: Vec<u32>,
    /// Links `[rows.len(), width]`: positions in `rows`, padded with [`NIL`](super::NIL).
    pub links: Vec<u32>,
    /// The number of link slots of a node.
    pub width: usize,
}

/// A builder of graphs.
pub trait GraphBuilder {
    /// Its name, for reports.
    fn name(&self) -> &'static str;

    /// Builds a graph over all rows of `set`.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) when the builder's options are invalid.
    fn build(&self, set: &VectorSet) -> Result<GraphLayers>;
}
