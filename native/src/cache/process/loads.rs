//! The I/O of loads: what a loader thread does between taking a load and ending it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Process;
use crate::cache::bytes::Bytes;
use crate::cache::store::{self, Checksum, Writer};
use crate::cache::{Files, LoadId, LoadOrder, SlotId};
use crate::error::{Code, Error, Result};

impl Process {
    /// The next admitted load for the calling loader thread; its time-out counts from now. Blocks at most
    /// `wait`.
    pub fn next_load(&self, wait: Duration) -> Option<LoadId> {
        let load = self.orders.recv_timeout(wait).ok()?;
        self.cache.load_taken(load);
        Some(load)
    }

    /// Requeues a load that its taker cannot run: loader threads of all class loaders share one queue.
    pub fn give_back_load(&self, load: LoadId) -> Result<()> {
        self.cache.load_given_back(load)?;
        self.order.send(load).map_err(|_| Error::new(Code::CatalogClosed, "the process is ending"))
    }

    /// Begins to write a load's bytes. False if they are published already, and kept for
    /// [`Process::publish_bytes`] to adopt. Waits for another process that writes them, as long as the load
    /// is wanted and at most its time-out.
    pub fn begin_bytes(&self, load: LoadId, checksum: Option<Checksum>) -> Result<bool> {
        let (_, order) = self.cache.load_slot(load)?;
        let wanted = || self.cache.load_slot(load).map(drop);
        let writes = match self.mapped.find(&order.digest) {
            Some(bytes) => {
                self.in_flight.keep_found(load, bytes);
                false
            }
            None => {
                let LoadOrder { digest, name, bytes, timeout } = &order;
                let writer = self.store()?.begin_while(digest, name, *bytes, checksum, *timeout, &wanted)?;
                writer.map(|writer| self.in_flight.keep_writer(load, writer)).is_some()
            }
        };
        // Abandoning a load takes away its files and mappings at that moment; these may have been added after
        // it.
        wanted().inspect_err(|_| self.in_flight.end(load))?;
        Ok(writes)
    }

    /// Runs a step on the load's writer. After an error, and once the load is abandoned, there is no writer
    /// any more.
    pub fn write(&self, load: LoadId, step: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
        let mut writer = self.writer(load)?;
        if let Err(error) = step(&mut writer) {
            self.in_flight.end(load);
            return Err(error);
        }
        self.in_flight.put_back(load, writer);
        self.cache.load_slot(load).map(drop)
    }

    fn writer(&self, load: LoadId) -> Result<Writer> {
        if let Some(writer) = self.in_flight.take_writer(load) {
            return Ok(writer);
        }
        self.cache.load_slot(load)?;
        let message = format!("load {load} is not being written: it was not begun, or has failed");
        Err(Error::new(Code::BadHandle, message))
    }

    /// Publishes the written bytes, or adopts those of another process, and ends the load with them.
    pub fn publish_bytes(&self, load: LoadId) -> Result<()> {
        let (_, order) = self.cache.load_slot(load)?;
        if store::is_tree(&order.digest) {
            return self.publish_files(load, &order);
        }
        let found = self.in_flight.take_found(load).or_else(|| self.mapped.find(&order.digest));
        // The load still has its hold: if it is abandoned now, it publishes nothing.
        let bytes = match (self.in_flight.take_writer(load), found) {
            (Some(writer), _) => writer.publish().map(Bytes::new),
            (None, Some(bytes)) => repopulated(bytes, &order),
            (None, None) => self
                .store()
                .and_then(|store| store.adopt(&order.digest, &order.name, order.bytes))
                .map(Bytes::new),
        };
        self.in_flight.end(load);
        self.finish_bytes(load, &order, bytes?)
    }

    fn publish_files(&self, load: LoadId, order: &LoadOrder) -> Result<()> {
        let tree = match self.in_flight.take_writer(load) {
            Some(writer) => writer.publish_tree(),
            None => self.store().and_then(|store| store.adopt_tree(&order.digest, &order.name, order.bytes)),
        };
        self.in_flight.end(load);
        let tree = tree?;
        let bytes = tree.bytes();
        self.cache.finish_load(load, Files::new(tree), bytes)
    }

    /// Maps a local file in place and ends the load with it.
    pub fn map_in_place(&self, load: LoadId, path: &Path, checksum: Option<Checksum>) -> Result<()> {
        let (_, order) = self.cache.load_slot(load)?;
        let bytes = match self.mapped.find(&order.digest) {
            Some(bytes) => repopulated(bytes, &order)?,
            None => Bytes::new(self.store()?.map_in_place(path, &order.name, order.bytes, checksum)?),
        };
        self.finish_bytes(load, &order, bytes)
    }

    fn finish_bytes(&self, load: LoadId, order: &LoadOrder, bytes: Arc<Bytes>) -> Result<()> {
        self.mapped.keep(&order.digest, &bytes);
        let length = bytes.mapping().len();
        self.cache.finish_load(load, bytes, length)
    }

    /// Ends a load with an error and removes the bytes written so far.
    pub fn fail_load(&self, load: LoadId, error: Error) -> Result<()> {
        self.in_flight.end(load);
        self.cache.fail_load(load, error)
    }

    /// The slot of a load.
    pub fn load_slot(&self, load: LoadId) -> Result<SlotId> {
        Ok(self.cache.load_slot(load)?.0)
    }
}

fn repopulated(bytes: Arc<Bytes>, order: &LoadOrder) -> Result<Arc<Bytes>> {
    bytes.stay_again(&order.name)?;
    Ok(bytes)
}
