//! The programs beside ours, and what they need on this machine.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::spark::Spark;
use super::measure::{Measured, Program, Step};
use crate::failure::HarnessError;
use crate::readers;
use crate::report::Printer;

/// The virtual environment with the peers' packages, below the cache.
pub(in crate::bench) const ENVIRONMENT: &str = "bench-silver";
/// The packages, below the fixtures.
pub(in crate::bench) const REQUIREMENTS: &str = "bench/silver/requirements.txt";

/// A state of the table, whoever holds it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct State {
    pub(super) rows: u64,
    /// The sum of all balances.
    pub(super) balance: String,
    /// A sum over rows: their order does not matter.
    pub(super) checksum: String,
}

/// Python with DuckDB and Spark, and Java.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    pub(super) fixtures: PathBuf,
    python: Option<PathBuf>,
    spark: Option<Spark>,
    heap: String,
    /// Buckets of Spark's table.
    buckets: u32,
    /// What is missing, and why.
    pub(super) missing: Vec<String>,
}

/// The way of a peer to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    DuckPositions,
    DuckRewrite,
    SparkMergeOnRead,
    SparkCopyOnWrite,
}

impl Way {
    /// The name in the tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Way::DuckPositions => "duckdb positions",
            Way::DuckRewrite => "duckdb rewrite",
            Way::SparkMergeOnRead => "spark merge-on-read",
            Way::SparkCopyOnWrite => "spark copy-on-write",
        }
    }

    pub(super) fn is_spark(self) -> bool {
        matches!(self, Way::SparkMergeOnRead | Way::SparkCopyOnWrite)
    }

    /// The word that the scripts know.
    fn word(self) -> &'static str {
        match self {
            Way::DuckPositions => "positions",
            Way::DuckRewrite => "rewrite",
            Way::SparkMergeOnRead => "merge-on-read",
            Way::SparkCopyOnWrite => "copy-on-write",
        }
    }
}

/// Where a peer keeps its table, and what it is to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) folder: &'a Path,
    pub(super) bronze: &'a str,
}

impl Peers {
    /// Finds out what can run; Python's packages are installed once and kept.
    pub(super) async fn find(
        fixtures: &Path,
        cache: &Path,
        (heap, buckets): (&str, u32),
        printer: &Printer,
    ) -> Peers {
        printer.print("peers", "a virtual environment with DuckDB and Spark");
        let fixtures = fixtures.to_owned();
        let heap = heap.to_owned();
        let missing = Vec::new();
        let mut peers = Peers { fixtures, python: None, spark: None, heap, buckets, missing };
        let requirements = peers.fixtures.join(REQUIREMENTS);
        let python = match readers::environment(&requirements, &cache.join(ENVIRONMENT)).await {
            Ok(python) => python,
            Err(error) => {
                let reason = error.report().replace('\n', " ");
                peers.missing.push(format!("DuckDB and Spark did not run: {reason}"));
                peers.missing.push("states were not compared: DuckDB does that".to_owned());
                return peers;
            }
        };
        match Spark::find(&python).await {
            Ok(found) => peers.spark = Some(found),
            Err(error) => {
                let reason = error.report().replace('\n', " ");
                peers.missing.push(format!("Spark did not run: {reason}"));
            }
        }
        peers.python = Some(python);
        peers
    }

    fn script(&self, name: &str) -> PathBuf {
        self.fixtures.join("bench/silver").join(name)
    }

    fn python(&self) -> Result<Program, HarnessError> {
        let python = self.python.as_ref();
        let python = python.ok_or_else(|| HarnessError::Bench("there is no Python".to_owned()))?;
        Ok(Program::new(python))
    }

    /// True when states can be compared.
    pub(super) fn has_duckdb(&self) -> bool {
        self.python.is_some()
    }

    /// True when the peer can run here.
    pub(super) fn has(&self, way: Way) -> bool {
        if way.is_spark() { self.spark.is_some() } else { self.python.is_some() }
    }

    fn program(&self, spark: bool, word: &str, place: Place<'_>) -> Result<Program, HarnessError> {
        let folder = place.folder.as_os_str().to_owned();
        if !spark {
            let program = self.python()?.arg(self.script("duckdb_merge.py"));
            return Ok(program.arg(word).arg(folder).arg(place.bronze));
        }
        let spark = self.spark.as_ref();
        let spark = spark.ok_or_else(|| HarnessError::Bench("no Spark".to_owned()))?;
        let scratch = place.folder.with_extension("scratch");
        let partitions = "spark.sql.shuffle.partitions=8".to_owned();
        let program = spark.submit(&self.heap, &scratch, &[partitions]);
        let program = program.arg(self.script("spark_merge.py")).arg(word).arg(folder);
        Ok(program.arg(place.bronze).arg(self.buckets.to_string()))
    }

    /// Makes and fills a peer's table.
    pub(super) async fn load(
        &self,
        spark: bool,
        place: Place<'_>,
    ) -> Result<(Measured, Step), HarnessError> {
        for folder in [place.folder.to_owned(), place.folder.with_extension("scratch")] {
            std::fs::create_dir_all(&folder)
                .map_err(|source| HarnessError::WorkFile { path: folder, source })?;
        }
        self.program(spark, "load", place)?.measure_step(&self.fixtures).await
    }

    /// Merges changes into it.
    pub(super) async fn merge(
        &self,
        way: Way,
        place: Place<'_>,
    ) -> Result<(Measured, Step), HarnessError> {
        self.program(way.is_spark(), way.word(), place)?.measure_step(&self.fixtures).await
    }

    fn state(&self) -> Result<Program, HarnessError> {
        Ok(self.python()?.arg(self.script("state.py")))
    }

    /// The state that Bronze demands.
    pub(super) async fn expected(&self, globs: &[String; 2]) -> Result<State, HarnessError> {
        self.state()?.arg("expected").args(globs).json().await
    }

    /// The state of DuckDB's table.
    pub(super) async fn state_of_duckdb(
        &self,
        folder: &Path,
        way: Way,
    ) -> Result<State, HarnessError> {
        self.state()?.arg("duckdb").arg(folder).arg(way.word()).json().await
    }

    /// The state of an Iceberg table; `s3` is the endpoint's address and region, if it lies there.
    pub(super) async fn state_of_iceberg(
        &self,
        metadata: &str,
        s3: &[String],
        variables: Vec<(String, String)>,
    ) -> Result<State, HarnessError> {
        let program = self.state()?.arg("iceberg").arg(metadata).args(s3);
        program.variables(variables).json().await
    }

    /// Reads a table of ours as others read it, measured.
    pub(super) fn reader(
        &self,
        metadata: &str,
        s3: &[String],
        variables: Vec<(String, String)>,
    ) -> Result<Program, HarnessError> {
        Ok(self.state()?.arg("read").arg(metadata).args(s3).variables(variables))
    }
}
