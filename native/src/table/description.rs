//! The description of a table: its parts that never change.

use serde::{Deserialize, Serialize};

use super::document::{self, FORMAT};
use super::place::Place;
use crate::error::Result;

/// The most shards of a table.
pub const MOST_SHARDS: u32 = 4096;

/// A table's identity, key, families and shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Description {
    format: u32,
    /// A random number, which every segment has.
    #[serde(with = "document::hex")]
    pub table: u64,
    /// Ids of the key columns, in the order of the key.
    pub key: Vec<u16>,
    /// Groups of columns with sections of their own. All tables have one family.
    pub families: Vec<Family>,
    /// A power of two, at most [`MOST_SHARDS`].
    pub shards: u32,
    /// The seed of the keys' hash.
    #[serde(with = "document::hex")]
    pub seed: u64,
}

/// A group of columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// The family's name.
    pub name: String,
    /// Ids of its columns; an empty list is all that no other family has.
    pub columns: Vec<u16>,
}

impl Description {
    /// A table of one family.
    pub fn new(table: u64, key: Vec<u16>, shards: u32, seed: u64) -> Description {
        let all = Family { name: "rows".to_string(), columns: Vec::new() };
        Description { format: FORMAT, table, key, families: vec![all], shards, seed }
    }

    /// The number of bits that choose a shard.
    pub fn bits(&self) -> u32 {
        self.shards.trailing_zeros()
    }

    /// The text of the file.
    pub fn text(&self, place: &Place) -> Result<String> {
        self.check(place)?;
        document::seal(self, place)
    }

    /// Reads the file.
    pub fn read(bytes: &[u8], place: &Place) -> Result<Description> {
        let description: Description = document::unseal(bytes, place)?;
        description.check(place).map(|()| description)
    }

    fn check(&self, place: &Place) -> Result<()> {
        if !self.shards.is_power_of_two() || self.shards > MOST_SHARDS {
            return Err(place.damaged(format!("{} is no number of shards", self.shards)));
        }
        if self.format != FORMAT || self.families.len() != 1 || self.key.is_empty() {
            return Err(
                place.damaged("it has another format, no key, or another number of families than one")
            );
        }
        Ok(())
    }
}

/// The number of shards for a first version: one for each 64 MB or 500,000 keys, whichever are more.
pub fn shards_for(bytes: u64, keys: u64) -> u32 {
    let wanted = bytes.div_ceil(64_000_000).max(keys.div_ceil(500_000)).max(1);
    wanted.min(u64::from(MOST_SHARDS)).next_power_of_two() as u32
}
