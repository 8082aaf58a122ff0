//! The rows of a version in one shard: its sections merged, the newest record of each key first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::codec::Codec;
use super::key::order;
use super::packed::Packed;
use super::records::Records;
use super::stream::{LineReader, PlacedSection, SectionStream};
use crate::error::Result;

/// Reads a shard of a version in the order of sections. It needs no index.
pub struct Scan {
    records: Arc<dyn Records>,
    codec: Arc<Codec>,
    bits: u32,
    streams: Vec<SectionStream>,
    /// Streams that have a record, by the record's order; the newest stream first among equals.
    open: BinaryHeap<Reverse<(u64, usize)>>,
    current: Option<usize>,
}

impl Scan {
    /// A scan before its first row, of sections of one shard, the newest first.
    pub fn new(
        records: Arc<dyn Records>,
        codec: Arc<Codec>,
        bits: u32,
        sections: Vec<PlacedSection>,
    ) -> Result<Scan> {
        let streams: Vec<SectionStream> = sections.into_iter().map(SectionStream::new).collect();
        let open = BinaryHeap::with_capacity(streams.len());
        let mut scan = Scan { records, codec, bits, streams, open, current: None };
        for number in 0..scan.streams.len() {
            scan.advance(number)?;
        }
        Ok(scan)
    }

    /// Goes to the next row; false at the end. Only the end shows that all sections were undamaged.
    pub fn next_row(&mut self) -> Result<bool> {
        loop {
            if let Some(last) = self.current.take() {
                self.advance(last)?;
            }
            let Some(Reverse((place, first))) = self.open.pop() else { return Ok(false) };
            if self.open.peek().is_none_or(|Reverse((other, _))| *other != place) {
                self.current = Some(first);
                if !self.streams[first].record()?.is_deletion() {
                    return Ok(true);
                }
                continue;
            }
            // Versions of one key, or two keys of one hash: the smaller key is given first.
            let mut tied = vec![first];
            while let Some(Reverse((_, other))) =
                self.open.peek().filter(|Reverse((other, _))| *other == place)
            {
                tied.push(*other);
                self.open.pop();
            }
            let mut least = first;
            for other in &tied {
                if self.streams[*other].record()?.key() < self.streams[least].record()?.key() {
                    least = *other;
                }
            }
            for other in tied.into_iter().filter(|other| *other != least) {
                if self.streams[other].record()?.key() == self.streams[least].record()?.key() {
                    self.advance(other)?;
                } else {
                    self.open.push(Reverse((place, other)));
                }
            }
            self.current = Some(least);
            if !self.streams[least].record()?.is_deletion() {
                return Ok(true);
            }
        }
    }

    /// The current row; none before the first and after the last one.
    pub fn row(&self) -> Result<Option<Packed<'_>>> {
        self.current.map(|current| self.streams[current].record()).transpose()
    }

    /// The order of the current row.
    pub(super) fn order(&self) -> u64 {
        self.current.map_or(0, |current| order(self.streams[current].hash()))
    }

    fn advance(&mut self, number: usize) -> Result<()> {
        let from = LineReader { records: &*self.records, codec: &self.codec, bits: self.bits };
        let stream = &mut self.streams[number];
        if stream.advance(&from)? {
            self.open.push(Reverse((order(stream.hash()), number)));
        }
        Ok(())
    }
}
