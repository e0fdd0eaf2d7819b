//! What a table costs its readers after many small commits.

use super::Bench;
use super::bronze::Files;
use super::lake::Lake;
use super::measure::{Measured, Program};
use super::plan::{Batch, Keys, Spread, changes};
use super::scene::{Changes, Table};
use super::table::{AGAINST_OURSELVES, Section, verdict};
use crate::failure::HarnessError;

/// Rows of the table.
const ROWS: u64 = 1_000_000;
/// Changes of one commit.
const CHANGES: u64 = 100;
/// Reads of the table at each point; medians are shown.
const READS: usize = 5;

/// The name of a reading in the results.
fn after(commits: u64) -> String {
    match commits {
        0 => "fresh".to_owned(),
        1 => "after 1 commit".to_owned(),
        _ => format!("after {commits} commits"),
    }
}

/// Merges one small file after another and reads the table at the numbers of commits given.
pub(super) async fn run(bench: &Bench, points: &[u64]) -> Result<Vec<Section>, HarnessError> {
    let rows = ROWS / bench.options.shrink;
    let keys = Keys { rows, stride: 1 };
    let (mut table, load) = Table::open_ours(bench, "small", keys, bench.buckets(rows)).await?;
    let batch = Batch {
        changes: points.iter().copied().max().unwrap_or_default() * CHANGES,
        mix: [100, 0, 0],
        spread: Spread::Uniform,
        first: 1,
        new_from: keys.at(rows),
    };
    let planned = changes(keys, &batch, bench.options.seed);
    let written = table.changes(&planned, CHANGES as usize)?;
    let about = format!("reading all {rows} rows with DuckDB after commits of {CHANGES} changes");
    let mut reads = Section::new(about, "rows", rows);
    reads.note(match bench.options.maintain_every {
        0 => "maintained by the job alone".to_owned(),
        every => format!("`medallion maintain` after every {every} commits, beside the job's own"),
    });
    table.restore();
    let commits = commit_and_read(bench, &table, &written, points, &mut reads).await?;
    let expected = table.expected(&written).await?;
    table.check(&expected).await?;
    reads.note(format!("state: {} rows, as Bronze demands", expected.rows));
    table.close().await?;
    Ok(vec![load, reads, commits])
}

/// Commits file after file; gives what the commits took. Reads go into their own section.
async fn commit_and_read(
    bench: &Bench,
    table: &Table<'_>,
    written: &Changes,
    points: &[u64],
    reads: &mut Section,
) -> Result<Section, HarnessError> {
    let last = written.files.keys.len() as u64;
    let mut commits = Section::new(format!("commits of {CHANGES} changes"), "changes", CHANGES);
    let fresh = read(bench, &table.lake, 0, reads).await?;
    for (number, key) in (1..).zip(&written.files.keys) {
        let one = Files { keys: vec![key.clone()], bytes: 0 };
        table.lake.take(&written.bronze.folder, &one)?;
        let (measured, said) = bench.silver(&table.lake).await?;
        let every = bench.options.maintain_every;
        if every > 0 && number % every == 0 {
            commits.add("medallion maintain", maintain(bench, &table.lake).await?);
        }
        // They show whether planning stays fast.
        if number <= 10 {
            commits.add("first ten commits", measured);
        } else if number + 10 > last {
            commits.add("last ten commits", measured);
        }
        if points.contains(&number) {
            bench.printer.print("commits", &format!("{number}: {said}"));
            let wall = read(bench, &table.lake, number, reads).await?;
            let ratio = wall / fresh;
            reads.note(format!(
                "{}: {ratio:.2} times the fresh table's wall time; at most {AGAINST_OURSELVES}: {}",
                after(number),
                verdict(ratio <= AGAINST_OURSELVES)
            ));
        }
    }
    Ok(commits)
}

/// Reads the table some times; gives the median of the wall times.
async fn read(
    bench: &Bench,
    lake: &Lake,
    commits: u64,
    section: &mut Section,
) -> Result<f64, HarnessError> {
    let metadata = lake.table().await?.metadata_location().to_owned();
    let variables = lake.variables(&bench.fixtures);
    let reader = bench.peers.reader(&metadata, &lake.s3_address(), variables)?;
    let mut walls = Vec::new();
    for _ in 0..READS {
        let before = lake.traffic();
        let (measured, _) = reader.measure_step(&bench.fixtures).await?;
        let traffic = lake.traffic().since(&before);
        walls.push(measured.wall_seconds);
        section.add(
            &after(commits),
            Measured {
                read_bytes: Some(traffic.total().read),
                written_bytes: None,
                requests: Some(traffic.requests),
                ..measured
            },
        );
    }
    Ok(super::super::table::median(walls))
}

async fn maintain(bench: &Bench, lake: &Lake) -> Result<Measured, HarnessError> {
    let table = lake.contract.table.to_string();
    // The commits of days come within minutes here, and no reader is at work meanwhile.
    let program = Program::new(&bench.options.program);
    let program = program.args(["maintain", "--table", &table, "--readers", "0s"]);
    let program = program.variables(lake.variables(&bench.fixtures));
    let before = lake.traffic();
    let (measured, _) = program.measure(&bench.fixtures).await?;
    let traffic = lake.traffic().since(&before);
    Ok(Measured {
        read_bytes: Some(traffic.total().read),
        written_bytes: Some(traffic.total().written),
        requests: Some(traffic.requests),
        ..measured
    })
}
