//! The bench of Silver: our merge of a batch into a loaded table beside Spark with Iceberg,
//! DuckDB, and the floor, which is plain Arrow and Parquet.
//!
//! All read the same Bronze files and end in the same state, which is checked. The harness serves
//! S3 and Glue to our program, so it is built with optimisation too.

mod bronze;
mod floor;
mod folder;
mod lake;
pub(super) mod measure;
pub(super) mod peers;
mod plan;
pub(super) mod rows;
mod scene;
mod small_commits;
pub(super) mod table;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::bronze::CHANGE_ROWS;
use self::measure::Measured;
use self::peers::{Peers, Way};
use self::plan::{Batch, Keys, Spread, changes};
pub(super) use self::scene::OURS;
use self::scene::Table;
use self::table::{AGAINST_OURSELVES, LEGEND, Outcome, Section, verdict};
use super::table::Machine;
use super::{count, keep};
use crate::e2e::default_paths;
use crate::failure::HarnessError;
use crate::report::{Printer, Report};

/// Updates, inserts and deletes of a hundred changes.
const MIX: [u64; 3] = [80, 15, 5];
/// The sizes of `--grow`; each table holds the keys of the smaller ones.
const GROWN: [u64; 3] = [1_000_000, 10_000_000, 30_000_000];
/// The changes of `--grow`.
const GROW_CHANGES: u64 = 100_000;
/// Above every key of every table.
const NEW_FROM: i64 = 1_000_000_001;

/// How to measure the merge into Silver.
#[derive(Clone, Debug, Args)]
pub(super) struct SilverOptions {
    /// Scenes: S is 10 K changes into 1 M rows, M is 1 M into 10 M; both without another choice
    #[arg(long, value_enum, value_delimiter = ',', ignore_case = true)]
    scenes: Vec<SceneName>,
    /// The same 100 K changes into 1 M, 10 M and 30 M rows
    #[arg(long)]
    grow: bool,
    /// Where the keys of `--grow` lie: over the whole table, or beside each other
    #[arg(long, value_enum, default_value = "scattered")]
    grow_keys: GrowKeys,
    /// The largest table of `--grow`
    #[arg(long, default_value = "30M", value_parser = count)]
    grow_to: u64,
    /// Updates of 1, 10 and 50 % of the rows, by even and by uneven keys
    #[arg(long)]
    spread: bool,
    /// Rows of the table of `--spread`
    #[arg(long, default_value = "1M", value_parser = count)]
    spread_rows: u64,
    /// The cost of reading after so many small commits
    #[arg(
        long,
        value_name = "COMMITS",
        value_delimiter = ',',
        num_args = 0..=1,
        default_missing_value = "1,100,1000",
        value_parser = count
    )]
    small_commits: Option<Vec<u64>>,
    /// Commits between two runs of `medallion maintain`; 0 leaves maintenance to the job
    #[arg(long, default_value_t = 10)]
    maintain_every: u64,
    /// Runs of ours, DuckDB and the floor; medians are shown
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Runs of Spark merging on read; copy-on-write runs once; 0 for no Spark
    #[arg(long, default_value_t = 1)]
    spark_runs: usize,
    /// Leave DuckDB out; states are compared by it all the same
    #[arg(long)]
    no_duckdb: bool,
    /// Leave the floor out
    #[arg(long)]
    no_floor: bool,
    /// Memory that `medallion silver` is given
    #[arg(long, default_value = "1GiB")]
    memory: String,
    /// Heap of Spark's JVM
    #[arg(long, default_value = "4g")]
    spark_memory: String,
    /// Buckets of Spark's table; without any it is quicker
    #[arg(long, default_value_t = 1)]
    spark_buckets: u32,
    /// Buckets of our tables, instead of 4, and 16 above 2 M rows
    #[arg(long)]
    buckets: Option<u32>,
    /// The number from which all rows and changes follow
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Divide rows and changes of all scenes, to try the bench itself
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    shrink: u64,
    /// Folder for data, instead of a temporary one; what the bench makes in it is removed
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,
    /// The optimised program; `cargo xtask bench` builds and gives it
    #[arg(long, env = "MEDALLION_BIN", hide = true)]
    program: PathBuf,
    /// The floor, likewise
    #[arg(long, env = "MEDALLION_SILVER_FLOOR", hide = true)]
    floor: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SceneName {
    /// 10 K changes into 1 M rows.
    S,
    /// 1 M changes into 10 M rows.
    M,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GrowKeys {
    /// Each row of the table is as likely as any other.
    Scattered,
    /// The rows with the smallest keys, as many as the smallest table has.
    Together,
}

impl SilverOptions {
    fn scenes(&self) -> Vec<SceneName> {
        let other = self.grow || self.spread || self.small_commits.is_some();
        if self.scenes.is_empty() && !other {
            return vec![SceneName::S, SceneName::M];
        }
        self.scenes.clone()
    }

    fn runs_floor(&self) -> bool {
        !self.no_floor
    }

    /// How often a peer merges so.
    fn runs_of(&self, way: Way) -> usize {
        match way {
            Way::DuckPositions | Way::DuckRewrite if self.no_duckdb => 0,
            Way::DuckPositions | Way::DuckRewrite => self.runs,
            Way::SparkMergeOnRead => self.spark_runs,
            Way::SparkCopyOnWrite => self.spark_runs.min(1),
        }
    }
}

/// What all scenes share.
struct Bench {
    options: SilverOptions,
    peers: Peers,
    fixtures: PathBuf,
    work: PathBuf,
    printer: Printer,
}

/// Measures, prints the tables and writes them as JSON and as Markdown.
///
/// # Errors
/// When a program fails, or leaves another state than Bronze demands.
pub(super) async fn run(options: &SilverOptions) -> Result<(), HarnessError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("medallion-bench-");
    let folder = match &options.work_dir {
        Some(parent) => std::fs::create_dir_all(parent).and_then(|()| builder.tempdir_in(parent)),
        None => builder.tempdir(),
    };
    let folder = folder.map_err(|e| HarnessError::set_up("the work folder", e))?;
    let paths = default_paths(folder.path().to_owned(), PathBuf::new());
    let printer = Report::default().printer();
    let spark = (options.spark_memory.as_str(), options.spark_buckets);
    let peers = Peers::find(&paths.fixtures, &paths.cache, spark, &printer).await;
    let bench = Bench {
        options: options.clone(),
        peers,
        fixtures: paths.fixtures.clone(),
        work: paths.work.clone(),
        printer,
    };
    let mut notes = bench.peers.missing.clone();
    let mut sections = Vec::new();
    bench.scenes(&mut sections, &mut notes).await?;
    let (machine, seed) = (Machine::read(), options.seed);
    let outcome = Outcome { machine, seed, legend: &LEGEND, sections, notes };
    println!("{outcome}");
    keep(&paths.cache, "silver.json", &format!("{:#}\n", outcome.json()), &printer)?;
    let markdown = outcome.markdown().map_err(|e| HarnessError::Bench(e.to_string()))?;
    keep(&paths.cache, "silver.md", &markdown, &printer)
}

