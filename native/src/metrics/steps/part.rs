//! The part of a step that a question is about.

/// The part of a step that is asked for; by default the whole step.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::metrics) struct Part<'a> {
    /// Only the step of this number among those with the name.
    pub(in crate::metrics) step: Option<u64>,
    /// Only these operators.
    pub(in crate::metrics) sites: Option<&'a [u64]>,
}

impl Part<'_> {
    pub(super) fn has(&self, site: u64, of: u64) -> bool {
        self.step.is_none_or(|step| step == of) && self.sites.is_none_or(|sites| sites.contains(&site))
    }
}
