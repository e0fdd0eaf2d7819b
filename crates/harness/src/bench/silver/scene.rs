//! One loaded table in every engine, and batches that are merged into it.

use std::path::PathBuf;

use super::Bench;
use super::bronze::{Bronze, Files};
use super::floor;
use super::folder::Kept;
use super::lake::{Lake, LakeState};
use super::measure::{Measured, Program};
use super::peers::{Place, State, Way};
use super::plan::Keys;
use super::rows::Change;
use super::table::Section;
use crate::failure::HarnessError;

/// The name of our program in the results.
pub(in crate::bench) const OURS: &str = "medallion";
/// The folder of a peer's table.
const DUCKDB: &str = "duckdb";
const SPARK: &str = "spark";

/// A table that every engine holds in the same state.
pub(super) struct Table<'a> {
    bench: &'a Bench,
    pub(super) lake: Lake,
    loaded: LakeState,
    pub(super) rows: u64,
    pub(super) buckets: u32,
    work: PathBuf,
    load: Bronze,
    spark: Option<Kept>,
    /// Batches so far; each has a folder of its own.
    batches: u32,
}

/// A batch of changes as files.
pub(super) struct Changes {
    pub(super) bronze: Bronze,
    pub(super) files: Files,
    /// Rows.
    pub(super) count: u64,
}

impl<'a> Table<'a> {
    /// Makes the rows and loads them into every engine, which is a section of its own.
    pub(super) async fn open(
        bench: &'a Bench,
        name: &str,
        keys: Keys,
        buckets: u32,
    ) -> Result<(Table<'a>, Section), HarnessError> {
        let (mut table, mut section) = Table::open_ours(bench, name, keys, buckets).await?;
        table.load_peers(&mut section).await?;
        Ok((table, section))
    }

    /// The same without peers.
    pub(super) async fn open_ours(
        bench: &'a Bench,
        name: &str,
        keys: Keys,
        buckets: u32,
    ) -> Result<(Table<'a>, Section), HarnessError> {
        let work = bench.work.join(name);
        let lake = Lake::start(&bench.fixtures, work.clone(), buckets).await?;
        let load = Bronze::new(work.join("load"), &lake.contract, bench.options.seed);
        let files = load.load(keys)?;
        bench.printer.print(name, &format!("{} rows, {} MiB", keys.rows, files.bytes >> 20));
        lake.take(&load.folder, &files)?;
        let about = format!(
            "load of {} rows into {}: {}, {} MiB",
            keys.rows,
            number(u64::from(buckets), "bucket"),
            number(files.keys.len() as u64, "Bronze file"),
            files.bytes >> 20
        );
        let mut section = Section::new(about, "rows", keys.rows);
        let (measured, said) = bench.silver(&lake).await?;
        bench.printer.print(OURS, &said);
        section.add(OURS, measured);
        section.note(bench.memory_note(&measured));
        let (loaded, rows) = (lake.state()?, keys.rows);
        let table =
            Table { bench, lake, loaded, rows, buckets, work, load, spark: None, batches: 0 };
        Ok((table, section))
    }

    async fn load_peers(&mut self, section: &mut Section) -> Result<(), HarnessError> {
        let Bench { peers, printer, .. } = self.bench;
        let [load, _] = self.load.globs();
        for (spark, name) in [(false, DUCKDB), (true, SPARK)] {
            let ways = self.bench.ways();
            if !ways.iter().any(|way| way.is_spark() == spark) {
                continue;
            }
            let folder = self.work.join(name);
            let place = Place { folder: &folder, bronze: &load };
            let (measured, step) = peers.load(spark, place).await?;
            printer.print(name, &format!("{}: {} rows loaded", step.version, self.rows));
            section.add(name, measured);
            if spark {
                self.spark = Some(Kept::keep(&folder)?);
            }
        }
        Ok(())
    }

    /// Writes changes as files that every engine reads.
    pub(super) fn changes(
        &mut self,
        changes: &[Change],
        of_a_file: usize,
    ) -> Result<Changes, HarnessError> {
        self.batches += 1;
        let folder = self.work.join(format!("changes-{}", self.batches));
        let bronze = Bronze::new(folder, &self.lake.contract, self.bench.options.seed);
        let files = bronze.changes(changes, of_a_file)?;
        Ok(Changes { bronze, files, count: changes.len() as u64 })
    }

    /// Puts our table back into the state after the load, and the batch into Bronze.
    pub(super) fn reset(&self, changes: &Changes) -> Result<(), HarnessError> {
        self.lake.restore(&self.loaded);
        self.lake.take(&changes.bronze.folder, &changes.files)
    }

    /// As after the load.
    pub(super) fn restore(&self) {
        self.lake.restore(&self.loaded);
    }

    /// Merges a batch into the loaded table, in turns, with every program. Each program's first
    /// state is compared with what Bronze demands.
    pub(super) async fn merge(
        &self,
        about: &str,
        changes: &Changes,
    ) -> Result<Section, HarnessError> {
        let Bench { peers, printer, options, .. } = self.bench;
        let Files { keys, bytes } = &changes.files;
        let mut section = Section::new(
            format!(
                "{about}: {} changes into {} rows in {}; {}, {:.1} MiB",
                changes.count,
                self.rows,
                number(u64::from(self.buckets), "bucket"),
                number(keys.len() as u64, "Bronze file"),
                *bytes as f64 / f64::from(1 << 20),
            ),
            "changes",
            changes.count,
        );
        let expected = if peers.has_duckdb() { Some(self.expected(changes).await?) } else { None };
        let (data, data_bytes) = self.loaded_files().await?;
        section.note(format!(
            "the loaded table: {}, {} MiB",
            number(data.len() as u64, "data file"),
            data_bytes >> 20
        ));
        for run in 1..=options.runs.max(1) {
            self.merge_ours(&mut section, changes, run, expected.as_ref()).await?;
            if options.runs_floor() {
                let outcome = floor::run(self.bench, self.buckets, &data, changes).await?;
                outcome.add_to(&mut section);
            }
            for way in self.bench.ways() {
                self.merge_peer(way, &mut section, changes, run, expected.as_ref()).await?;
            }
            printer.print(about, &format!("run {run} of {}", options.runs));
        }
        if let Some(State { rows, checksum, .. }) = expected {
            section.note(format!(
                "state: {rows} rows, checksum {checksum}, the same in every table after the merge"
            ));
        }
        Ok(section)
    }

