//! The single cache of this process with the environment of its loads: the queue to the loader threads, the
//! store on the local disk, and the files being written.

use super::bytes::Bytes;
use super::in_flight::InFlightLoads;
use super::probe::CountedProbe;
use super::settings::CacheSettings;
use super::slab::{Handle, HandleKind, Slab};
use super::store::{self, Checksum, OpenFile, Store, Writer};
use super::{Cache, CursorId, Files, LoadId, LoadOrder, Payload, Residency, SlotId, Stats};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::sync::held;
use crossbeam::channel::{unbounded, Receiver, Sender};
use once_cell::sync::Lazy;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

static PROCESS: Lazy<Process> = Lazy::new(Process::new);

/// The process's only instance, created at its first use and never dropped.
pub fn process() -> &'static Process {
    &PROCESS
}

/// Access to leased bytes that outlives the lease: while the view is open, their addresses stay mapped.
pub struct OpenView {
    payload: Arc<dyn Payload>,
}

impl HandleKind for OpenView {
    const TAG: u64 = 5;
}

/// A handle of a view.
pub type ViewId = Handle<OpenView>;

/// The location of a view's bytes.
pub struct Region {
    /// The handle that keeps them mapped.
    pub view: ViewId,
    /// The first byte's address; 0 if there are no bytes.
    pub address: u64,
    /// The number of bytes.
    pub length: u64,
    /// Their residency.
    pub residency: Residency,
}

/// The cache and the environment of its loads.
///
/// Locks. `configuring` is held while the process is configured or an application is closed, also while the
/// cache's mutex is taken and during I/O; no other operation takes it. While any other lock is held, no lock
/// is taken, and no waiting, I/O or drop happens.
pub struct Process {
    /// The cache itself.
    pub cache: Cache,
    clock: Clock,
    order: Sender<LoadId>,
    orders: Receiver<LoadId>,
    configuring: Mutex<()>,
    store: Mutex<Option<Arc<Store>>>,
    in_flight: Arc<InFlightLoads>,
    views: Mutex<Slab<OpenView>>,
    /// Mappings by digest. A mapping that outlived its eviction serves the next load of its version, so that
    /// the number of mappings of a thrashing task is limited by the number of versions, not of loads.
    mapped: Mutex<HashMap<String, Weak<Bytes>>>,
    mapped_resident: CountedProbe,
}

impl Process {
    fn new() -> Process {
        Process::with_clock(Clock::system())
    }

    fn with_clock(clock: Clock) -> Process {
        let (sender, orders): (Sender<LoadId>, Receiver<LoadId>) = unbounded();
        let order = sender.clone();
        let launch = Box::new(move |load| {
            if sender.send(load).is_err() {
                log::error!("load {load} cannot be handed out: the process is ending");
            }
        });
        let in_flight: Arc<InFlightLoads> = Arc::default();
        let abandoned = Arc::clone(&in_flight);
        Process {
            cache: Cache::new(clock.clone(), launch).on_abandoned(Box::new(move |load| abandoned.end(load))),
            clock,
            order,
            orders,
            configuring: Mutex::new(()),
            store: Mutex::new(None),
            in_flight,
            views: Mutex::new(Slab::new()),
            mapped: Mutex::new(HashMap::new()),
            mapped_resident: CountedProbe::default(),
        }
    }

    /// Sets the limits and opens the application's folder in the cache directory. Waits for disk I/O, and at
    /// most 60 s for another process that opens or sweeps the same directory.
    pub fn configure(&self, settings: CacheSettings) -> Result<()> {
        let _one = lock(&self.configuring);
        if self.store().is_ok() && self.cache.settings().as_ref() == Some(&settings) {
            return Ok(());
        }
        self.cache.configure(settings.clone())?;
        self.close_store();
        let store = Store::open(&settings.cache_dir, &settings.application, settings.disk_bytes)?;
        *lock(&self.store) = Some(Arc::new(store));
        Ok(())
    }

    /// Closes an application's catalogs, and its folder if it is the application that configured the process.
    /// Waits like `configure`.
    pub fn close_application(&self, application: &str) {
        self.cache.close_application(application);
        let _one = lock(&self.configuring);
        if self.cache.settings().is_some_and(|settings| settings.application == application) {
            self.close_store();
        }
    }

    fn close_store(&self) {
        let old = lock(&self.store).take();
        if let Some(old) = old {
            old.close();
        }
    }

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
        let writes = match self.still_mapped(&order.digest) {
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
        let found = self.in_flight.take_found(load).or_else(|| self.still_mapped(&order.digest));
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
        let bytes = match self.still_mapped(&order.digest) {
            Some(bytes) => repopulated(bytes, &order)?,
            None => Bytes::new(self.store()?.map_in_place(path, &order.name, order.bytes, checksum)?),
        };
        self.finish_bytes(load, &order, bytes)
    }

