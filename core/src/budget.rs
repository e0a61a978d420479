//! The counters that protect us and others, as one pure value that the host holds per process.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

/// The most counters that are kept; beyond that, the stalest go first.
pub const BUDGET_KEYS: usize = 10_000;

/// Counts by key within fixed periods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    counters: BTreeMap<String, Counter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Counter {
    period_starts: u64,
    used: u32,
    period_seconds: u32,
}

impl Budget {
    /// Counts one use of `key` at `now` and says whether it was within `limit` for this period.
    ///
    /// A refused use is not counted, so that an attacker cannot push the end of the period away.
    pub fn admit(&mut self, key: &str, limit: u32, period_seconds: u32, now: u64) -> bool {
        if self.counters.len() >= BUDGET_KEYS && !self.counters.contains_key(key) {
            self.forget_old(now);
        }
        let fresh = Counter { period_starts: now, used: 0, period_seconds };
        let counter = self.counters.entry(key.to_string()).or_insert(fresh);
        if now >= counter.period_starts.saturating_add(u64::from(period_seconds)) || now < counter.period_starts {
            *counter = fresh;
        }
        let admitted = counter.used < limit;
        if admitted {
            counter.used += 1;
        }
        admitted
    }

    fn forget_old(&mut self, now: u64) {
        self.counters
            .retain(|_, counter| counter.period_starts.saturating_add(u64::from(counter.period_seconds)) > now);
        while self.counters.len() >= BUDGET_KEYS {
            let oldest =
                self.counters.iter().min_by_key(|(_, counter)| counter.period_starts).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { return };
            self.counters.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_budget_is_spent_and_comes_back_with_the_next_period() {
        let mut budget = Budget::default();
        assert!(budget.admit("a", 2, 60, 100));
        assert!(budget.admit("a", 2, 60, 159));
        assert!(!budget.admit("a", 2, 60, 159));
        assert!(budget.admit("b", 2, 60, 159));
        assert!(budget.admit("a", 2, 60, 160));
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_lock_anyone_out() {
        let mut budget = Budget::default();
        assert!(budget.admit("a", 1, 60, 1_000_000));
        assert!(budget.admit("a", 1, 60, 10));
    }

    #[test]
    fn the_number_of_counters_is_bounded() {
        let mut budget = Budget::default();
        for number in 0..(BUDGET_KEYS as u64 + 50) {
            budget.admit(&format!("key {number}"), 1, 60, 100);
        }
        assert_eq!(budget.counters.len(), BUDGET_KEYS);
    }
}
