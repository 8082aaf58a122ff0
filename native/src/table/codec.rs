//! The rows of a table: keys, values, and the records that have them.

use std::collections::BTreeMap;

use super::key::{KeyHash, KeyShape};
use super::layout::{Layout, Spot};
use super::packed::{self, Packed};
use super::place::Place;
use super::schema::Schema;
use super::value::Value;
use super::why::{refused, Why};
use crate::error::Result;

/// Packs and reads the records of a table, of every schema that its versions have.
#[derive(Debug, Clone)]
pub struct Codec {
    key: KeyShape,
    key_ids: Vec<u16>,
    hash: KeyHash,
    layouts: BTreeMap<u16, Layout>,
    /// The schema of new rows.
    newest: u16,
}

impl Codec {
    /// The codec for a key, a seed, and schemas of which the last one is that of new rows.
    pub fn new(key: &[u16], seed: u64, schemas: &[Schema]) -> Result<Codec> {
        let last = schemas.last().ok_or_else(|| refused("a table has at least one schema"))?;
        for schema in schemas {
            schema.check(key)?;
        }
        let shape = KeyShape::new(&last.key(key))?;
        let layouts = schemas.iter().map(|schema| (schema.id, Layout::new(schema, key)));
        Ok(Codec {
            hash: shape.hash(seed),
            key: shape,
            key_ids: key.to_vec(),
            layouts: layouts.collect(),
            newest: last.id,
        })
    }

    /// The hash of keys.
    pub fn hash(&self) -> KeyHash {
        self.hash
    }

    /// The ids of the key columns.
    pub fn key_ids(&self) -> &[u16] {
        &self.key_ids
    }

    /// The bytes of a key.
    pub fn key(&self, values: &[Value], place: &Place) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.key.encode(values, &mut bytes).map_err(|why| place.refused(why))?;
        Ok(bytes)
    }

    /// Appends the record of a row: the key's values, and the others in the order of the newest schema.
    pub fn row(&self, key: &[Value], values: &[Value], into: &mut Vec<u8>, place: &Place) -> Result<()> {
        let start = into.len();
        let done = self.try_row(key, values, into);
        done.map_err(|why| {
            into.truncate(start);
            place.refused(why)
        })
    }

    fn try_row(&self, key: &[Value], values: &[Value], into: &mut Vec<u8>) -> std::result::Result<(), Why> {
        let layout = self.layout(self.newest)?;
        if values.len() != layout.cells.len() {
            let (found, wanted) = (values.len(), layout.cells.len());
            return Err(Why::Unfit(format!(
                "a row has {found} values beside its key, the table has {wanted} columns"
            )));
        }
        let mut bytes = Vec::new();
        self.key.encode(key, &mut bytes)?;
        packed::encode(layout, &bytes, values, into)
    }

    /// The record that is all of `bytes`, checked whole.
    pub fn read<'a>(&self, bytes: &'a [u8], place: &Place) -> Result<Packed<'a>> {
        let record = Packed::first(bytes).and_then(|record| self.check(&record).map(|()| record));
        let record = record.map_err(|why| place.refused(why))?;
        match bytes.len() - record.bytes().len() {
            0 => Ok(record),
            more => Err(place.damaged(format!("{more} bytes follow a record"))),
        }
    }

    /// The values of a record's key.
    pub fn key_of(&self, record: &Packed<'_>, place: &Place) -> Result<Vec<Value>> {
        self.key.decode(record.key()).map_err(|why| place.refused(why))
    }

    /// A record's values under the newest schema: a column that it lacks is null, a narrower one is widened.
    pub fn values_of(&self, record: &Packed<'_>, place: &Place) -> Result<Vec<Value>> {
        self.try_values(record).map_err(|why| place.refused(why))
    }

    fn try_values(&self, record: &Packed<'_>) -> std::result::Result<Vec<Value>, Why> {
        let own = self.layout(record.schema())?;
        let values = packed::decode(own, record)?;
        if own.schema == self.newest {
            return Ok(values);
        }
        let newest = self.layout(self.newest)?;
        let of_cell = |cell: &Spot| {
            let found =
                own.cells.iter().position(|old| old.id == cell.id).and_then(|place| values.get(place));
            found.map_or(Value::Null, |value| value.clone().widened(&cell.of))
        };
        Ok(newest.cells.iter().map(of_cell).collect())
    }

    /// Whether two records of a key have the same values under the newest schema.
    pub(super) fn is_same(&self, old: &Packed<'_>, new: &Packed<'_>) -> std::result::Result<bool, Why> {
        if old.schema() == new.schema() || old.is_deletion() || new.is_deletion() {
            return Ok(old.bytes() == new.bytes());
        }
        let mut upgraded = Vec::with_capacity(new.bytes().len());
        packed::encode(self.layout(self.newest)?, old.key(), &self.try_values(old)?, &mut upgraded)?;
        Ok(upgraded == new.bytes())
    }

    /// Whether a record has the form that [`Codec::row`] gives, with any of the schemas.
    pub(super) fn check(&self, record: &Packed<'_>) -> std::result::Result<(), Why> {
        self.key.check(record.key())?;
        match record.is_deletion() {
            true => record.check_padding(),
            false => packed::check(self.layout(record.schema())?, record),
        }
    }

    /// A key as messages show it.
    pub(super) fn show(&self, key: &[u8]) -> String {
        self.key.show(key)
    }

    fn layout(&self, schema: u16) -> std::result::Result<&Layout, Why> {
        let known = self.layouts.get(&schema);
        known.ok_or_else(|| {
            Why::Damaged(format!("a record has the schema {schema}, which the manifest does not name"))
        })
    }
}
