//! Lookups of many keys at a time, whose misses of the processor's caches overlap.

use std::convert::Infallible;

use super::index::Shards;
use super::shard::Likely;

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
    found.reserve(probes.len());
    let mut likely = [Likely::Absent; GROUP];
    for (group, chunk) in probes.chunks(GROUP).enumerate() {
        for (hash, _) in chunk {
            shards.of(*hash).prefetch(*hash);
        }
        let mut touched = 0_u64;
        for ((hash, version), likely) in chunk.iter().zip(&mut likely) {
            *likely = shards.of(*hash).likely(*hash, *version);
            if let Likely::At(address) = *likely {
                touched = touched.wrapping_add(touch(address));
            }
        }
        std::hint::black_box(touched);
        for (place, ((hash, version), likely)) in chunk.iter().zip(&likely).enumerate() {
            let number = group * GROUP + place;
            found.push(match *likely {
                Likely::Absent => 0,
                Likely::At(address) if is_key(number, address) => address,
                _ => {
                    let same = |address| Ok::<bool, Infallible>(is_key(number, address));
                    let Ok(found) = shards.of(*hash).find(*hash, *version, same);
                    found.unwrap_or(0)
                }
            });
        }
    }
}
