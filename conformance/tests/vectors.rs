//! The vectors: as committed, from their JSON alone, all of them, and nothing left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use lockstep_conformance::replay::replay;
use lockstep_conformance::scenarios::{self, area_of, ending, refusal_of};
use lockstep_conformance::transcript::{Call, Vector};
use lockstep_conformance::{refusals_page, world};
use lockstep_oauth::refusal::ALL;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Refusals without a vector, each with its reason. There are none.
const UNREACHED: [(&str, &str); 0] = [];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn manifest() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join("manifest.json")).unwrap()).unwrap()
}

/// Every committed vector, read strictly, in the manifest's order.
fn vectors() -> Vec<Vector> {
    let manifest = manifest();
    let ids = manifest["vectors"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    ids.map(|id| {
        let text = fs::read_to_string(root().join(format!("{id}.json"))).unwrap();
        let vector = Vector::read(&text).unwrap_or_else(|unreadable| panic!("{id}: {unreadable:?}"));
        assert_eq!(vector.id, id);
        vector
    })
    .collect()
}

#[test]
fn what_is_committed_is_what_the_scenarios_tell() {
    let book = scenarios::all();
    assert!(book.problems.is_empty(), "{:#?}", book.problems);
    let mut files: BTreeMap<PathBuf, String> =
        scenarios::files(&book.vectors).into_iter().map(|(path, text)| (root().join(path), text)).collect();
    let mut stale = Vec::new();
    for area in fs::read_dir(root()).unwrap().map(Result::unwrap).filter(|area| area.path().is_dir()) {
        for file in fs::read_dir(area.path()).unwrap().map(Result::unwrap) {
            match files.remove(&file.path()) {
                Some(text) if text == fs::read_to_string(file.path()).unwrap() => {}
                _ => stale.push(file.path()),
            }
        }
    }
    let text = files.remove(&root().join("manifest.json")).unwrap();
    if text != fs::read_to_string(root().join("manifest.json")).unwrap() {
        stale.push(root().join("manifest.json"));
    }
    stale.extend(files.into_keys());
    assert!(stale.is_empty(), "run `cargo run -p lockstep-conformance --bin bless`, and read the diff of {stale:#?}");
}

#[test]
fn every_vector_replays_from_its_json_alone() {
    let manifest = manifest();
    let (mut counted, mut exchanges, mut areas) = (0, 0, BTreeMap::<String, u64>::new());
    for vector in vectors() {
        replay(&vector).unwrap_or_else(|wrong| panic!("{wrong}"));
        counted += 1;
        exchanges += vector.exchanges.len();
        *areas.entry(area_of(&vector.id).to_owned()).or_default() += 1;
    }
    assert_eq!(manifest["count"], json!(counted));
    assert_eq!(manifest["exchanges"], json!(exchanges));
    assert_eq!(manifest["areas"], json!(areas));
    let files = fs::read_dir(root()).unwrap().map(Result::unwrap).filter(|area| area.path().is_dir());
    let files: usize = files.map(|area| fs::read_dir(area.path()).unwrap().count()).sum();
    assert_eq!(files, counted, "files that the manifest does not know");
}

#[test]
fn reading_and_writing_a_vector_gives_the_same_bytes() {
    for vector in vectors() {
        let text = fs::read_to_string(root().join(format!("{}.json", vector.id))).unwrap();
        assert!(vector.write() == text, "{}", vector.id);
    }
}

#[test]
fn every_refusal_has_a_vector() {
    let vectors = vectors();
    let seen: BTreeSet<&str> =
        vectors.iter().flat_map(|vector| vector.exchanges.iter().filter_map(refusal_of)).collect();
    let known: BTreeSet<&str> = ALL.iter().map(|refusal| refusal.id).collect();
    let excused: BTreeSet<&str> = UNREACHED.iter().map(|(id, _)| *id).collect();
    assert!(seen.is_subset(&known), "{:?}", seen.difference(&known));
    let missing: Vec<&&str> = known.difference(&seen).filter(|id| !excused.contains(**id)).collect();
    assert!(missing.is_empty(), "no vector for {missing:?}");
    assert!(excused.is_disjoint(&seen), "no longer unreached: {:?}", excused.intersection(&seen));
}

#[test]
fn every_refusal_is_answered_with_the_status_of_the_table() {
    for vector in vectors() {
        for exchange in &vector.exchanges {
            let Some(id) = refusal_of(exchange) else { continue };
            let refusal = lockstep_oauth::refusal::explain(id).unwrap();
            let status = exchange.outcome["status"].as_u64().unwrap();
            let page = exchange.outcome["headers"].to_string().contains("text/html");
            let expected = match refusal.status {
                302 => 303,
                401 if page && id != "sign_in.token" => 400,
                status => u64::from(status),
            };
            assert_eq!(status, expected, "{}: {id}", vector.id);
            let body = exchange.outcome["body"].as_str().unwrap_or_default();
            let told = |text: &str| {
                body.contains(text) || exchange.outcome["headers"].to_string().contains(&text.replace(' ', "%20"))
            };
            let shown = page || told(refusal.error);
            assert!(shown, "{}: {id} does not name its error", vector.id);
        }
    }
}

#[test]
fn every_endpoint_has_a_success() {
    let vectors = vectors();
    let mut successes: BTreeSet<(String, String)> = BTreeSet::new();
    for exchange in vectors.iter().flat_map(|vector| &vector.exchanges) {
        let fine = ending(&exchange.outcome);
        if !(matches!(fine.as_str(), "allowed" | "issued" | "revoked" | "signed_out")
            || fine.starts_with('2')
            || fine == "303")
        {
            continue;
        }
        match &exchange.call {
            Call::Http(request) => {
                let server = world::serve(&exchange.config, &exchange.keys);
                let route = server.route(&request.path).map(|route| format!("{route:?}")).unwrap_or_default();
                let route = route.split('(').next().unwrap_or_default().to_owned();
                successes.insert((route, request.method.clone()));
            }
            Call::Check(_) | Call::Operate(_) => {
                successes.insert((fine, String::new()));
            }
        }
    }
    let wanted = [
        ("Metadata", "GET"),
        ("Metadata", "HEAD"),
        ("ResourceMetadata", "GET"),
        ("Document", "GET"),
        ("Authorize", "GET"),
        ("Authorize", "POST"),
        ("Consent", "GET"),
        ("Consent", "POST"),
        ("SignIn", "GET"),
        ("SignIn", "POST"),
        ("Token", "POST"),
        ("Token", "OPTIONS"),
        ("Revoke", "POST"),
        ("Introspect", "POST"),
        ("Register", "POST"),
        ("Manage", "GET"),
        ("Manage", "PUT"),
        ("Manage", "DELETE"),
        ("Jwks", "GET"),
        ("allowed", ""),
        ("issued", ""),
        ("revoked", ""),
        ("signed_out", ""),
    ];
    for (route, method) in wanted {
        assert!(successes.contains(&(route.to_owned(), method.to_owned())), "no success of {method} {route}");
    }
}

#[test]
fn titles_are_sentences_and_slugs_are_unique() {
    let mut slugs = BTreeSet::new();
    for vector in vectors() {
        assert!(vector.title.ends_with('.'), "{}", vector.id);
        assert!(vector.why.ends_with(['.', '?']) && !vector.spec.is_empty(), "{}", vector.id);
        let (area, slug) = vector.id.split_once('/').unwrap();
        assert!(slugs.insert(format!("{area}/{}", &slug[3..])), "{}", vector.id);
    }
}

#[test]
fn a_vector_that_is_changed_anywhere_is_noticed() {
    let vector = vectors()
        .into_iter()
        .find(|vector| vector.id.ends_with("-redeemed") && vector.id.starts_with("token/"))
        .unwrap();
    let text = vector.write();
    for (from, to) in [
        ("\"committed\": \"committed\"", "\"committed\": \"conflict\""),
        ("\"expires_in\\\":3600", "\"expires_in\\\":3601"),
        ("\"refusal\": null", "\"refusal\": \"token.code.raced\""),
        ("\"now\":1800000000", "\"now\":1800000001"),
        ("\"event\": \"token.issued\"", "\"event\": \"token.repeated\""),
        ("\"version\": 178806632752601", "\"version\": 178806632752602"),
    ] {
        assert!(text.contains(from), "{from}");
        let changed = Vector::read(&text.replacen(from, to, 1)).unwrap();
        assert!(replay(&changed).is_err(), "{from}");
    }
    for (from, to) in
        [("\"peer\":", "\"pear\":"), ("\"id\":", "\"why\": \"twice\", \"id\":"), ("\"steps\"", "\"step\"")]
    {
        assert!(Vector::read(&text.replacen(from, to, 1)).is_err(), "{from}");
    }
}

#[test]
fn the_page_of_refusals_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/REFUSALS.md");
    assert!(refusals_page::homeless().is_empty(), "{:?}", refusals_page::homeless());
    assert!(
        fs::read_to_string(path).unwrap() == refusals_page::page(),
        "run `cargo run -p lockstep-conformance --bin bless`"
    );
}
