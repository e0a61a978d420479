//! Reads the core's own source and holds it to the house's order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The longest file, in lines.
const LINES: usize = 450;

/// Every module of the core, values first. A module names those before it, and no other. A folder counts as one module,
/// but for the two roles.
const ORDER: &[&str] = &[
    // Values and their readers.
    "refusal",
    "secret",
    "address",
    "crypto",
    "uri",
    "http",
    "json",
    "env",
    "store",
    "audit",
    "budget",
    "redirect",
    "resource",
    "scope",
    "pkce",
    "question",
    "jose",
    // The protocol between core and host.
    "exchange",
    // Tokens and the grant.
    "keys",
    "token",
    "grant_record",
    "grant",
    // What the endpoints share.
    "authorization_server::config_reader",
    "authorization_server::config_clients",
    "authorization_server::config",
    "authorization_server::server",
    "authorization_server::route",
    "authorization_server::rule",
    "authorization_server::page",
    "authorization_server::reply",
    "authorization_server::ticket",
    "authorization_server::clients",
    "authorization_server::consent_page",
    "authorization_server::approval",
    "authorization_server::mint",
    "authorization_server::access",
    "authorization_server::session",
    "authorization_server::registration",
    // The endpoints.
    "authorization_server::metadata",
    "authorization_server::jwks",
    "authorization_server::authorize",
    "authorization_server::consent",
    "authorization_server::sign_in",
    "authorization_server::token",
    "authorization_server::revoke",
    "authorization_server::introspect",
    "authorization_server::register",
    "authorization_server::manage",
    "authorization_server::operations",
    // The roles.
    "authorization_server",
    "protected_resource::challenge",
    "protected_resource::check",
    "protected_resource",
    // For tests of hosts, stores and forks; behind a feature.
    "generators::target",
    "generators::objects",
    "generators::records",
    "generators::requests",
    "generators::journeys",
    "generators::invariants",
    "generators",
];

const ENDPOINTS: &[&str] = &[
    "metadata",
    "jwks",
    "authorize",
    "consent",
    "sign_in",
    "token",
    "revoke",
    "introspect",
    "register",
    "manage",
    "operations",
];

/// The cryptography crates, and the one place that may name each.
const CRYPTO: &[(&str, &str)] = &[
    ("sha2", "crypto"),
    ("hmac", "crypto"),
    ("chacha20", "crypto"),
    ("chacha20poly1305", "crypto"),
    ("p256", "crypto"),
    ("ed25519_dalek", "crypto"),
    ("rsa", "crypto"),
    ("aws_lc_rs", "crypto"),
    ("base64", "crypto"),
    ("subtle", "secret"),
    ("zeroize", "secret"),
];

/// Packages that are in the lock file in more than one version, and why that is bearable.
const TWICE: &[(&str, &str)] = &[("syn", "macros alone: nothing of it ships")];

struct Source {
    path: PathBuf,
    /// The module by its path below the crate, such as `authorization_server::token`.
    module: String,
    lines: usize,
    /// The code alone: without comments, and without the tests at the bottom.
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).expect("the file can be read")
}

fn sources() -> Vec<Source> {
    let mut folders = vec![root().join("src")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let relative = path.strip_prefix(root().join("src")).unwrap().with_extension("");
            let module: Vec<_> =
                relative.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod").collect();
            let shipped = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
            let code =
                shipped.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            sources.push(Source { module: module.join("::"), lines: text.lines().count(), code, path });
        }
    }
    assert!(sources.len() > 40);
    sources.into_iter().filter(|source| source.module != "lib").collect()
}

/// The entry of [`ORDER`] that a path of modules belongs to.
fn place(path: &[String]) -> Option<usize> {
    (1..=path.len()).rev().find_map(|length| ORDER.iter().position(|known| *known == path[..length].join("::")))
}

/// The module paths that a file's code names by `crate::` and `super::`, braces unfolded one level.
fn named(source: &Source) -> BTreeSet<Vec<String>> {
    let mut named = BTreeSet::new();
    let path: Vec<String> = source.module.split("::").map(str::to_owned).collect();
    let word =
        |text: &str| text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap().to_owned();
    for (start, base) in [("crate::", Vec::new()), ("super::", path[..path.len() - 1].to_vec())] {
        // In `mod.rs`, `super` is the same place as in any other file: one above the module.
        for (at, _) in source.code.match_indices(start) {
            let boundary = at == 0
                || !source.code[..at]
                    .ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':');
            if !boundary {
                continue;
            }
            let mut rest = &source.code[at + start.len()..];
            let mut found = base.clone();
            loop {
                if let Some(inside) = rest.strip_prefix('{') {
                    for item in inside.split('}').next().unwrap().split(',') {
                        let mut deeper = found.clone();
                        deeper.extend(item.trim().split("::").map(word));
                        named.insert(deeper);
                    }
                    break;
                }
                let name = word(rest);
                rest = &rest[name.len()..];
                found.push(name);
                match rest.strip_prefix("::") {
                    Some(next) => rest = next,
                    None => break,
                }
            }
            named.insert(found);
        }
    }
    named
}

