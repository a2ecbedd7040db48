//! Files of named, checksummed, 64-byte aligned sections.
//!
//! ```text
//! ContainerWriter --stream--> .NAME.tmp-RANDOM --fsync, rename--> NAME --map--> Container
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `layout` | constants, header and table entry: bytes to numbers and back |
//! | `reader` | [`Container`]: finds sections in `&[u8]`, verifies checksums |
//! | `medium` | the writer's file operations, and fault injection for tests |
//! | `writer` | [`ContainerWriter`]: streams sections, publishes atomically |
//!
//! The format is specified in `docs/format.md`, section 1.

pub(crate) mod layout;
mod medium;
mod reader;
mod writer;

pub use layout::{ALIGN, HEADER_LEN, MAX_SECTIONS, SectionName, VERSION};
pub use medium::{FileOperation, OperationHook, intercept};
pub use reader::{Container, SectionInfo};
pub use writer::{ContainerSummary, ContainerWriter};