    /// The loaded table's files, with the bucket put back into that state.
    async fn loaded_files(&self) -> Result<(Vec<PathBuf>, u64), HarnessError> {
        self.restore();
        self.lake.data_files().await
    }

    async fn merge_ours(
        &self,
        section: &mut Section,
        changes: &Changes,
        run: usize,
        expected: Option<&State>,
    ) -> Result<(), HarnessError> {
        self.reset(changes)?;
        let (measured, said) = self.bench.silver(&self.lake).await?;
        section.add(OURS, measured);
        if run > 1 {
            return Ok(());
        }
        self.bench.printer.print(OURS, &said);
        match expected {
            Some(expected) => self.check(expected).await,
            None => Ok(()),
        }
    }

    /// The state that Bronze demands after the load and these changes.
    pub(super) async fn expected(&self, changes: &Changes) -> Result<State, HarnessError> {
        let globs = [self.load.globs()[0].clone(), changes.bronze.globs()[1].clone()];
        self.bench.peers.expected(&globs).await
    }

    /// Compares our table as it is now, as an outside reader sees it.
    pub(super) async fn check(&self, expected: &State) -> Result<(), HarnessError> {
        let metadata = self.lake.table().await?.metadata_location().to_owned();
        let variables = self.lake.variables(&self.bench.fixtures);
        let address = self.lake.s3_address();
        let found = self.bench.peers.state_of_iceberg(&metadata, &address, variables).await?;
        same(OURS, expected, &found)
    }

    async fn merge_peer(
        &self,
        way: Way,
        section: &mut Section,
        changes: &Changes,
        run: usize,
        expected: Option<&State>,
    ) -> Result<(), HarnessError> {
        if run > self.bench.options.runs_of(way) {
            return Ok(());
        }
        let peers = &self.bench.peers;
        let folder = self.work.join(if way.is_spark() { SPARK } else { DUCKDB });
        if let Some(kept) = self.spark.as_ref().filter(|_| way.is_spark()) {
            kept.restore()?;
        }
        let [_, glob] = changes.bronze.globs();
        let place = Place { folder: &folder, bronze: &glob };
        let (measured, step) = peers.merge(way, place).await?;
        section.add(way.name(), measured);
        let Some(expected) = expected.filter(|_| run == 1) else { return Ok(()) };
        let found = match (way.is_spark(), &step.metadata) {
            (true, Some(metadata)) => peers.state_of_iceberg(metadata, &[], Vec::new()).await?,
            (true, None) => {
                return Err(HarnessError::Bench("Spark names no metadata file".to_owned()));
            }
            (false, _) => peers.state_of_duckdb(&folder, way).await?,
        };
        same(way.name(), expected, &found)
    }

    /// Ends the endpoints and removes all files.
    pub(super) async fn close(self) -> Result<(), HarnessError> {
        let Table { lake, loaded, work, .. } = self;
        drop(loaded);
        lake.stop().await;
        std::fs::remove_dir_all(&work)
            .map_err(|source| HarnessError::WorkFile { path: work, source })
    }
}

fn number(count: u64, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}

fn same(program: &str, expected: &State, found: &State) -> Result<(), HarnessError> {
    if expected == found {
        return Ok(());
    }
    Err(HarnessError::Bench(format!(
        "{program} has another state than Bronze demands: {found:?}, not {expected:?}"
    )))
}

impl Bench {
    /// Runs our Silver job; gives its last line of output too.
    pub(super) async fn silver(&self, lake: &Lake) -> Result<(Measured, String), HarnessError> {
        let mut program = Program::new(&self.options.program);
        program = program.args(["silver", "--table", &lake.contract.table.to_string()]);
        program = program.args(["--memory", &self.options.memory]);
        let program = program.variables(lake.variables(&self.fixtures));
        let before = lake.traffic();
        let (measured, said) = program.measure(&self.fixtures).await?;
        let traffic = lake.traffic().since(&before);
        let measured = Measured {
            read_bytes: Some(traffic.total().read),
            written_bytes: Some(traffic.total().written),
            requests: Some(traffic.requests),
            ..measured
        };
        let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
        Ok((measured, said))
    }

    /// The peers' ways that are asked for and can run.
    pub(super) fn ways(&self) -> Vec<Way> {
        let all =
            [Way::DuckPositions, Way::DuckRewrite, Way::SparkMergeOnRead, Way::SparkCopyOnWrite];
        let asked = |way: &Way| self.options.runs_of(*way) > 0 && self.peers.has(*way);
        all.into_iter().filter(asked).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_state_is_an_error() {
        let state = |checksum: &str| State {
            rows: 3,
            balance: "1.50".to_owned(),
            checksum: checksum.to_owned(),
        };
        assert!(same(OURS, &state("7"), &state("7")).is_ok());
        let error = same(OURS, &state("7"), &state("8")).unwrap_err().to_string();
        assert!(error.contains("medallion has another state"), "{error}");
    }
}
