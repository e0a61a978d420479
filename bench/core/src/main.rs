//! What the core alone costs. `cargo run --release -p lockstep-core-cost [-- NAME]` prints a table; with `--check` it
//! fails where a target is missed.
//!
//! Each exchange is run once against a small store, which writes down its answers; the measured runs are given copies
//! of the request and of those answers that were made beforehand. So what is measured is the core, and nothing else.

mod allocations;
mod scenes;

use scenes::{Scene, scenes};
use std::time::{Duration, Instant};

const ROUNDS: usize = 31;
const ROUND: Duration = Duration::from_millis(20);
const BATCH: usize = 64;

/// The median over the rounds, in microseconds for one exchange.
fn microseconds(scene: &Scene) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (mut spent, mut runs) = (Duration::ZERO, 0u32);
            while spent < ROUND {
                let mut copies: Vec<_> = (0..BATCH).map(|_| scene.prepared()).collect();
                let start = Instant::now();
                let outcomes: Vec<_> = copies.drain(..).map(|prepared| scene.run(prepared)).collect();
                spent += start.elapsed();
                runs += u32::try_from(outcomes.len()).unwrap_or(u32::MAX);
            }
            spent.as_secs_f64() * 1e6 / f64::from(runs)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.swap_remove(ROUNDS / 2)
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
