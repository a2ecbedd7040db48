//! What lies on disk, and how it is opened.
//!
//! | file | role |
//! |---|---|
//! | `layout` | the names of a set's files and folders |
//! | [`place`] | where a set lies, and what in its folder is its own |
//! | [`manifest`] | what a generation is made of |
//! | [`segment`] | the immutable files of some pairs |
//! | [`records`] | what is known of a pair besides its vectors |
//! | [`products`] | the sums of products of a segment's vectors |
//! | `content` | what files a segment must have, and whether they are its own |
//! | `takeover` | what a segment that is written again keeps of the old one |
//! | [`plan`] | how a segment is searched, and whether it gets graphs |
//! | [`tombstones`] | which pairs of the segments are removed, as a file |
//! | `rows` | which pairs are live, and their numbers |
//! | [`history`] | the log of changes |
//! | `log` | the lines of the log: checksums, and what they must tell |
//! | [`witness`] | which generation is live, by `CURRENT`, the log and the manifests |
//! | [`publish`] | how a generation goes live, whole or not at all |
//! | [`set`] | an opened set |

pub(crate) mod content;
pub mod history;
pub(crate) mod log;
pub mod manifest;
pub mod place;
pub mod plan;
pub mod products;
pub mod publish;
pub mod records;
pub(crate) mod rows;
pub mod segment;
pub mod set;
pub(crate) mod takeover;
pub mod tombstones;
pub mod witness;
