//! Loader threads that succeed, fail, panic, hang, lie or answer twice.

use crate::plan::{below, chance, dawdle};
use crate::world::World;
use andiron::cache::LoadId;
use andiron::error::{Code, Error};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::Arc;

/// Takes loads until the queue is closed and empty.
pub fn run(world: &Arc<World>) {
    while let Some(load) = world.orders.take() {
        // Like the boundary: a thread that unwinds has failed its load.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| one(world, load))) {
            if !panic.is::<Injected>() {
                resume_unwind(panic);
            }
            world.cache.fail_load(load, Error::new(Code::Panic, "the loader panicked")).unwrap();
        }
        world.check();
    }
}

/// The payload of an injected panic. It bypasses the panic hook, which shuttle takes for the end of the run.
struct Injected;

fn one(world: &Arc<World>, load: LoadId) {
    let (cache, plan) = (&world.cache, &world.plan);
    cache.load_taken(load);
    let Ok((slot, order)) = cache.load_slot(load) else {
        // Abandoned before a thread took it.
        cache.fail_load(load, Error::new(Code::CatalogClosed, "dropped")).unwrap();
        return;
    };
    world.ledger.begin_load(slot, load, cache);
    let version: usize = order.digest[1..].parse().unwrap();
    dawdle(4);
    if plan.timed && chance(plan.hanging) {
        while cache.load_slot(load).is_ok() && !world.done() {
            shuttle::thread::yield_now();
        }
    }
    if chance(plan.panicking) {
        world.ledger.end_load(slot, load);
        resume_unwind(Box::new(Injected));
    }
    if chance(plan.failing) {
        world.ledger.end_load(slot, load);
        cache.fail_load(load, Error::new(Code::LoadFailed, "injected")).unwrap();
        return;
    }
    let lie = if chance(plan.lying) { 1 + below(12) as u64 } else { 0 };
    let bytes = world.sizes[version] + lie;
    let payload =
        || world.ledger.payload(slot, version, chance(plan.reused), world.kept, cache, &world.ledger);
    let (first, second) = (payload(), chance(plan.doubled).then(payload));
    world.ledger.end_load(slot, load);
    cache.finish_load(load, first, bytes).unwrap();
    if let Some(second) = second {
        let refused = cache.finish_load(load, second, bytes).unwrap_err();
        assert_eq!(refused.code(), Code::BadHandle, "a load ends once");
    }
}
