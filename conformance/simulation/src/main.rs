//! `--seed N` tells the story of one run; `--seeds N [--from M]` runs many.
#![allow(clippy::print_stdout, reason = "this is what the program is for")]

use lockstep_simulation::coverage::Coverage;
use lockstep_simulation::dump::vector;
use lockstep_simulation::plan::Defect;
use lockstep_simulation::run::{Run, Servers};
use lockstep_simulation::simulate;
use lockstep_simulation::witness::INVARIANTS;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "--seed N [--dump FILE] | --seeds N [--from M], and [--defect versions|says|loses]";

struct Arguments {
    seed: Option<u64>,
    seeds: u64,
    from: u64,
    dump: Option<String>,
    defect: Defect,
}

fn arguments() -> Option<Arguments> {
    let mut read = Arguments { seed: None, seeds: 0, from: 0, dump: None, defect: Defect::None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--seed" => read.seed = Some(value.parse().ok()?),
            "--seeds" => read.seeds = value.parse().ok()?,
            "--from" => read.from = value.parse().ok()?,
            "--dump" => read.dump = Some(value),
            "--defect" => {
                read.defect = match value.as_str() {
                    "versions" => Defect::IgnoresVersions,
                    "says" => Defect::SaysCommitted,
                    "loses" => Defect::LosesWrites,
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
    (read.seed.is_some() || read.seeds > 0).then_some(read)
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    let servers = Servers::new();
    match arguments.seed {
        Some(seed) => tell(&servers, seed, &arguments),
        None => many(&servers, &arguments),
    }
}

/// Tells one run.
fn tell(servers: &Servers, seed: u64, arguments: &Arguments) -> ExitCode {
    let mut run = Run::new(servers, seed, arguments.defect, true);
    let finished = run.finish();
    for line in run.story.iter().flatten() {
        println!("{line}");
    }
    let title = match &finished {
        Ok(()) => "Everything held.".to_owned(),
        Err(violation) => format!("{}: {}.", violation.invariant, violation.seen),
    };
    println!("seed {seed}: {title}");
    if let Some(file) = &arguments.dump {
        let why = format!("Seed {seed} of the simulation.");
        let Some(vector) = vector(&run, &format!("simulation/{seed}"), &title, &why) else {
            println!("no exchange has ended");
            return ExitCode::from(2);
        };
        if let Err(error) = std::fs::write(file, vector.write()) {
            println!("{file}: {error}");
            return ExitCode::from(2);
        }
    }
    if finished.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs many, and stops at the first that fails.
fn many(servers: &Servers, arguments: &Arguments) -> ExitCode {
    let (started, mut coverage, mut exchanges) = (Instant::now(), Coverage::default(), 0);
    for seed in arguments.from..arguments.from + arguments.seeds {
        let outcome = simulate(servers, seed, arguments.defect);
        if let Some(violation) = outcome.violation {
            println!("seed {seed}: {}: {}", violation.invariant, violation.seen);
            println!("again: cargo run -p lockstep-simulation -- --seed {seed}");
            return ExitCode::FAILURE;
        }
        coverage.add(&outcome.coverage);
        exchanges += outcome.exchanges;
    }
    for (what, times) in &coverage.0 {
        println!("{times:>12}  {what}");
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = f64::from(u32::try_from(arguments.seeds).unwrap_or(u32::MAX)) / seconds;
    println!("every invariant held: {}", INVARIANTS.join(", "));
    println!("{} seeds, {exchanges} exchanges, {seconds:.1} s, {rate:.0} seeds/s", arguments.seeds);
    let missing = coverage.missing();
    if arguments.seeds >= 300 && !missing.is_empty() {
        println!("never reached: {missing:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
