//! Whole stacks, one for each stack hash.

use std::collections::HashMap;

/// Bytes of one stack.
const LONGEST: usize = 16 << 10;

/// Stacks that have not been shipped yet, and which were.
#[derive(Debug)]
pub(super) struct Stacks {
    /// `None`: it was shipped.
    texts: HashMap<String, Option<String>>,
    bytes: usize,
    most_bytes: usize,
}

impl Stacks {
    pub(super) fn new(most_bytes: usize) -> Stacks {
        Stacks { texts: HashMap::new(), bytes: 0, most_bytes }
    }

    /// Keeps a stack if it is the first of its hash and there is room.
    pub(super) fn add(&mut self, hash: &str, mut text: String) {
        super::sample::cut(&mut text, LONGEST);
        let size = text.len() + hash.len() + 128;
        if self.texts.contains_key(hash) || self.bytes + size > self.most_bytes {
            return;
        }
        self.bytes += size;
        self.texts.insert(hash.to_string(), Some(text));
    }

    /// The stack, the first time that it is asked for.
    pub(super) fn take(&mut self, hash: &str) -> Option<String> {
        let text = self.texts.get_mut(hash)?.take()?;
        self.bytes -= text.len();
        Some(text)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
