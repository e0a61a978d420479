//! The store of a run: one record a key, compared and swapped, with faults that its contract allows and defects that it
//! does not.

use crate::plan::{Defect, Plan};
use crate::random::Random;
use lockstep_oauth::store::{Committed, Key, Record, Write};
use std::collections::BTreeMap;

/// The store.
#[derive(Clone, Default)]
pub struct Store {
    records: BTreeMap<String, Record>,
    /// The key of the last write, and what was there before it.
    last: Option<(String, Option<Record>)>,
}

/// What became of a write, beyond what is said about it.
pub enum Fate {
    /// This is the answer.
    Answered(Committed),
    /// The answer is `Unknown`, and the write lands later.
    Later,
}

impl Store {
    /// The record, or nothing, for each key in order.
    pub fn load(&self, keys: &[Key]) -> Vec<Option<Record>> {
        keys.iter().map(|key| self.records.get(key.as_str()).cloned()).collect()
    }

    /// Puts the record if, and only if, the key is at the expected version.
    pub fn commit(&mut self, write: &Write, defect: Defect) -> Committed {
        let there = self.records.get(write.key.as_str());
        if there.map(|record| record.version) != write.expect && defect != Defect::IgnoresVersions {
            return Committed::Conflict;
        }
        let record = Record { version: write.version, value: write.value.clone(), expires_at: write.expires_at };
        let key = write.key.as_str().to_owned();
        self.last = Some((key.clone(), self.records.insert(key, record)));
        Committed::Committed
    }

    /// A commit, with what may go wrong.
    pub fn try_commit(&mut self, write: &Write, plan: &Plan, random: &mut Random) -> Fate {
        if random.chance(plan.conflicts) {
            return Fate::Answered(Committed::Conflict);
        }
        if random.chance(plan.unknowns) {
            return match random.below(3) {
                0 => Fate::Answered(Committed::Unknown),
                1 => Fate::Later,
                _ => Fate::Answered(match self.commit(write, plan.defect) {
                    Committed::Committed => Committed::Unknown,
                    other => other,
                }),
            };
        }
        if plan.defect == Defect::SaysCommitted && random.chance(150) {
            return Fate::Answered(Committed::Committed);
        }
        Fate::Answered(self.commit(write, plan.defect))
    }

    /// What was there before is there again.
    pub fn put_back(&mut self, key: &str, before: Option<Record>) {
        match before {
            Some(record) => _ = self.records.insert(key.to_owned(), record),
            None => _ = self.records.remove(key),
        }
    }

    /// Another copy takes over, and it has not seen the last write. Says which key went back.
    pub fn fall_back(&mut self) -> Option<String> {
        let (key, before) = self.last.take()?;
        self.put_back(&key, before);
        Some(key)
    }
}
