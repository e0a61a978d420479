//! Walking through a whole world with stateright.

use crate::search::{Found, nearest};
use crate::story::{replays, tell};
use crate::world::World;
use crate::worlds::{Entry, Size};
use stateright::{Checker, Model};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// What was found in a world.
#[derive(Debug)]
pub struct Verdict {
    /// The world.
    pub world: World,
    /// How many different states it has.
    pub unique: usize,
    /// How many states were generated on the way.
    pub generated: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// What is wrong: a law that does not hold, something that never happens, another number of states.
    pub problems: Vec<String>,
}

/// Walks through all of a world.
pub fn walk(entry: &Entry, size: Size) -> Verdict {
    let began = Instant::now();
    let threads = available_parallelism().map_or(1, usize::from);
    let checker = (entry.make)(size).checker().threads(threads).spawn_bfs().join();
    let world = (entry.make)(size);
    let (unique, generated) = (checker.unique_state_count(), checker.state_count());
    let elapsed = began.elapsed();
    let mut problems = Vec::new();
    let found = checker.discoveries();
    for law in &world.laws {
        match (law.always, found.contains_key(law.name)) {
            (true, false) => {}
            (false, true) => {
                // What happens can be shown to others: the shortest way there is a vector that replays.
                let Found::Path(_, path) = nearest(&world, law, usize::MAX) else { continue };
                if let Err(wrong) = replays(&world, law, &path) {
                    problems.push(format!("the story does not replay: {}: {wrong}", law.name));
                }
            }
            (false, false) => problems.push(format!("it never happens that {}", law.name)),
            (true, true) => {
                let mut problem = format!("this does not hold: {}", law.name);
                if let Found::Path(_, path) = nearest(&world, law, usize::MAX) {
                    for (number, line) in tell(&world, &path).iter().enumerate() {
                        problem.push_str(&format!("\n{:3}. {line}", number + 1));
                    }
                }
                problems.push(problem);
            }
        }
    }
    Verdict { world, unique, generated, elapsed, problems }
}
