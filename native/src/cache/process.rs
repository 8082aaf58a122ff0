//! The single cache of this process with the environment of its loads: the queue to the loader threads, the
//! store on the local disk, and the files being written.

mod loads;
#[cfg(all(test, not(feature = "shuttle")))]
mod tests;

use super::bytes::Bytes;
use super::in_flight::InFlightLoads;
use super::mapped::MappedBytes;
use super::probe::CountedProbe;
use super::settings::CacheSettings;
use super::store::{OpenFile, Store};
use super::views::Views;
use super::{Cache, CursorId, Files, LoadId, Payload, Stats};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::sync::held;
use crossbeam::channel::{unbounded, Receiver, Sender};
use once_cell::sync::Lazy;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

pub use super::views::{Region, ViewId};

static PROCESS: Lazy<Process> = Lazy::new(Process::new);

/// The process's only instance, created at its first use and never dropped.
pub fn process() -> &'static Process {
    &PROCESS
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
    views: Views,
    mapped: MappedBytes,
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
            views: Views::new(),
            mapped: MappedBytes::default(),
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

    /// Opens a view of the bytes at position `index` of the cursor's leases.
    pub fn open_view(&self, cursor: CursorId, index: usize) -> Result<Region> {
        let (residency, payload) = self.cache.leased(cursor, index)?;
        self.views.open(residency, payload)
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

    /// The file of the bytes at position `index` of the cursor's leases, opened anew for reading in this process, and the
    /// payload that keeps it.
    pub fn leased_segment(&self, cursor: CursorId, index: usize) -> Result<(File, Arc<dyn Payload>)> {
        let (_, payload) = self.cache.leased(cursor, index)?;
        let bytes = payload.as_any().downcast_ref::<Bytes>().ok_or_else(|| {
            Error::new(Code::BadArgument, "this version is an object, not bytes; it has no file")
        })?;
        let path = bytes.mapping().open_file()?.path;
        let file = File::open(path).map_err(|error| Error::io("open a leased file again", &error))?;
        Ok((file, payload))
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
        self.views.close(view);
    }

    /// The address of `length` bytes at `offset` of a view.
    pub fn region(&self, view: ViewId, offset: u64, length: u64) -> Result<u64> {
        self.views.region(view, offset, length)
    }

    /// The cache's counters, with those of the store and of the page cache. Never waits for another thread;
    /// at most once a second it asks the kernel which pages are in memory.
    pub fn stats(&self) -> Stats {
        let mut stats = self.cache.stats();
        stats.disk_bytes = lock(&self.store).as_ref().map_or(0, |store| store.disk_used());
        stats.mapped_resident_bytes = self.mapped_resident.read(&self.clock, || self.mapped.resident_bytes());
        stats
    }

    fn store(&self) -> Result<Arc<Store>> {
        lock(&self.store).clone().ok_or_else(|| {
            Error::new(Code::NotConfigured, "the application that this load belongs to has closed its store")
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    held(mutex.lock())
}
