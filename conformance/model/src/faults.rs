//! Deliberate faults: a checker that finds nothing in a broken core is no checker.
//!
//! Every fault is a small change of the core's text. All of them are made at once to a scratch copy of the workspace, each
//! behind a switch of its own, so that one build serves them all. What ships has no such switch.

mod approvals;
mod grants;
mod more;
mod requests;
pub mod report;

use std::path::{Path, PathBuf};
use std::{fs, io};

/// One fault.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What the broken core does, as a sentence.
    pub does: &'static str,
    /// The changes of the text.
    pub edits: &'static [Edit],
    /// The worlds to look in, in this order.
    pub worlds: &'static [&'static str],
}

/// A change of the text. `PLANTED` stands for the fault's own switch.
#[derive(Debug, Clone, Copy)]
pub struct Edit {
    /// The file, below the core's `src`.
    pub file: &'static str,
    /// What stands there, exactly once.
    pub find: &'static str,
    /// What stands there instead.
    pub replace: &'static str,
}

/// Every fault, in the order of their numbers, which begin with 1.
pub fn all() -> Vec<Fault> {
    [grants::FAULTS, requests::FAULTS, approvals::FAULTS, more::FAULTS].concat()
}

const FAULT_MODULE: &str = "\
//! Which deliberate fault is switched on. This file exists in the scratch copy alone.
use core::sync::atomic::{AtomicU32, Ordering};
static PLANTED: AtomicU32 = AtomicU32::new(0);
/// Switches one fault on, or all off with 0.
pub fn plant(number: u32) { PLANTED.store(number, Ordering::SeqCst); }
pub(crate) fn planted(number: u32) -> bool { PLANTED.load(Ordering::SeqCst) == number }
";

const SWITCH: &str = "\
//! The switch for deliberate faults, in the scratch copy.
/// Switches one fault on, or all off with 0.
pub fn plant(number: u32) -> bool { lockstep_oauth::fault::plant(number); true }
";

/// Makes the scratch copy at `scratch` from the workspace at `root`. Files that are as they should be are left alone, so
/// that nothing is compiled anew without a reason.
///
/// # Errors
/// What is wrong with an edit whose text is not found exactly once, or with a file.
pub fn plant(root: &Path, scratch: &Path) -> Result<usize, String> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for place in ["core", "conformance/src", "conformance/model"] {
        collect(root, Path::new(place), &mut files).map_err(|error| format!("{place}: {error}"))?;
    }
    for name in ["Cargo.toml", "Cargo.lock", "conformance/Cargo.toml"] {
        files.push((name.into(), fs::read(root.join(name)).map_err(|error| format!("{name}: {error}"))?));
    }
    change(&mut files, "Cargo.toml", only_two_members)?;
    change(&mut files, "core/src/lib.rs", |text| once(text, "pub mod exchange;", "pub mod fault;\npub mod exchange;"))?;
    change(&mut files, "conformance/model/src/planting.rs", |_| Ok(SWITCH.to_owned()))?;
    files.push(("core/src/fault.rs".into(), FAULT_MODULE.as_bytes().to_vec()));
    let mut wrong = Vec::new();
    for (number, fault) in (1..).zip(all()) {
        let switch = format!("crate::fault::planted({number})");
        for edit in fault.edits {
            let path = format!("core/src/{}", edit.file);
            let planted =
                change(&mut files, &path, |text| once(text, edit.find, &edit.replace.replace("PLANTED", &switch)));
            wrong.extend(planted.err().map(|what| format!("fault {number} ({}): {what}", fault.does)));
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    let mut written = 0;
    for (path, bytes) in &files {
        let path = scratch.join(path);
        if fs::read(&path).is_ok_and(|present| present == *bytes) {
            continue;
        }
        let folder = path.parent().unwrap_or(scratch);
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, bytes)).map_err(|error| format!("{error}"))?;
        written += 1;
    }
    Ok(written)
}

fn only_two_members(text: &str) -> Result<String, String> {
    let (before, rest) = text.split_once("members = [").ok_or("no members")?;
    let (_, after) = rest.split_once(']').ok_or("no end of the members")?;
    Ok(format!("{before}members = [\"core\", \"conformance\"]{after}"))
}

fn once(text: &str, find: &str, replace: &str) -> Result<String, String> {
    match text.matches(find).count() {
        1 => Ok(text.replacen(find, replace, 1)),
        count => Err(format!("this text occurs {count} times, not once: {find}")),
    }
}

fn change(
    files: &mut [(PathBuf, Vec<u8>)],
    path: &str,
    with: impl FnOnce(&str) -> Result<String, String>,
) -> Result<(), String> {
    let file = files.iter_mut().find(|(known, _)| known == Path::new(path));
    let (_, bytes) = file.ok_or_else(|| format!("{path} is not there"))?;
    let text = String::from_utf8(bytes.clone()).map_err(|_| format!("{path} is no text"))?;
    *bytes = with(&text).map_err(|wrong| format!("{path}: {wrong}"))?.into_bytes();
    Ok(())
}

fn collect(root: &Path, place: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(place))? {
        let entry = entry?;
        let path = place.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                collect(root, &path, files)?;
            }
        } else {
            files.push((path, fs::read(entry.path())?));
        }
    }
    Ok(())
}
