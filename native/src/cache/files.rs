//! The payload for files with names: a published tree.

use super::slot::Payload;
use super::store::Tree;
use std::any::Any;
use std::sync::Arc;

/// A leased version's files, which libraries open by their names.
pub struct Files {
    tree: Tree,
}

impl Files {
    /// Wraps a published tree.
    pub fn new(tree: Tree) -> Arc<Files> {
        Arc::new(Files { tree })
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

impl Payload for Files {
    fn evict(&self) {
        self.tree.drop_pages();
    }

    fn kept_by_attempts(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
