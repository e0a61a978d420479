//! The scenarios behind the vectors, one file an area. `bless` runs them and writes down what happened; each one says
//! beforehand how it must end, so that nothing wrong is blessed by accident.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::type_complexity,
    reason = "a scenario that goes wrong fails loudly, and a table's row is a tuple"
)]

// Tables: one vector reads on one line, as far as it can.
#[rustfmt::skip]
mod authorize;
#[rustfmt::skip]
mod check;
#[rustfmt::skip]
mod cimd;
#[rustfmt::skip]
mod client_auth;
#[rustfmt::skip]
mod consent;
#[rustfmt::skip]
mod introspect;
#[rustfmt::skip]
mod journeys;
#[rustfmt::skip]
mod jwks;
#[rustfmt::skip]
mod manage;
#[rustfmt::skip]
mod metadata;
#[rustfmt::skip]
mod operate;
#[rustfmt::skip]
mod records;
#[rustfmt::skip]
mod refresh;
#[rustfmt::skip]
mod register;
#[rustfmt::skip]
mod revoke;
#[rustfmt::skip]
mod sign_in;
#[rustfmt::skip]
mod token;

use crate::transcript::{Transcript, Vector};
use crate::world::World;
use serde_json::{Value, json};

/// Everything that the scenarios told.
#[derive(Debug, Default)]
pub struct Book {
    /// The vectors in order.
    pub vectors: Vec<Vector>,
    /// Scenarios that did not end as they say.
    pub problems: Vec<String>,
    area: &'static str,
}

/// What no standard demands: our own rules, and how the scenarios call them.
const OURS: [(&str, &str); 4] = [
    ("D3", "Lockstep: a subject's counter only grows"),
    ("D4", "Lockstep: validate, gate, answer"),
    ("D5", "Lockstep: tokens are derived, never stored"),
    ("D6", "Lockstep: rotation survives lost answers"),
];

/// What a scenario says about itself.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    /// The file's name, without its number.
    slug: &'a str,
    /// What it shows, as a sentence.
    title: &'a str,
    /// Sections, and ids of the catalogues, with `; ` between them.
    spec: &'a str,
    /// Why it matters.
    why: &'a str,
    /// How each exchange ends: a refusal's id, a status, `allowed`, or what was operated; with spaces between them.
    ends: &'a str,
}

const fn case<'a>(slug: &'a str, title: &'a str, spec: &'a str, why: &'a str, ends: &'a str) -> Case<'a> {
    Case { slug, title, spec, why, ends }
}

impl Book {
    fn area(&mut self, area: &'static str) {
        self.area = area;
    }

    /// A vector of the last exchange of a world.
    fn one(&mut self, case: Case<'_>, live: impl FnOnce() -> World) {
        let world = live();
        self.keep(case, &world, world.count() - 1);
    }

    /// A vector of all exchanges of a world.
    fn journey(&mut self, case: Case<'_>, live: impl FnOnce() -> World) {
        let world = live();
        self.keep(case, &world, 0);
    }

    fn keep(&mut self, case: Case<'_>, world: &World, first: usize) {
        let (exchanges, order) = world.transcripts(first);
        let number = self.vectors.iter().filter(|vector| area_of(&vector.id) == self.area).count() + 1;
        let id = format!("{}/{number:02}-{}", self.area, case.slug);
        let ends: Vec<String> = exchanges.iter().map(|exchange| ending(&exchange.outcome)).collect();
        if ends.join(" ") != case.ends {
            self.problems.push(format!("{id}: ends with {}, not with {}", ends.join(" "), case.ends));
        }
        let order = if exchanges.len() > 1 { order } else { Vec::new() };
        self.vectors.push(Vector {
            id,
            title: case.title.to_owned(),
            spec: case
                .spec
                .split("; ")
                .map(|cited| OURS.iter().find(|(short, _)| *short == cited).map_or(cited, |(_, name)| name).to_owned())
                .collect(),
            why: case.why.to_owned(),
            exchanges,
            order,
        });
    }
}

/// The area of a vector's id.
pub fn area_of(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}

/// How an outcome ends, in a word.
pub fn ending(outcome: &Value) -> String {
    let text = |name: &str| outcome.get(name).and_then(Value::as_str).map(str::to_owned);
    if outcome.get("allowed").is_some() {
        return "allowed".to_owned();
    }
    let status = || outcome.get("status").map(Value::to_string);
    text("refusal").or_else(|| text("operated")).or_else(status).unwrap_or_else(|| "unfinished".to_owned())
}

/// Runs every scenario.
pub fn all() -> Book {
    let mut book = Book::default();
    let areas: [(&'static str, fn(&mut Book)); 17] = [
        ("authorize", authorize::scenarios),
        ("consent", consent::scenarios),
        ("token", token::scenarios),
        ("refresh", refresh::scenarios),
        ("revoke", revoke::scenarios),
        ("introspect", introspect::scenarios),
        ("register", register::scenarios),
        ("manage", manage::scenarios),
        ("metadata", metadata::scenarios),
        ("jwks", jwks::scenarios),
        ("sign_in", sign_in::scenarios),
        ("check", check::scenarios),
        ("operate", operate::scenarios),
        ("cimd", cimd::scenarios),
        ("client_auth", client_auth::scenarios),
        ("journeys", journeys::scenarios),
        ("records", records::scenarios),
    ];
    for (area, scenarios) in areas {
        book.area(area);
        scenarios(&mut book);
    }
    book
}

/// The files that the vectors make: path under `vectors/`, and text. The manifest comes last.
pub fn files(vectors: &[Vector]) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> =
        vectors.iter().map(|vector| (format!("{}.json", vector.id), vector.write())).collect();
    let mut areas = serde_json::Map::new();
    for vector in vectors {
        let count = areas.entry(area_of(&vector.id)).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }
    let exchanges: usize = vectors.iter().map(|vector| vector.exchanges.len()).sum();
    let ids: Vec<&str> = vectors.iter().map(|vector| vector.id.as_str()).collect();
    let manifest = json!({ "areas": areas, "vectors": ids, "count": ids.len(), "exchanges": exchanges });
    files.push(("manifest.json".to_owned(), format!("{manifest:#}\n")));
    files
}

/// The refusals that an exchange's outcome names.
pub fn refusal_of(exchange: &Transcript) -> Option<&str> {
    exchange.outcome.get("refusal").and_then(Value::as_str)
}
