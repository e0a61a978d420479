//! Writes the vectors, their manifest and `docs/REFUSALS.md`; with `--check`, says whether they are up to date instead.
#![allow(clippy::print_stderr, reason = "a tool talks to the person who runs it")]

use lockstep_conformance::{refusals_page, scenarios};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let check = env::args().skip(1).any(|argument| argument == "--check");
    let book = scenarios::all();
    for problem in &book.problems {
        eprintln!("{problem}");
    }
    if !book.problems.is_empty() {
        eprintln!("nothing was written: {} scenarios do not end as they say", book.problems.len());
        return ExitCode::FAILURE;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vectors = root.join("vectors");
    let mut files: Vec<(PathBuf, String)> =
        scenarios::files(&book.vectors).into_iter().map(|(path, text)| (vectors.join(path), text)).collect();
    files.push((root.join("../docs/REFUSALS.md"), refusals_page::page()));
    match settle(&vectors, &files, check) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(stale) if check => {
            eprintln!(
                "{stale} files are not up to date; run `cargo run -p lockstep-conformance --bin bless`, and read the diff"
            );
            ExitCode::FAILURE
        }
        Ok(changed) => {
            eprintln!("{changed} files changed; read the diff");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes what has changed and removes what is left over, or only counts it.
fn settle(vectors: &Path, files: &[(PathBuf, String)], check: bool) -> io::Result<usize> {
    let mut changed = 0;
    for (path, text) in files {
        if fs::read_to_string(path).is_ok_and(|present| present == *text) {
            continue;
        }
        changed += 1;
        eprintln!("{}", path.display());
        if !check {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, text)?;
        }
    }
    let wanted: BTreeSet<&Path> = files.iter().map(|(path, _)| path.as_path()).collect();
    for area in fs::read_dir(vectors)?.collect::<io::Result<Vec<_>>>()? {
        if !area.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(area.path())?.collect::<io::Result<Vec<_>>>()? {
            if !wanted.contains(file.path().as_path()) {
                changed += 1;
                eprintln!("{} (left over)", file.path().display());
                if !check {
                    fs::remove_file(file.path())?;
                }
            }
        }
    }
    Ok(changed)
}
