//! The floor: plain Arrow and Parquet on local files, the example `silver_floor`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Bench;
use super::measure::{Measured, Program};
use super::scene::Changes;
use super::table::Section;
use crate::failure::HarnessError;

/// The names in the results.
pub(super) const FLOOR: &str = "floor";
pub(super) const FLOOR_AND_BRONZE: &str = "floor and Bronze";

#[derive(Clone, Copy, Debug, Deserialize)]
struct Taken {
    seconds: f64,
    cpu_seconds: f64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Steps {
    keys: Taken,
    bronze: Taken,
    write: Taken,
    read_bytes: u64,
    written_bytes: u64,
}

/// A run of the floor.
pub(super) struct Outcome {
    whole: Measured,
    steps: Steps,
}

fn write_list(path: PathBuf, files: &[PathBuf]) -> Result<PathBuf, HarnessError> {
    let lines: Vec<String> = files.iter().map(|file| format!("{}\n", file.display())).collect();
    match std::fs::write(&path, lines.concat()) {
        Ok(()) => Ok(path),
        Err(source) => Err(HarnessError::WorkFile { path, source }),
    }
}

fn fresh(folder: &Path) -> Result<(), HarnessError> {
    let made = if folder.exists() { std::fs::remove_dir_all(folder) } else { Ok(()) };
    made.and_then(|()| std::fs::create_dir_all(folder))
        .map_err(|source| HarnessError::WorkFile { path: folder.to_owned(), source })
}

/// Reads the key column of all data files, since a batch touches every bucket, and writes what
/// the changes leave, a file for each bucket.
pub(super) async fn run(
    bench: &Bench,
    buckets: u32,
    data: &[PathBuf],
    changes: &Changes,
) -> Result<Outcome, HarnessError> {
    let folder = bench.work.join("floor");
    fresh(&folder)?;
    let bronze: Vec<PathBuf> =
        changes.files.keys.iter().map(|key| changes.bronze.folder.join(key)).collect();
    let program = Program::new(&bench.options.floor)
        .arg(&folder)
        .arg(buckets.to_string())
        .arg(write_list(folder.join("data.txt"), data)?)
        .arg(write_list(folder.join("changes.txt"), &bronze)?);
    let (whole, result) = program.measure(&bench.fixtures).await?;
    let steps = serde_json::from_value(result);
    let steps = steps.map_err(|e| HarnessError::Bench(format!("the floor's result: {e}")))?;
    Ok(Outcome { whole, steps })
}

impl Outcome {
    /// Adds the floor as the budget means it, and the whole program.
    pub(super) fn add_to(&self, section: &mut Section) {
        let Steps { keys, bronze, write, read_bytes, written_bytes } = self.steps;
        let sum = |steps: &[Taken]| Measured {
            wall_seconds: steps.iter().map(|step| step.seconds).sum(),
            cpu_seconds: steps.iter().map(|step| step.cpu_seconds).sum(),
            peak_bytes: self.whole.peak_bytes,
            written_bytes: Some(written_bytes),
            ..Measured::default()
        };
        section.add(FLOOR, sum(&[keys, write]));
        let all = Measured { read_bytes: Some(read_bytes), ..sum(&[keys, bronze, write]) };
        section.add(FLOOR_AND_BRONZE, all);
    }
}
