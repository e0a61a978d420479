//! The one source of every choice: a key stream that a number selects.

use chacha20::ChaCha8;
use chacha20::cipher::{KeyIvInit, StreamCipher};

/// Choices, in an order that the seed alone decides.
pub struct Random {
    stream: ChaCha8,
    drawn: [u8; 256],
    next: usize,
}

impl Random {
    /// The choices of this seed.
    pub fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self { stream: ChaCha8::new(&key.into(), &[0; 12].into()), drawn: [0; 256], next: 256 }
    }

    fn eight(&mut self) -> [u8; 8] {
        if self.next == self.drawn.len() {
            self.drawn = [0; 256];
            self.stream.apply_keystream(&mut self.drawn);
            self.next = 0;
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.drawn[self.next..self.next + 8]);
        self.next += 8;
        bytes
    }

    /// A number below `end`, which is not 0. What a remainder prefers is far below what a simulation can notice.
    pub fn below(&mut self, end: u64) -> u64 {
        u64::from_le_bytes(self.eight()) % end
    }

    /// A number between these, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// A place in a list of that length.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// Yes, so many times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// 32 bytes that are not all zero.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [1; 32];
        for part in seed.chunks_exact_mut(8).skip(1) {
            part.copy_from_slice(&self.eight());
        }
        seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choices_of_a_seed_never_change() {
        let mut random = Random::new(7);
        let drawn: Vec<u64> = (0..40).map(|_| random.below(1000)).collect();
        let mut again = Random::new(7);
        assert_eq!(drawn, (0..40).map(|_| again.below(1000)).collect::<Vec<u64>>());
        assert_eq!(drawn[..4], [99, 117, 310, 144]);
    }
}
