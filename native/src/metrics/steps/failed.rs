//! The samples of the step book: those that count, and those that are to be shipped.

use std::collections::{BTreeMap, HashSet};

use super::{Picture, Site, StepBook};
use crate::event::id::RowHash;
use crate::event::{FailedRowBody, SampleSummaryBody, TopCause};
use crate::samples::{Bound, Origin};

/// A sample to be shipped: its hash, its revision, and whether it counts.
pub(in crate::metrics) type Revised = (u64, u64, bool);

impl StepBook {
    /// The samples of a step that are to be shipped, at most `most`. They count as shipped from now on.
    pub(in crate::metrics) fn revise_samples(&mut self, step: &str, most: usize) -> Vec<Revised> {
        let Some(samples) = self.samples.of(step) else { return Vec::new() };
        let sites = &self.sites;
        let revised = samples.iter_mut().filter_map(|(hash, sample)| {
            let counted = counts(sites, sample.origin());
            sample.revise(counted).map(|revision| (hash, revision, counted))
        });
        revised.take(most).collect()
    }

    /// The body of a sample, if it is still kept.
    pub(in crate::metrics) fn sample(&mut self, step: &str, hash: u64) -> Option<FailedRowBody> {
        self.samples.body(step, hash)
    }

    /// The summary of a step's samples; `None` for a step without a failed row.
    pub(in crate::metrics) fn summary(&mut self, step: &str) -> Option<SampleSummaryBody> {
        let folded = self
            .steps
            .values()
            .filter(|other| &*other.name == step)
            .filter_map(|other| other.folded.as_ref());
        let sums = || {
            self.standing()
                .map(|(_, site)| site)
                .filter(|site| &*site.name == step)
                .filter_map(Site::committed)
                .chain(folded.clone())
        };
        let seen: i128 = sums().map(|sums| sums.seen).sum();
        let cut = |bound: &Bound| sums().any(|sums| sums.cut[*bound as usize] > 0);
        let mut cut_by: Vec<Bound> = Bound::ALL.into_iter().filter(cut).collect();
        let samples = self.samples.of(step);
        if samples.is_none() && seen == 0 {
            return None;
        }
        let (mut kept, mut ceiling) = (0, None);
        if let Some(samples) = samples {
            (kept, ceiling) = (samples.len(), samples.greatest());
            cut_by.extend(samples.bounds());
        }
        cut_by.sort_unstable();
        cut_by.dedup();
        Some(SampleSummaryBody {
            step: step.to_string(),
            seen: u64::try_from(seen).unwrap_or(if seen < 0 { 0 } else { u64::MAX }),
            kept: kept as u64,
            complete: cut_by.is_empty(),
            cut_by: cut_by.iter().map(|bound| bound.name().to_string()).collect(),
            ceiling: ceiling.map(RowHash),
        })
    }

    /// The samples of a step's number, or of all steps, each with its step's name and whether it counts.
    pub(in crate::metrics) fn failures(&self, step: Option<u64>) -> Vec<FailedRowBody> {
        let name = step.map(|step| self.name(step));
        let names =
            self.samples.steps().filter(|one| name.as_ref().is_none_or(|name| name.as_ref() == Some(*one)));
        let mut all = Vec::new();
        for name in names {
            let own =
                self.samples.bodies(name).filter(|(origin, _)| step.is_none_or(|step| step == origin.step));
            all.extend(own.map(|(origin, body)| FailedRowBody {
                step: name.to_string(),
                committed: counts(&self.sites, origin),
                ..body
            }));
        }
        all
    }

    /// The most frequent causes among the samples of the evaluations in `pictures`.
    pub(in crate::metrics) fn causes(&self, step: &str, pictures: &[Picture], most: usize) -> Vec<TopCause> {
        let shown: HashSet<(u64, u64, u32, u64)> = pictures.iter().flat_map(Picture::evaluations).collect();
        let settled = |origin: Origin| {
            pictures.iter().any(|p| p.is_settled && (p.site, p.instance) == (origin.site, origin.instance))
        };
        self.samples.causes(step, most, |origin| {
            shown.contains(&(origin.site, origin.instance, origin.partition, origin.task))
                || settled(origin) && counts(&self.sites, origin)
        })
    }

    /// The most frequent causes among the samples of an instance, for any outcome of their attempts.
    pub(in crate::metrics) fn causes_of(
        &self,
        step: &str,
        site: u64,
        instance: u64,
        most: usize,
    ) -> Vec<TopCause> {
        self.samples.causes(step, most, |origin| (origin.site, origin.instance) == (site, instance))
    }

    /// Notes that a stage was rolled back whose rows have another order each time: operators that ran in it are not
    /// exact.
    pub(in crate::metrics) fn rolled_back(&mut self, stage: u32) {
        for site in self.sites.values_mut().filter(|site| site.ran_in(stage)) {
            (site.rolled_back, site.dirty) = (true, true);
        }
    }
}

/// Whether a sample counts: its attempt is the one that its cell keeps. Of an instance without cells the samples
/// count whose attempts had not failed.
fn counts(sites: &BTreeMap<u64, Site>, origin: Origin) -> bool {
    let site = sites.get(&origin.site);
    if site.is_some_and(|site| site.replaced_by.is_some()) {
        return false;
    }
    let kept = site.and_then(|site| site.kept(origin.instance, origin.partition));
    kept.map_or(!origin.failed, |task| task == origin.task)
}
