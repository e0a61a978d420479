//! The model and the core on the same journeys.
#![allow(clippy::panic, clippy::print_stdout, reason = "a test may fail loudly and say what it did")]

use lockstep_reference::against::compare;
use lockstep_reference::journey::Journeys;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// How many journeys: `REFERENCE_JOURNEYS`, or a few hundred.
fn journeys() -> u32 {
    std::env::var("REFERENCE_JOURNEYS").ok().and_then(|number| number.parse().ok()).unwrap_or(300)
}

#[test]
fn the_core_does_what_the_model_says() {
    let mut runner = TestRunner::new(Config {
        cases: journeys(),
        max_shrink_iters: 800,
        failure_persistence: None,
        ..Config::default()
    });
    let reached = RefCell::new(BTreeSet::new());
    let strategy = Journeys::<0>::sequential_strategy(1..80usize);
    let run = runner.run(&strategy, |(start, steps, seen)| {
        let seen = || _ = seen.as_ref().map(|seen| seen.fetch_add(1, Ordering::SeqCst));
        let sides = compare(&start, &steps, seen).map_err(TestCaseError::fail)?;
        reached.borrow_mut().extend(sides.reached);
        Ok(())
    });
    match run {
        Ok(()) => println!("{} journeys; reached {:?}", journeys(), reached.borrow()),
        Err(TestError::Fail(story, _)) => panic!("\n{story}"),
        Err(other) => panic!("{other}"),
    }
}
