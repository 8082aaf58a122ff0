//! Versioned tables: rows by key, in versions that share the records that did not change.
//!
//! | module | content |
//! |---|---|
//! | `types`, `column`, `schema`, `value` | columns, and values outside records |
//! | `key`, `layout`, `packed`, `nested`, `codec` | records, to the byte |
//! | `segment`, `description`, `manifest`, `document` | the files of a table |
//! | `records`, `stream`, `scan`, `delta` | reading of sections, rows of a version, comparison with a parent |
//! | `slot`, `shard`, `side`, `plan`, `index`, `batch` | the index of all versions of a line, and lookups in it |
//! | `line` | a line in memory: files, addresses, index |
//! | `publish` | the documents and segments of a new version |
//! | `memory` | memory of the index, and the addresses of segments |
//! | `place`, `why` | the errors of damaged and impossible parts |
//!
//! Files, rows, index and the rules of readers are defined in docs/internals/tables.md.

mod batch;
mod codec;
mod column;
mod delta;
mod description;
mod document;
mod index;
mod key;
mod layout;
mod line;
mod little;
mod manifest;
mod memory;
mod nested;
mod packed;
mod place;
mod plan;
mod publish;
mod records;
mod scan;
mod schema;
mod segment;
mod shard;
mod side;
mod slot;
mod stream;
mod types;
mod value;
mod why;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use batch::{find_all, Lookup};
pub use codec::Codec;
pub use column::Column;
pub use delta::{ShardDelta, ShardRows};
pub use description::{shards_for, Description, Family, MOST_SHARDS};
pub use index::{IndexLease, Shards, TableIndex};
pub use key::{shard, KeyHash, KeyShape, LONGEST_KEY};
pub use layout::Layout;
pub use line::{index_estimate, LineFile, LineView, MappedLine};
pub use manifest::{Manifest, ManifestFile};
#[cfg(all(target_os = "linux", not(miri)))]
pub use memory::AddressSpace;
pub use packed::Packed;
pub use place::Place;
pub use publish::{complete, draft, new_table, schema_of, NewColumn, NewVersion, PartWriter, WrittenPart};
pub use records::{FileRecords, MemoryRecords, Records};
pub use scan::Scan;
pub use schema::{Schema, DELETED};
pub use segment::{read_directory, Section, SectionBytes, SectionKind, SegmentWriter, WrittenSegment};
pub use shard::ShardIndex;
pub use slot::{ADDRESSES, MOST_VERSIONS};
pub use stream::PlacedSection;
pub use types::{Field, Type};
pub use value::Value;
