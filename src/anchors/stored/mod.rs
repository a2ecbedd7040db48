//! The files of an anchor set, and how they are opened.
//!
//! | file | role |
//! |---|---|
//! | [`layout`] | the names of a set's files and folders |
//! | [`place`] | the location of an anchor set, and which files in it belong to it |
//! | [`manifest`] | the content of a generation: segments, encoders, space, counts |
//! | [`segment`] | the immutable files of some pairs |
//! | [`records`] | the record of a pair: id, image, captions, metadata |
//! | `places` | where the images of pairs lie |
//! | `thumbnails` | the small pictures of pairs |
//! | `products` | the sums of products of a segment's vectors |
//! | `content` | the files that a segment must have |
//! | `skipped_rows` | the lists of skipped rows |
//! | `sealed_lines` | lines that have checksums |
//! | `takeover` | what a rewritten segment inherits from the old one |
//! | [`plan`] | how a segment is searched, and whether it gets graphs |
//! | `tombstones` | the file of removed pairs |
//! | `rows` | which pairs are live, and their numbers |
//! | [`change_record`] | the record of one change |
//! | [`history`] | the log of changes |
//! | `log` | the lines of the log: checksums, consistency and repair |
//! | [`witness`] | determines the live generation from `CURRENT`, the log and the manifests |
//! | [`publish`] | atomic publication of a generation |
//! | `set` | an open anchor set |
//! | `unknown_fields` | fields of a newer program, which a change by this one would lose |
//! | `newer_program` | anchor sets that a newer program has changed |

pub mod change_record;
pub(crate) mod content;
pub mod history;
pub mod layout;
pub(crate) mod log;
pub mod manifest;
pub(crate) mod newer_program;
pub mod place;
pub(crate) mod places;
pub mod plan;
pub(crate) mod products;
pub mod publish;
pub mod records;
pub(crate) mod rows;
pub(crate) mod sealed_lines;
pub mod segment;
pub(crate) mod set;
pub(crate) mod skipped_rows;
pub(crate) mod takeover;
pub mod thumbnails;
pub(crate) mod tombstones;
pub(crate) mod unknown_fields;
pub mod witness;
