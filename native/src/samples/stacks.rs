//! Full stacks, one for each stack hash. Shipped stacks make room for others.

use std::collections::HashMap;

/// The longest stack in bytes.
const LONGEST: usize = 16 << 10;

/// The state of a stack.
#[derive(Debug)]
struct Kept {
    /// `None` if it made room for another after it was shipped.
    text: Option<String>,
    shipped: bool,
}

/// The stacks of an application.
#[derive(Debug)]
pub(super) struct Stacks {
    kept: HashMap<String, Kept>,
    bytes: usize,
    most_bytes: usize,
}

impl Stacks {
    pub(super) fn new(most_bytes: usize) -> Stacks {
        Stacks { kept: HashMap::new(), bytes: 0, most_bytes }
    }

    /// Keeps a stack if it is the first of its hash and there is room.
    pub(super) fn add(&mut self, hash: &str, mut text: String) {
        crate::words::cut(&mut text, LONGEST);
        let size = text.len() + hash.len() + 128;
        if self.kept.contains_key(hash) {
            return;
        }
        if self.bytes + size > self.most_bytes {
            self.make_room();
        }
        if self.bytes + size > self.most_bytes {
            return;
        }
        self.bytes += size;
        self.kept.insert(hash.to_string(), Kept { text: Some(text), shipped: false });
    }

    /// The stack, when it is shipped for the first time.
    pub(super) fn ship(&mut self, hash: &str) -> Option<String> {
        let kept = self.kept.get_mut(hash).filter(|kept| !kept.shipped)?;
        kept.shipped = true;
        kept.text.clone()
    }

    /// The stack, if it is still kept.
    pub(super) fn get(&self, hash: &str) -> Option<&str> {
        self.kept.get(hash)?.text.as_deref()
    }

    /// Drops the texts that were shipped.
    fn make_room(&mut self) {
        let shipped = self.kept.values_mut().filter(|kept| kept.shipped);
        self.bytes -= shipped.filter_map(|kept| kept.text.take()).map(|text| text.len()).sum::<usize>();
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
