//! Revisions: the last shipped state of a subject, and whether it differs now.

use std::mem::take;

use twox_hash::XxHash3_64;

use crate::event::MetricBody;

/// The last shipped state of a subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shipped {
    revision: u64,
    signature: u64,
    coverage: u64,
}

/// The revision of a figure, if it is to be shipped.
pub(super) enum Revision {
    /// Unchanged since it was shipped.
    Shipped,
    /// Unchanged except for the coverage of its partitions.
    Behind,
    /// Changed, with its next revision.
    New(u64),
}

impl Shipped {
    /// The next revision, unless the subject was shipped with this signature.
    pub(super) fn revise(&mut self, signature: &str) -> Option<u64> {
        let signature = XxHash3_64::oneshot(signature.as_bytes());
        if self.revision > 0 && self.signature == signature {
            return None;
        }
        *self = Shipped { revision: self.revision + 1, signature, coverage: 0 };
        Some(self.revision)
    }

    /// A figure's revision. A change of its coverage alone makes one only once its stages have ended.
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

/// The signatures of a figure's values, and of the coverage of its partitions with its reason.
fn signatures(body: &mut MetricBody) -> (u64, u64) {
    let hash = |bytes: serde_json::Result<Vec<u8>>| XxHash3_64::oneshot(&bytes.unwrap_or_default());
    // These are shipped with other changes only.
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