    fn finish_bytes(&self, load: LoadId, order: &LoadOrder, bytes: Arc<Bytes>) -> Result<()> {
        let mut mapped = lock(&self.mapped);
        mapped.retain(|_, bytes| bytes.strong_count() > 0);
        mapped.insert(order.digest.clone(), Arc::downgrade(&bytes));
        drop(mapped);
        let length = bytes.mapping().len();
        self.cache.finish_load(load, bytes, length)
    }

    fn still_mapped(&self, digest: &str) -> Option<Arc<Bytes>> {
        lock(&self.mapped).get(digest).and_then(Weak::upgrade)
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

    /// Opens a view of the bytes at position `index` of the cursor's leases.
    pub fn open_view(&self, cursor: CursorId, index: usize) -> Result<Region> {
        let (residency, payload) = self.cache.leased(cursor, index)?;
        let bytes = payload.as_any().downcast_ref::<Bytes>().ok_or_else(|| {
            Error::new(Code::BadArgument, "this version is an object, not bytes; read it with leasedObject")
        })?;
        let (address, length) = (bytes.mapping().address(), bytes.mapping().len());
        let view = lock(&self.views).insert(OpenView { payload });
        Ok(Region { view, address, length, residency })
    }

    /// The file of the bytes at position `index` of the cursor's leases, for another process of this user to
    /// map.
    pub fn leased_file(&self, cursor: CursorId, index: usize) -> Result<OpenFile> {
        let (_, payload) = self.cache.leased(cursor, index)?;
        let bytes = payload.as_any().downcast_ref::<Bytes>().ok_or_else(|| {
            Error::new(Code::BadArgument, "this version is an object, not bytes; no other process can map it")
        })?;
        bytes.mapping().open_file()
    }

    /// The folder of the files at position `index` of the cursor's leases.
    pub fn leased_path(&self, cursor: CursorId, index: usize) -> Result<PathBuf> {
        let (_, payload) = self.cache.leased(cursor, index)?;
        let files = payload.as_any().downcast_ref::<Files>();
        let files = files.ok_or_else(|| {
            Error::new(Code::BadArgument, "this version does not consist of files with names")
        })?;
        Ok(files.tree().path().to_path_buf())
    }

    /// Closes a view. Idempotent.
    pub fn close_view(&self, view: ViewId) {
        let closed = lock(&self.views).remove(view);
        drop(closed);
    }

    /// The address of `length` bytes at `offset` of a view.
    pub fn region(&self, view: ViewId, offset: u64, length: u64) -> Result<u64> {
        let payload = lock(&self.views).get(view).map(|view| Arc::clone(&view.payload));
        let payload =
            payload.ok_or_else(|| Error::new(Code::Released, "this view of a version's bytes is closed"))?;
        let mapping = payload.as_any().downcast_ref::<Bytes>().map(Bytes::mapping);
        mapping
            .filter(|mapping| offset.checked_add(length).is_some_and(|end| end <= mapping.len()))
            .map(|mapping| mapping.address() + offset)
            .ok_or_else(|| {
                Error::new(
                    Code::BadArgument,
                    format!("{length} bytes at offset {offset} are outside the version"),
                )
            })
    }

    /// The cache's counters, with those of the store and of the page cache. Never waits for another thread;
    /// at most once a second it asks the kernel which pages are in memory.
    pub fn stats(&self) -> Stats {
        let mut stats = self.cache.stats();
        stats.disk_bytes = lock(&self.store).as_ref().map_or(0, |store| store.disk_used());
        stats.mapped_resident_bytes = self.mapped_resident.read(&self.clock, || self.measure_resident());
        stats
    }

    fn measure_resident(&self) -> u64 {
        let mapped: Vec<Arc<Bytes>> = lock(&self.mapped).values().filter_map(Weak::upgrade).collect();
        mapped.iter().map(|bytes| bytes.mapping().resident_bytes()).sum()
    }

    fn store(&self) -> Result<Arc<Store>> {
        lock(&self.store).clone().ok_or_else(|| {
            Error::new(Code::NotConfigured, "the application that this load belongs to has closed its store")
        })
    }
}

fn repopulated(bytes: Arc<Bytes>, order: &LoadOrder) -> Result<Arc<Bytes>> {
    bytes.stay_again(&order.name)?;
    Ok(bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    held(mutex.lock())
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