impl Bench {
    async fn scenes(
        &self,
        sections: &mut Vec<Section>,
        notes: &mut Vec<String>,
    ) -> Result<(), HarnessError> {
        for scene in self.options.scenes() {
            let (name, rows, changes) = match scene {
                SceneName::S => ("S", 1_000_000, 10_000),
                SceneName::M => ("M", 10_000_000, 1_000_000),
            };
            let shrink = self.options.shrink;
            sections.extend(self.scene(name, rows / shrink, changes / shrink).await?);
        }
        if self.options.grow {
            self.grow(sections, notes).await?;
        }
        if self.options.spread {
            sections.extend(self.spread().await?);
        }
        match &self.options.small_commits {
            Some(_) if !self.peers.has_duckdb() => {
                notes.push("small commits did not run: DuckDB reads the table".to_owned());
            }
            Some(points) => sections.extend(small_commits::run(self, points).await?),
            None => {}
        }
        Ok(())
    }

    /// Buckets of a table of so many rows.
    fn buckets(&self, rows: u64) -> u32 {
        self.options.buckets.unwrap_or(if rows > 2_000_000 { 16 } else { 4 })
    }

    /// What a peak says about the limit.
    fn memory_note(&self, measured: &Measured) -> String {
        let mebibytes = measured.peak_bytes >> 20;
        format!("medallion was given {} and had {mebibytes} MiB at its peak", self.options.memory)
    }

    async fn scene(&self, name: &str, rows: u64, count: u64) -> Result<Vec<Section>, HarnessError> {
        let keys = Keys { rows, stride: 1 };
        let (mut table, load) = Table::open(self, name, keys, self.buckets(rows)).await?;
        let spread = Spread::Uniform;
        let batch = Batch { changes: count, mix: MIX, spread, first: 1, new_from: NEW_FROM };
        let planned = table.changes(&changes(keys, &batch, self.options.seed), CHANGE_ROWS)?;
        let merged = table.merge(name, &planned).await?;
        table.close().await?;
        Ok(vec![load, merged])
    }

