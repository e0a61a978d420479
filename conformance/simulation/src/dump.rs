//! A run as a vector, which replays without any of this.

use crate::run::Run;
use lockstep_conformance::transcript::{Transcript, Vector};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The exchanges that had to do with the same records as the last one that ended, in the order in which they moved. What
/// a crash cut off has no end and is left out.
pub fn vector(run: &Run<'_>, id: &str, title: &str, why: &str) -> Option<Vector> {
    let ended = |number: &usize| run.exchanges[*number].ended.is_some();
    let last = run.order.iter().rev().find(|number| ended(number))?;
    let grants = |number: usize| run.exchanges[number].keys.iter().filter(|key| !key.contains("/client/"));
    let about: BTreeSet<&String> = grants(*last).collect();
    let kept: Vec<usize> = (0..run.exchanges.len())
        .filter(|number| ended(number) && (number == last || grants(*number).any(|key| about.contains(key))))
        .collect();
    let places: BTreeMap<usize, usize> = kept.iter().enumerate().map(|(place, number)| (*number, place)).collect();
    let exchanges: Vec<Transcript> =
        kept.iter().filter_map(|number| run.exchanges[*number].transcript.clone()).collect();
    let whole = exchanges.len() == kept.len() && exchanges.iter().all(|exchange| exchange.outcome != Value::Null);
    let order = run.order.iter().filter_map(|number| places.get(number).copied()).collect();
    whole.then(|| Vector {
        id: id.to_owned(),
        title: title.to_owned(),
        spec: vec!["I1 to I6".to_owned()],
        why: why.to_owned(),
        exchanges,
        order,
    })
}
