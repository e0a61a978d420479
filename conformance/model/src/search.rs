//! The shortest way to a state, by an exact search of our own: a story should have no step too many.

use crate::laws::Law;
use crate::state::State;
use crate::world::{Action, World};
use stateright::Model;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What happened, from the beginning of a world to its last state.
#[derive(Debug)]
pub struct Path {
    /// The first state.
    pub beginning: State,
    /// What happened, and the state that it led to.
    pub steps: Vec<(Action, State)>,
}

impl Path {
    /// The last state.
    pub fn end(&self) -> &State {
        self.steps.last().map_or(&self.beginning, |(_, state)| state)
    }
}

/// What a search came to.
#[derive(Debug)]
pub enum Found {
    /// The law that decided it, and the shortest way to a state that breaks it, or shows it.
    Path(&'static Law, Path),
    /// There is no such state among all of this many.
    Nothing(usize),
    /// None was found among this many states, and there are more.
    GivenUp(usize),
}

/// Looks for the nearest state that breaks one of the world's laws.
pub fn broken(world: &World, limit: usize) -> Found {
    let laws: Vec<&'static Law> = world.laws.iter().copied().filter(|law| law.always).collect();
    search(world, &laws, limit)
}

/// Looks for the nearest state that breaks `law`, or that shows it if it is something that must happen.
pub fn nearest(world: &World, law: &'static Law, limit: usize) -> Found {
    search(world, &[law], limit)
}

fn search(world: &World, laws: &[&'static Law], limit: usize) -> Found {
    // Every state is known by its number; of each the way to it is kept.
    let mut numbers: HashMap<State, usize> = HashMap::new();
    let mut ways: Vec<Option<(usize, Action)>> = Vec::new();
    let mut level: Vec<State> = Vec::new();
    let decides = |state: &State| laws.iter().copied().find(|law| (law.holds)(world, state) != law.always);
    let mut found = None;
    for state in world.init_states() {
        found = found.or(decides(&state).map(|law| (law, ways.len())));
        numbers.insert(state.clone(), ways.len());
        ways.push(None);
        level.push(state);
    }
    while found.is_none() && !level.is_empty() && ways.len() < limit {
        let mut next_level = Vec::new();
        'level: for state in &level {
            let from = numbers[state];
            let mut actions = Vec::new();
            world.actions(state, &mut actions);
            for action in actions {
                let Some(next) = world.next_state(state, action.clone()) else { continue };
                if let Entry::Vacant(entry) = numbers.entry(next.clone()) {
                    entry.insert(ways.len());
                    ways.push(Some((from, action)));
                    if let Some(law) = decides(&next) {
                        found = Some((law, ways.len() - 1));
                        break 'level;
                    }
                    next_level.push(next);
                }
            }
        }
        level = next_level;
    }
    match found {
        Some((law, number)) => Found::Path(law, path(world, &ways, number)),
        None if level.is_empty() => Found::Nothing(ways.len()),
        None => Found::GivenUp(ways.len()),
    }
}

fn path(world: &World, ways: &[Option<(usize, Action)>], number: usize) -> Path {
    let mut actions = Vec::new();
    let mut at = number;
    while let Some((from, action)) = &ways[at] {
        actions.push(action.clone());
        at = *from;
    }
    actions.reverse();
    let beginning = world.init_states().swap_remove(0);
    let mut steps: Vec<(Action, State)> = Vec::new();
    for action in actions {
        let last = steps.last().map_or(&beginning, |(_, state)| state);
        let next = world.next_state(last, action.clone());
        let next = next.unwrap_or_else(|| panic!("what was possible once is possible again"));
        steps.push((action, next));
    }
    Path { beginning, steps }
}
