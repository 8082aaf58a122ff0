//! Lookups of many keys at a time, whose misses of the processor's caches overlap.

use std::convert::Infallible;

use super::index::Shards;

/// Keys whose slots, and then whose records, are touched together.
const GROUP: usize = 32;

/// A lookup: the key's hash, and the version.
pub type Lookup = (u64, u16);

/// The address of the record of each lookup, as [`ShardIndex::find`](super::ShardIndex::find) gives it; 0 for none.
///
/// `touch` reads the beginning of the record at an address, `is_key` compares its key with that of a lookup.
pub fn find_all(
    shards: &Shards,
    probes: &[Lookup],
    found: &mut Vec<u64>,
    mut touch: impl FnMut(u64) -> u64,
    mut is_key: impl FnMut(usize, u64) -> bool,
) {
    let mut likely = [0; GROUP];
    for (group, chunk) in probes.chunks(GROUP).enumerate() {
        for (place, (hash, version)) in chunk.iter().enumerate() {
            let first = |_| Ok::<bool, Infallible>(true);
            let Ok(address) = shards.of(*hash).find(*hash, *version, first);
            likely[place] = address.unwrap_or(0);
        }
        let touched = likely[..chunk.len()].iter().filter(|address| **address != 0);
        std::hint::black_box(touched.fold(0, |sum: u64, address| sum.wrapping_add(touch(*address))));
        for (place, (hash, version)) in chunk.iter().enumerate() {
            let number = group * GROUP + place;
            let first = likely[place];
            found.push(if first == 0 || is_key(number, first) {
                first
            } else {
                let same = |address| Ok::<bool, Infallible>(is_key(number, address));
                let Ok(found) = shards.of(*hash).find(*hash, *version, same);
                found.unwrap_or(0)
            });
        }
    }
}
