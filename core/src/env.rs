//! What an exchange is given once, at its start: the time and a seed.

use crate::crypto;
use crate::secret::Secret;

/// The instant and the randomness of one exchange.
///
/// The core has no clock and no random source. One consistent instant and one seed for the whole exchange make a
/// transcript replay exactly.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub struct Env {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub now: u64,
    /// 32 bytes from the operating system's generator.
    pub entropy: Entropy,
}

impl Env {
    /// An instant and a seed. `None` when the seed is all zero, which no working generator returns.
    pub fn new(now: u64, seed: [u8; 32]) -> Option<Self> {
        if seed == [0; 32] { None } else { Some(Self { now, entropy: Entropy(Secret::new(seed.to_vec())) }) }
    }
}

/// One seed with labelled draws. The same label always gives the same bytes, so a label is used for one purpose only.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub struct Entropy(Secret);

impl Entropy {
    /// Draws `N` bytes for the purpose that `label` names. `N` is at most 32.
    pub(crate) fn draw<const N: usize>(&self, label: &str) -> [u8; N] {
        const { assert!(N <= 32) };
        let block = crypto::hmac_sha256(self.0.expose(), &[label.as_bytes()]);
        let mut drawn = [0u8; N];
        drawn.iter_mut().zip(block).for_each(|(to, from)| *to = from);
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_label_and_seed_alone() {
        let env = Env::new(0, [1; 32]).unwrap();
        assert_eq!(env.entropy.draw::<16>("salt"), env.entropy.draw::<16>("salt"));
        assert_ne!(env.entropy.draw::<16>("salt"), env.entropy.draw::<16>("stamp"));
        assert_ne!(env.entropy.draw::<16>("salt"), Env::new(0, [2; 32]).unwrap().entropy.draw::<16>("salt"));
    }

    #[test]
    fn a_dead_generator_is_noticed() {
        assert!(Env::new(0, [0; 32]).is_none());
    }
}
