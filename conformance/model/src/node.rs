//! Shared values that carry their own hash: a state is mostly made of these, so it is cheap to copy, compare and hash.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

/// A shared value and the hash of its content. Two are equal when their contents are.
#[derive(Debug)]
pub struct Node<T>(Arc<(u64, T)>);

impl<T: Hash> Node<T> {
    /// Shares a value.
    pub fn new(value: T) -> Self {
        // The hasher has a fixed key, so that a state has the same hash in every run.
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        Self(Arc::new((hasher.finish(), value)))
    }
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Node<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.1
    }
}

impl<T: PartialEq> PartialEq for Node<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.0 == other.0.0 && self.0.1 == other.0.1)
    }
}

impl<T: Eq> Eq for Node<T> {}

impl<T> Hash for Node<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.0);
    }
}

/// A text that cannot be guessed, such as a code or a token.
pub type Text = Node<String>;

/// A text as a node.
pub fn text(value: &str) -> Text {
    Node::new(value.to_owned())
}

const SHARDS: usize = 64;

/// What a pure function has returned before, for all threads. Keys are compared by content, so no two are confused.
#[derive(Debug)]
pub struct Remembered<K, V>(Vec<RwLock<HashMap<K, V>>>);

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// The value at `key`, worked out when it is asked for first.
    pub fn or_else(&self, key: K, work: impl FnOnce(&K) -> V) -> V {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let shard = &self.0[usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default()];
        if let Some(known) = shard.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let value = work(&key);
        shard.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(value).clone()
    }
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| RwLock::new(HashMap::new())).collect())
    }
}
