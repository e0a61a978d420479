//! A comparison that accepts a wrong model compares nothing: each deliberate mistake of the model is noticed.
#![allow(clippy::panic, clippy::print_stdout, reason = "a test may fail loudly and say what it did")]

use lockstep_reference::against::compare;
use lockstep_reference::journey::Journeys;
use lockstep_reference::variation::VARIATIONS;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use std::cell::Cell;
use std::sync::atomic::Ordering;

/// Within how many journeys a mistake must be noticed.
const JOURNEYS: u32 = 400;

/// How far stories are shortened: `REFERENCE_SHRINK` tries, for people who want to read them, or one alone.
fn shortening() -> u32 {
    std::env::var("REFERENCE_SHRINK").ok().and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// How a mistake was noticed: after how many journeys, and a story of it.
fn noticed<const VARIATION: usize>() -> (u32, String) {
    let mut runner = TestRunner::new(Config {
        cases: JOURNEYS,
        max_shrink_iters: shortening(),
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(1),
        ..Config::default()
    });
    let (journeys, found) = (Cell::new(0), Cell::new(false));
    let run = runner.run(&Journeys::<VARIATION>::sequential_strategy(1..80usize), |(start, steps, seen)| {
        journeys.set(journeys.get() + u32::from(!found.get()));
        let seen = || _ = seen.as_ref().map(|seen| seen.fetch_add(1, Ordering::SeqCst));
        compare(&start, &steps, seen).map(|_| ()).map_err(|story| {
            found.set(true);
            TestCaseError::fail(story)
        })
    });
    match run {
        Err(TestError::Fail(story, _)) => (journeys.get(), story.to_string()),
        Ok(()) => panic!("{:?} is not noticed within {JOURNEYS} journeys", VARIATIONS.get(VARIATION - 1)),
        Err(other) => panic!("{other}"),
    }
}

macro_rules! noticed {
    ($($name:ident = $place:literal,)*) => {
        $(
            #[test]
            fn $name() {
                let (journeys, story) = noticed::<$place>();
                println!("{:?}, after {journeys} journeys:\n{story}", VARIATIONS.get($place - 1));
            }
        )*

        #[test]
        fn every_mistake_has_its_test() {
            assert_eq!([$($place),*].len(), VARIATIONS.len());
        }
    };
}

noticed! {
    a_redirect_that_only_begins_like_a_registered_one = 1,
    a_code_without_verifier = 2,
    a_replayed_code_that_ends_nothing = 3,
    a_replayed_code_that_always_ends_its_grant = 4,
    a_refresh_by_another_client = 5,
    no_retry_window = 6,
    a_retry_window_without_end = 7,
    an_old_refresh_token_that_ends_nothing = 8,
    no_overlap_budget = 9,
    a_wider_scope_that_is_cut = 10,
    a_narrower_scope_that_stays = 11,
    an_idle_refresh_token_that_lives = 12,
    a_grant_without_end = 13,
    a_clock_that_is_believed = 14,
    a_sign_out_that_ends_nothing = 15,
    an_access_token_whose_revocation_ends_the_grant = 16,
    a_refresh_token_that_opens_doors = 17,
    a_token_for_every_resource = 18,
}
