//! `fuzz-a-host BASE [WINDOW [JOURNEYS [SEED]]] [--no-strangers] [--no-waits]` walks that many generated journeys against the host at
//! BASE, whose retry window is that many seconds. Exit code 1, with the shortest story that was found, when an invariant
//! breaks. The same seed makes the same journeys.
#![allow(clippy::print_stdout, reason = "a tool talks to the person who runs it")]

use fuzz_a_host::browser::Browser;
use lockstep_oauth::generators::invariants::{Subject, walk};
use lockstep_oauth::generators::journeys::{Action, journey};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::cell::RefCell;
use std::process::ExitCode;

/// The longest journey.
const LENGTH: usize = 14;

fn main() -> ExitCode {
    let (flags, values): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let Some(base) = values.first() else {
        println!("usage: fuzz-a-host BASE [WINDOW [JOURNEYS [SEED]]] [--no-strangers] [--no-waits]");
        return ExitCode::from(2);
    };
    let number = |at: usize, usual: u64| values.get(at).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (window, journeys, seed) = (number(1, 30), number(2, 40), number(3, 1));
    let strangers = !flags.iter().any(|flag| flag == "--no-strangers");

    let mut browser = Browser::new(base);
    let target = browser.target(window);
    if flags.iter().any(|flag| flag == "--no-waits") {
        browser.patience_seconds = 0;
    }
    if browser.send(&lockstep_oauth::generators::requests::get("/", &[])).status == 500 {
        println!("nobody answers at {base}");
        return ExitCode::from(2);
    }
    let browser = RefCell::new(browser);
    let config = Config {
        cases: u32::try_from(journeys).unwrap_or(u32::MAX),
        failure_persistence: None,
        // Each attempt at a shorter story is a journey over HTTP.
        max_shrink_iters: 60,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(seed.to_be_bytes()).for_each(|(byte, seed)| *byte = seed);
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let all = journey(&target, LENGTH).prop_map(move |mut journey| {
        journey.0.retain(|action| strangers || !matches!(action, Action::Send(_)));
        journey
    });
    let outcome = runner.run(&all, |journey| {
        walk(&mut *browser.borrow_mut(), &target, &journey).map_err(|broken| TestCaseError::fail(broken.to_string()))
    });
    let requests = browser.borrow().requests;
    match outcome {
        Ok(()) => {
            println!("{journeys} journeys, {requests} requests: every invariant held");
            ExitCode::SUCCESS
        }
        Err(proptest::test_runner::TestError::Fail(reason, _)) => {
            println!("BROKEN after {requests} requests\n{reason}");
            ExitCode::FAILURE
        }
        Err(aborted) => {
            println!("{aborted}");
            ExitCode::from(2)
        }
    }
}
