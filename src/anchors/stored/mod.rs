//! The files of an anchor set, and how they are opened.
//!
//! | file | role |
//! |---|---|
//! | [`layout`] | the names of a set's files and folders |
//! | [`place`] | where a set lies, and what in its folder is its own |
//! | [`manifest`] | what a generation is made of |
//! | [`segment`] | the immutable files of some pairs |
//! | [`records`] | what is known of a pair besides its vectors |
//! | [`products`] | the sums of products of a segment's vectors |
//! | `content` | the files that a segment must have |
//! | `left_out` | the lists of skipped rows |
//! | `sealed_lines` | lines that have checksums |
//! | `takeover` | what a segment that is written again keeps of the old one |
//! | [`plan`] | how a segment is searched, and whether it gets graphs |
//! | [`tombstones`] | which pairs of the segments are removed, as a file |
//! | `rows` | which pairs are live, and their numbers |
//! | [`change_record`] | the record of one change |
//! | [`history`] | the log of changes |
//! | `log` | the lines of the log: checksums, consistency and repair |
//! | [`witness`] | which generation is live, by `CURRENT`, the log and the manifests |
//! | [`publish`] | how a generation goes live, whole or not at all |
//! | [`set`] | an opened set |
//! | `unknown_fields` | what a newer program wrote, and a change by this one would lose |
//! | `newer_program` | sets that a newer program has changed |

pub mod change_record;
pub(crate) mod content;
pub mod history;
pub mod layout;
pub(crate) mod left_out;
pub(crate) mod log;
pub mod manifest;
pub(crate) mod newer_program;
pub mod place;
pub mod plan;
pub mod products;
pub mod publish;
pub mod records;
pub(crate) mod rows;
pub(crate) mod sealed_lines;
pub mod segment;
pub mod set;
pub(crate) mod takeover;
pub mod tombstones;
pub(crate) mod unknown_fields;
pub mod witness;