#[test]
fn imports_run_downwards_only() {
    let mut known = BTreeSet::new();
    let mut wrong = Vec::new();
    for source in sources() {
        let path: Vec<String> = source.module.split("::").map(str::to_owned).collect();
        let own = place(&path).unwrap_or_else(|| panic!("{} has no place in the order", source.module));
        known.insert(ORDER[own]);
        for other in named(&source) {
            match place(&other) {
                Some(other) if other > own => wrong.push(format!("{} names {}", source.module, ORDER[other])),
                _ => {}
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let gone: Vec<_> = ORDER.iter().filter(|module| !known.contains(*module)).collect();
    assert!(gone.is_empty(), "{gone:?} are in the order and not in the source");
}

#[test]
fn endpoints_never_name_each_other_and_no_other_role_names_one() {
    let is_endpoint =
        |path: &[String]| path.len() > 1 && path[0] == "authorization_server" && ENDPOINTS.contains(&path[1].as_str());
    for source in sources() {
        let path: Vec<String> = source.module.split("::").map(str::to_owned).collect();
        if source.module == "authorization_server" {
            continue;
        }
        for other in named(&source).iter().filter(|other| is_endpoint(other)) {
            assert_eq!(path[..2], other[..2], "{} names an endpoint", source.module);
        }
    }
}

#[test]
fn one_place_names_each_cryptography_crate() {
    for source in sources() {
        for (name, home) in CRYPTO {
            let names = |pattern: String| {
                source.code.match_indices(&pattern).any(|(at, _)| {
                    !source.code[..at]
                        .ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':')
                })
            };
            // A subkey that the cipher derives is wiped where it is made.
            let homes: &[&str] = if *name == "zeroize" { &[home, "crypto"] } else { &[home] };
            let at_home = source.module.split("::").next().is_some_and(|module| homes.contains(&module));
            assert!(at_home || !names(format!("{name}::")), "{} names {name}", source.module);
        }
    }
}

#[test]
fn a_file_is_short() {
    for source in sources() {
        assert!(source.lines <= LINES, "{} has {} lines", source.path.display(), source.lines);
    }
}

#[test]
fn the_core_is_written_without_std_and_without_unsafe_code() {
    let library = read("src/lib.rs");
    assert!(library.lines().any(|line| line == "#![no_std]"));
    assert!(library.contains("#[cfg(test)]\nextern crate std;"));
    for source in sources() {
        assert!(!source.code.contains("std::"), "{} names std", source.module);
        let is_unsafe =
            ["unsafe {", "unsafe fn", "unsafe impl", "unsafe("].iter().any(|text| source.code.contains(text));
        assert!(!is_unsafe, "{} is unsafe", source.module);
    }
    assert!(read("Cargo.toml").contains("[lints]\nworkspace = true"));
    let lints = read("../Cargo.toml");
    let lints = lints.split("[workspace.lints.rust]").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(lints.contains("unsafe_code = \"forbid\""));
}

#[test]
fn no_dependency_of_the_default_build_asks_for_std() {
    let arguments = [
        "tree",
        "--offline",
        "--locked",
        "-p",
        "lockstep-oauth",
        "-e",
        "normal,features,no-proc-macro",
        "--prefix",
        "none",
    ];
    let tree = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.lines().count() > 50);
    let asks: BTreeSet<&str> = tree.lines().filter(|line| line.contains("feature \"std\"")).collect();
    assert!(asks.is_empty(), "{asks:?}");
}

/// Slow, because it compiles everything anew; `make prove` runs it. Linking std would bring a second panic handler.
#[test]
#[ignore = "compiles every dependency"]
fn the_core_links_without_std() {
    let package = root().join("tests/data/without_std");
    let target = root().join("../target/without_std");
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--target-dir"])
        .arg(target)
        .current_dir(package)
        .output();
    let build = build.expect("cargo runs");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
}

#[test]
fn the_model_checkers_configuration_is_no_feature() {
    assert!(!read("Cargo.toml").contains("lockstep_model"));
    let mut uses = 0;
    for source in sources() {
        for (at, _) in source.code.match_indices("lockstep_model") {
            let before = &source.code[..at];
            let fine = ["cfg(", "cfg(not(", "cfg_attr("].iter().any(|start| before.ends_with(start));
            assert!(fine, "{} uses the model's configuration otherwise than as one", source.module);
            uses += 1;
        }
    }
    assert!(uses > 10);
    // Beside derived traits there are a few written ones, and the bound that asks for them. Nothing else may depend on it.
    let items = [
        "impl PartialEq for ",
        "impl Eq for ",
        "impl core::hash::Hash for ",
        "pub trait ModelState",
        "impl<T> ModelState for T {}",
        "impl<T: Clone + Eq + core::hash::Hash> ModelState for T {}",
    ];
    for source in sources() {
        let lines: Vec<&str> = source.code.lines().collect();
        let depends = |line: &str| line.contains("lockstep_model") && !line.contains("cfg_attr");
        for pair in lines.windows(2).filter(|pair| depends(pair[0])) {
            let is_trait = items.iter().any(|item| pair[1].starts_with(item));
            assert!(is_trait, "{}: {} depends on the model's configuration", source.module, pair[1]);
        }
        assert!(!source.code.contains("cfg!("), "{} asks for a configuration as it runs", source.module);
    }
    for source in sources() {
        for derive in source.code.split("#[cfg_attr(lockstep_model, derive(").skip(1) {
            let derived = derive.split(')').next().unwrap();
            let all = ["Clone", "PartialEq", "Eq", "Hash"];
            assert!(derived.split(", ").all(|name| all.contains(&name)), "{}: {derived}", source.module);
        }
    }
}

#[test]
fn no_package_is_locked_in_two_versions_without_a_reason() {
    let lock = read("../Cargo.lock");
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for name in lock.lines().filter_map(|line| line.strip_prefix("name = ")) {
        *versions.entry(name.trim_matches('"')).or_default() += 1;
    }
    let twice: Vec<&str> = versions.iter().filter(|(_, count)| **count > 1).map(|(name, _)| *name).collect();
    assert_eq!(twice, TWICE.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let ours = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    assert!(lock.lines().filter(|line| line.starts_with("source = ")).all(|line| line == ours));
    assert!(["openssl", "openssl-sys", "native-tls", "ring"].iter().all(|name| !versions.contains_key(name)));
}