    /// The same changes into tables that hold the same keys among more and more others.
    async fn grow(
        &self,
        sections: &mut Vec<Section>,
        notes: &mut Vec<String>,
    ) -> Result<(), HarnessError> {
        let sizes: Vec<u64> =
            GROWN.into_iter().filter(|rows| *rows <= self.options.grow_to).collect();
        let largest = sizes.last().copied().unwrap_or(GROWN[0]);
        let shrink = self.options.shrink;
        let keys = |rows: u64| match self.options.grow_keys {
            GrowKeys::Scattered => Keys { rows, stride: largest / shrink / rows },
            GrowKeys::Together => Keys { rows, stride: 1 },
        };
        let batch = Batch {
            changes: GROW_CHANGES / shrink,
            mix: MIX,
            spread: Spread::Uniform,
            first: 1,
            new_from: NEW_FROM,
        };
        let planned = changes(keys(GROWN[0] / shrink), &batch, self.options.seed);
        // One contract, so one number of buckets.
        let buckets = self.buckets(largest);
        let mut first: Option<(f64, f64)> = None;
        for rows in sizes {
            let name = format!("grow-{}M", rows / 1_000_000);
            let of = keys(rows / shrink);
            let (mut table, load) = Table::open(self, &name, of, buckets).await?;
            let written = table.changes(&planned, CHANGE_ROWS)?;
            let merged = table.merge(&name, &written).await?;
            table.close().await?;
            if let Some((wall, cpu)) = merged.ours() {
                let (wall_of_first, cpu_of_first) = *first.get_or_insert((wall, cpu));
                notes.push(format!(
                    "the same {} changes into {} rows: {:.2} times the wall time and {:.2} times \
                     the CPU of {} rows{}",
                    batch.changes,
                    of.rows,
                    wall / wall_of_first,
                    cpu / cpu_of_first,
                    GROWN[0] / shrink,
                    growth(rows / GROWN[0], wall / wall_of_first),
                ));
            }
            sections.extend([load, merged]);
        }
        Ok(())
    }

    async fn spread(&self) -> Result<Vec<Section>, HarnessError> {
        let keys = Keys { rows: self.options.spread_rows / self.options.shrink, stride: 1 };
        let (mut table, load) = Table::open(self, "spread", keys, self.buckets(keys.rows)).await?;
        let mut sections = vec![load];
        for (spread, named) in [(Spread::Uniform, "uniform"), (Spread::Zipf, "zipf")] {
            for percent in [1, 10, 50] {
                let batch = Batch {
                    changes: keys.rows * percent / 100,
                    mix: [100, 0, 0],
                    spread,
                    first: 1,
                    new_from: NEW_FROM,
                };
                let planned = changes(keys, &batch, self.options.seed);
                let written = table.changes(&planned, CHANGE_ROWS)?;
                let about = format!("{percent} % updates, {named} keys");
                sections.push(table.merge(&about, &written).await?);
            }
        }
        table.close().await?;
        Ok(sections)
    }
}

/// The budget is about a table ten times as large.
fn growth(times_larger: u64, times: f64) -> String {
    let verdict = verdict(times <= AGAINST_OURSELVES);
    match times_larger {
        10 => format!("; at most {AGAINST_OURSELVES} times: {verdict}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: SilverOptions,
    }

    fn parse(words: &[&str]) -> SilverOptions {
        let given = ["bench", "--program", "medallion", "--floor", "silver_floor"];
        Cli::parse_from(given.iter().chain(words)).options
    }

    #[test]
    fn scenes_run_unless_something_else_is_asked_for() {
        assert_eq!(parse(&[]).scenes(), [SceneName::S, SceneName::M]);
        assert_eq!(parse(&["--scenes", "s"]).scenes(), [SceneName::S]);
        assert_eq!(parse(&["--grow"]).scenes(), []);
        assert_eq!(parse(&["--grow", "--scenes", "M"]).scenes(), [SceneName::M]);
    }

    #[test]
    fn small_commits_have_usual_numbers() {
        assert_eq!(parse(&["--small-commits"]).small_commits, Some(vec![1, 100, 1_000]));
        assert_eq!(parse(&["--small-commits", "1,20"]).small_commits, Some(vec![1, 20]));
        assert_eq!(parse(&[]).small_commits, None);
    }

    #[test]
    fn spark_that_is_not_asked_for_does_not_run() {
        let options = parse(&["--spark-runs", "0", "--no-duckdb"]);
        let ways = [Way::DuckRewrite, Way::SparkMergeOnRead, Way::SparkCopyOnWrite];
        assert_eq!(ways.map(|way| options.runs_of(way)), [0, 0, 0]);
        assert_eq!(parse(&["--spark-runs", "3"]).runs_of(Way::SparkCopyOnWrite), 1);
    }
}
