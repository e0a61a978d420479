//! What PROOFS.md says about the worlds, from the worlds themselves.

use crate::laws::Law;
use crate::world::{Event, World};
use crate::worlds::{ALL, Entry, Size, counted};
use std::fmt::Write;

/// Where the generated part begins.
pub const BEGIN: &str = "<!-- worlds:begin -->\n";
/// Where it ends.
pub const END: &str = "<!-- worlds:end -->\n";

/// The page with its generated part anew; nothing when the page has no such part.
pub fn renewed(page: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{}{END}{after}", block()))
}

fn block() -> String {
    let mut text = String::from(
        "\n| | world | what is in it | in `make test` | states | in `make prove` | states |\n|--|--|--|--|--|--|--|\n",
    );
    let mut totals = [0, 0];
    let mut worlds: Vec<(&Entry, World)> = Vec::new();
    for entry in ALL {
        let (small, large) = ((entry.make)(Size::Small), (entry.make)(Size::Large));
        let states = [Size::Small, Size::Large].map(|size| counted(entry.name, size).unwrap_or_default());
        totals = [totals[0] + states[0], totals[1] + states[1]];
        let (part, about) = (entry.part, small.about);
        let _ = writeln!(
            text,
            "| ({part}) | `{}` | {about} | {} | {} | {} | {} |",
            entry.name,
            bounds(&small),
            spaced(states[0]),
            bounds(&large),
            spaced(states[1]),
        );
        worlds.push((entry, small));
    }
    let _ = writeln!(text, "| | | | all | {} | all | {} |", spaced(totals[0]), spaced(totals[1]));
    text.push_str("\n**What must hold in every state.**\n\n| | the law | in |\n|--|--|--|\n");
    for (law, names) in laws(&worlds, true) {
        let _ = writeln!(text, "| {} | {} | {} |", law.of, law.name, names.join(", "));
    }
    text.push_str("\n**What must happen in some state**, so that no world is empty and every cost is shown:\n\n| this happens | in |\n|--|--|\n");
    for (law, names) in laws(&worlds, false) {
        let _ = writeln!(text, "| {} | {} |", law.name, names.join(", "));
    }
    text.push('\n');
    text
}

/// Each law once, in the order of the worlds, with the worlds that it belongs to; those of the design's invariants first.
fn laws<'a>(worlds: &[(&'a Entry, World)], always: bool) -> Vec<(&'static Law, Vec<&'a str>)> {
    let mut known: Vec<(&'static Law, Vec<&'a str>)> = Vec::new();
    for (entry, world) in worlds {
        for law in world.laws.iter().filter(|law| law.always == always) {
            match known.iter_mut().find(|(other, _)| other.name == law.name) {
                Some((_, names)) => names.push(entry.name),
                None => known.push((law, vec![entry.name])),
            }
        }
    }
    known.sort_by_key(|(law, _)| (law.of.is_empty(), law.of));
    known
}

fn bounds(world: &World) -> String {
    let mut parts: Vec<String> = world
        .actors
        .iter()
        .map(|actor| {
            let at_once = if actor.at_once > 1 { format!(", {} at once", actor.at_once) } else { String::new() };
            format!("{} {}{at_once}", actor.name, actor.requests)
        })
        .collect();
    if world.faults > 0 {
        parts.push(format!("faults {}", world.faults));
    }
    for tick in &world.ticks {
        let times = if tick.times > 1 { format!(" × {}", tick.times) } else { String::new() };
        parts.push(format!("{} s{times}", tick.seconds));
    }
    for (event, _) in &world.events {
        parts.push(match event {
            Event::Deploy(host) => format!("new ring at host {}", host + 1),
            Event::FailOver => "one fail-over".to_owned(),
        });
    }
    if let Some(budget) = world.terms.budget {
        parts.push(format!("budget {budget}"));
    }
    parts.join("; ")
}

fn spaced(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
