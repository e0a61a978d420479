//! What the core alone costs. `cargo run --release -p lockstep-core-cost [-- NAME]` prints a table; with `--check` it
//! fails where a target is missed.
//!
//! Each exchange is run once against a small store, which writes down its answers; the measured runs are given copies
//! of the request and of those answers that were made beforehand. So what is measured is the core, and nothing else.

mod allocations;
mod scenes;

use scenes::{Scene, scenes};
use std::time::Instant;

/// How many batches are timed, and how many exchanges one holds: short enough to fall between two interruptions.
const BATCHES: usize = 400;
const BATCH: usize = 32;

/// The time of one exchange in microseconds: the fastest tenth of the batches, because neighbours on the machine can
/// only make a batch slower.
fn microseconds(scene: &Scene) -> f64 {
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let mut copies: Vec<_> = (0..BATCH).map(|_| scene.prepared()).collect();
            let start = Instant::now();
            let outcomes: Vec<_> = copies.drain(..).map(|prepared| scene.run(prepared)).collect();
            let spent = start.elapsed();
            drop(outcomes);
            spent.as_secs_f64() * 1e6 / BATCH as f64
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches.swap_remove(BATCHES / 10)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = arguments.iter().any(|argument| argument == "--check");
    let wanted = arguments.iter().find(|argument| !argument.starts_with("--"));
    let mut missed = 0;
    println!("{:34} {:>8} {:>8} {:>12} {:>10}", "exchange", "us", "target", "allocations", "bytes");
    for scene in scenes() {
        if wanted.is_some_and(|wanted| !scene.name.contains(wanted.as_str())) {
            continue;
        }
        let prepared = scene.prepared();
        let (outcome, counted) = allocations::count(|| scene.run(prepared));
        drop(outcome);
        let cost = microseconds(&scene);
        let target = scene.target.map_or(String::new(), |target| format!("{target:.0}"));
        let verdict = if scene.target.is_some_and(|target| cost > target) { "  over" } else { "" };
        missed += usize::from(!verdict.is_empty());
        println!("{:34} {cost:8.2} {target:>8} {:>12} {:>10}{verdict}", scene.name, counted.calls, counted.bytes);
    }
    if check && missed > 0 {
        std::process::exit(1);
    }
}
