//! Writes the seeds that the vectors hold into a folder, one folder a target.
#![allow(clippy::print_stderr, reason = "a tool talks to the person who runs it")]

use lockstep_conformance::{scenarios, seeds};
use lockstep_oauth::crypto::{base64url, sha256};
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let Some(folder) = env::args().nth(1) else {
        return Err(io::Error::other("seeds FOLDER"));
    };
    let mut written = 0;
    for (target, seeds) in seeds::seeds(&scenarios::all().vectors) {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        for seed in seeds {
            let name: String = base64url(&sha256(&[&seed])).chars().take(16).collect();
            fs::write(folder.join(name), seed)?;
            written += 1;
        }
    }
    eprintln!("{written} seeds of the vectors");
    Ok(())
}
