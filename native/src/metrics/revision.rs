//! Revisions: what was last shipped of a thing, and whether it differs now.

use std::mem::take;

use twox_hash::XxHash3_64;

use crate::event::MetricBody;

/// What was last shipped of a thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shipped {
    revision: u64,
    signature: u64,
    coverage: u64,
}

/// What a figure is to be shipped with.
pub(super) enum Revision {
    /// It was shipped as it is.
    Shipped,
    /// It was, but for how far its partitions have come.
    Behind,
    /// It differs.
    New(u64),
}

impl Shipped {
    /// The revision to ship it with, unless it was shipped with this signature.
    pub(super) fn revise(&mut self, signature: &str) -> Option<u64> {
        let signature = XxHash3_64::oneshot(signature.as_bytes());
        if self.revision > 0 && self.signature == signature {
            return None;
        }
        *self = Shipped { revision: self.revision + 1, signature, coverage: 0 };
        Some(self.revision)
    }

    /// A figure's revision. How far its partitions have come, and what is said of that, makes one only if they have come to
    /// rest.
    pub(super) fn revise_figure(&mut self, body: &mut MetricBody, at_rest: bool) -> Revision {
        let (signature, coverage) = signatures(body);
        if self.revision > 0 && self.signature == signature {
            if self.coverage == coverage {
                return Revision::Shipped;
            }
            if !at_rest {
                return Revision::Behind;
            }
        }
        *self = Shipped { revision: self.revision + 1, signature, coverage };
        Revision::New(self.revision)
    }
}

/// The signatures of a figure's values, and of how far its partitions have come.
fn signatures(body: &mut MetricBody) -> (u64, u64) {
    let hash = |bytes: serde_json::Result<Vec<u8>>| XxHash3_64::oneshot(&bytes.unwrap_or_default());
    // These come with what differs besides.
    let (scopes, dropped) = (take(&mut body.scopes), take(&mut body.events_dropped));
    let covered: Vec<u64> = body.others.iter_mut().map(|other| take(&mut other.covered)).collect();
    let (reported, total) = (take(&mut body.partitions_reported), take(&mut body.partitions_total));
    let coverage = (take(&mut body.reason), reported, total, covered);
    let signatures = (hash(serde_json::to_vec(body)), hash(serde_json::to_vec(&coverage)));
    (body.scopes, body.events_dropped) = (scopes, dropped);
    (body.reason, body.partitions_reported, body.partitions_total) = (coverage.0, coverage.1, coverage.2);
    body.others.iter_mut().zip(coverage.3).for_each(|(other, covered)| other.covered = covered);
    signatures
}
