//! Walks through the worlds, and tells how a state is reached.
//!
//! ```text
//! lockstep-model check [large] [WORLD...]          walk through all of these worlds; their sizes must be the known ones
//! lockstep-model count [large] [WORLD...]          the same, and note the sizes down
//! lockstep-model page PAGE [--check]               what PROOFS.md says about the worlds
//! lockstep-model plant DIRECTORY                   a copy of the workspace with every fault of `faults` behind a switch
//! lockstep-model faults PAGE [--check]             in that copy: the law that breaks for each fault, as a page
//! lockstep-model story WORLD TEXT [large] [FILE]   the shortest way to the law whose sentence contains TEXT, also as a vector
//!     ... fault=NUMBER                             the same in that copy, with this fault switched on
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to the person who runs it")]

use lockstep_model::check::{Verdict, walk};
use lockstep_model::faults::{self, plant, report};
use lockstep_model::page;
use lockstep_model::planting;
use lockstep_model::search::{Found, nearest};
use lockstep_model::story::{tell, vector};
use lockstep_model::worlds::{ALL, Size, counted};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

/// How many states a search for a story may look at.
const LIMIT: usize = 5_000_000;

fn main() -> ExitCode {
    let mut words: Vec<String> = env::args().skip(1).collect();
    let large = words.iter().position(|word| word == "large").map(|at| words.remove(at));
    let size = if large.is_some() { Size::Large } else { Size::Small };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = words.iter().find_map(|word| word.strip_prefix("fault=")?.parse().ok());
    let words: Vec<&str> = words.into_iter().filter(|word| !word.starts_with("fault=")).collect();
    match words.as_slice() {
        ["check", names @ ..] => check(size, names, false),
        ["count", names @ ..] => check(size, names, true),
        ["page", path] => described(path, false),
        ["page", path, "--check"] => described(path, true),
        ["plant", scratch] => planted(scratch),
        ["faults", page] => caught(page, false),
        ["faults", page, "--check"] => caught(page, true),
        ["story", world, text] => story(size, world, text, None, number),
        ["story", world, text, file] => story(size, world, text, Some(file), number),
        _ => {
            eprintln!(
                "check|count [large] [WORLD...] | page PAGE [--check] | plant DIRECTORY | faults PAGE [--check] | story WORLD TEXT [large] [FILE]"
            );
            ExitCode::FAILURE
        }
    }
}

fn check(size: Size, names: &[&str], note: bool) -> ExitCode {
    let mut wrong = 0;
    let mut states = 0;
    let began = Instant::now();
    for entry in ALL.iter().filter(|entry| names.is_empty() || names.contains(&entry.name)) {
        let Verdict { world, unique, generated, elapsed, mut problems } = walk(entry, size);
        println!("{}: {unique} states ({generated} generated) in {elapsed:.1?}", world.name);
        let known = counted(entry.name, size);
        if note {
            note_down(entry.name, size, unique);
        } else if problems.is_empty() && known != Some(unique) {
            let known = known.map_or("an unknown number".to_owned(), |known| known.to_string());
            problems.push(format!("instead of {known}: if that was meant, count anew"));
        }
        for problem in &problems {
            eprintln!("{}: {problem}", world.name);
        }
        states += unique;
        wrong += problems.len();
    }
    println!("{states} states in all, in {:.1?}", began.elapsed());
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn note_down(name: &str, size: Size, states: usize) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/counted.txt");
    let text = fs::read_to_string(path).unwrap_or_default();
    let start = format!("{name} {} ", size.name());
    let mut lines: Vec<String> = text.lines().filter(|line| !line.starts_with(&start)).map(str::to_owned).collect();
    lines.push(format!("{start}{states}"));
    lines.sort();
    if let Err(error) = fs::write(path, lines.join("\n") + "\n") {
        eprintln!("{path}: {error}");
    }
}

fn story(size: Size, name: &str, text: &str, file: Option<&str>, fault: Option<u32>) -> ExitCode {
    let Some(entry) = ALL.iter().find(|entry| entry.name == name) else {
        eprintln!("there is no world of that name");
        return ExitCode::FAILURE;
    };
    let world = (entry.make)(size);
    let Some(law) = world.laws.iter().find(|law| law.name.contains(text)) else {
        eprintln!("no law of this world says that");
        return ExitCode::FAILURE;
    };
    if fault.is_some_and(|number| !planting::plant(number)) {
        eprintln!("there are no faults here: do this in the scratch copy that `plant` makes");
        return ExitCode::FAILURE;
    }
    match nearest(&world, law, LIMIT) {
        Found::Path(law, path) => {
            println!("{}", law.name);
            for (number, line) in tell(&world, &path).iter().enumerate() {
                println!("{:3}. {line}", number + 1);
            }
            let Some(file) = file else { return ExitCode::SUCCESS };
            let vector = vector(&world, law, &path);
            if vector.exchanges.is_empty() {
                eprintln!("nobody asks for anything on the way: there is no exchange to write");
                return ExitCode::FAILURE;
            }
            if let Err(error) = fs::write(file, vector.write()) {
                eprintln!("{file}: {error}");
                return ExitCode::FAILURE;
            }
        }
        Found::Nothing(states) => println!("in none of {states} states, which are all"),
        Found::GivenUp(states) => println!("in none of the first {states} states"),
    }
    ExitCode::SUCCESS
}

fn planted(scratch: &str) -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match plant(&root, Path::new(scratch)) {
        Ok(written) => {
            println!("{} faults; {written} files written", faults::all().len());
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::FAILURE
        }
    }
}

fn caught(path: &str, check: bool) -> ExitCode {
    let began = Instant::now();
    let caught = match report::run(|number, one| match &one.by {
        Some((world, _, law, story)) => println!("{number}: {world}, {} steps: {law}", story.len()),
        None => eprintln!("{number}: not caught: {}", one.fault.does),
    }) {
        Ok(caught) => caught,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    let escaped = caught.iter().filter(|one| one.by.is_none()).count();
    println!("{} faults, {escaped} not caught, in {:.1?}", caught.len(), began.elapsed());
    let settled = settle(path, &report::page(&caught), check);
    if escaped > 0 { ExitCode::FAILURE } else { settled }
}

fn described(path: &str, check: bool) -> ExitCode {
    match fs::read_to_string(path).ok().and_then(|text| page::renewed(&text)) {
        Some(text) => settle(path, &text, check),
        None => {
            eprintln!("{path} has no part about the worlds");
            ExitCode::FAILURE
        }
    }
}

/// Writes a generated page, or says whether it is up to date.
fn settle(path: &str, text: &str, check: bool) -> ExitCode {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return ExitCode::SUCCESS;
    }
    if check {
        eprintln!("{path} is out of date; run `make model-pages`, and read the difference");
        return ExitCode::FAILURE;
    }
    match fs::write(path, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
