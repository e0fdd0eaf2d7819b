//! DuckDB and Spark, which build a model by its own SQL over the same Silver files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use medallion_definition::model::GoldModel;
use medallion_definition::name::ColumnName;
use medallion_tables::table::LakeTable;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::silver::measure::{Measured, Program};
use super::super::silver::peers::{ENVIRONMENT, REQUIREMENTS};
use super::super::spark::Spark;
use super::lake::{Lake, LocalTable};
use crate::failure::HarnessError;
use crate::readers;
use crate::report::Printer;

/// A program beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    DuckDb,
    Spark,
}

impl Peer {
    pub(super) const ALL: [Peer; 2] = [Peer::DuckDb, Peer::Spark];

    /// The name in the tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::DuckDb => "duckdb",
            Peer::Spark => "spark",
        }
    }
}

/// What a built model holds, whoever built it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) rows: u64,
    /// Over whole rows.
    pub(super) checksum: String,
    /// Over each column's values beside the grain's.
    columns: BTreeMap<String, String>,
}

impl Answer {
    /// Compares this, which is ours, with another program's.
    ///
    /// # Errors
    /// When they differ; the error says where.
    pub(super) fn same(
        &self,
        model: &str,
        other: &str,
        theirs: &Answer,
    ) -> Result<(), HarnessError> {
        if self == theirs {
            return Ok(());
        }
        let differ =
            self.columns.iter().filter(|(name, sum)| theirs.columns.get(*name) != Some(*sum));
        let columns: Vec<&str> = differ.map(|(name, _)| name.as_str()).collect();
        Err(HarnessError::Bench(format!(
            "`{model}` of {other} is another than that of medallion: {} rows beside {}, other \
             values in {}\n    hint: times of programs that give other answers say nothing",
            theirs.rows,
            self.rows,
            columns.join(", ")
        )))
    }
}

/// What a peer says of its work.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Built {
    /// Before the query: the start of Python, of a JVM, of a session.
    pub(super) start_seconds: f64,
    written_bytes: u64,
    pub(super) version: String,
    /// Parquet files, or an Iceberg metadata file.
    result: PathBuf,
}

/// Python with the peers, and a folder for what they write.
pub(super) struct Peers {
    fixtures: PathBuf,
    python: PathBuf,
    spark: Spark,
    heap: String,
    partitions: u32,
    work: PathBuf,
}

fn written(path: PathBuf, text: &str) -> Result<PathBuf, HarnessError> {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    match folder.and_then(|()| std::fs::write(&path, text)) {
        Ok(()) => Ok(path),
        Err(source) => Err(HarnessError::WorkFile { path, source }),
    }
}

impl Peers {
    /// Finds what they need; Python's packages are installed once and kept.
    ///
    /// # Errors
    /// When Python, its packages or Java are missing.
    pub(super) async fn find(
        fixtures: &Path,
        cache: &Path,
        work: &Path,
        (heap, partitions): (&str, u32),
        printer: &Printer,
    ) -> Result<Peers, HarnessError> {
        printer.print("peers", "a virtual environment with DuckDB and Spark");
        let python =
            readers::environment(&fixtures.join(REQUIREMENTS), &cache.join(ENVIRONMENT)).await?;
        let (fixtures, work, heap) = (fixtures.to_owned(), work.to_owned(), heap.to_owned());
        let spark = Spark::find(&python).await?;
        Ok(Peers { fixtures, python, spark, heap, partitions, work })
    }

    fn script(&self, name: &str) -> PathBuf {
        self.fixtures.join("bench/gold").join(name)
    }

    /// The folder of the bucket's objects.
    pub(super) fn objects(&self) -> PathBuf {
        self.work.join("objects")
    }

    /// Builds a model anew with a peer, as a whole process.
    pub(super) async fn build(
        &self,
        peer: Peer,
        lake: &Lake,
        model: &GoldModel,
        tables: &[LocalTable],
    ) -> Result<(Measured, Built), HarnessError> {
        let out = self.work.join(peer.name());
        let scratch = self.work.join("scratch");
        for folder in [&out, &scratch] {
            let gone = if folder.exists() { std::fs::remove_dir_all(folder) } else { Ok(()) };
            gone.and_then(|()| std::fs::create_dir_all(folder))
                .map_err(|source| HarnessError::WorkFile { path: folder.clone(), source })?;
        }
        let job = written(self.work.join("job.json"), &self.job(lake, model, tables, &out))?;
        let program = match peer {
            Peer::DuckDb => Program::new(&self.python).arg(self.script("duckdb_model.py")),
            Peer::Spark => {
                let partitions = format!("spark.sql.shuffle.partitions={}", self.partitions);
                let program = self.spark.submit(&self.heap, &scratch, &[partitions]);
                program.arg(self.script("spark_model.py"))
            }
        };
        let (measured, said) =
            super::on_two_cores(program.arg(job)).measure(&self.fixtures).await?;
        let built: Built = serde_json::from_value(said).map_err(|e| {
            HarnessError::Bench(format!("{} does not say what it built: {e}", peer.name()))
        })?;
        // The endpoints had nothing to do with it.
        let (written_bytes, endpoint_seconds) = (Some(built.written_bytes), None);
        Ok((Measured { written_bytes, endpoint_seconds, ..measured }, built))
    }

    fn job(&self, lake: &Lake, model: &GoldModel, tables: &[LocalTable], out: &Path) -> String {
        let tables = tables.iter().map(
            |table| json!({"name": table.name, "files": table.files, "metadata": table.metadata}),
        );
        let job = json!({
            "model": model.name.as_str(), "sql": model.sql, "out": out,
            "tables": tables.collect::<Vec<Value>>(),
            "bucket": lake.endpoints.environment.bucket, "objects": self.objects(),
        });
        job.to_string()
    }

    fn answer(&self, kind: &str, model: &GoldModel) -> Result<Program, HarnessError> {
        let columns =
            model.columns.iter().map(|c| json!([c.name.as_str(), c.lake_type.to_string()]));
        let grain: Vec<&str> = model.grain.iter().map(ColumnName::as_str).collect();
        let told = json!({"columns": columns.collect::<Vec<Value>>(), "grain": grain}).to_string();
        let told = written(self.work.join("columns.json"), &told)?;
        Ok(Program::new(&self.python).arg(self.script("answer.py")).arg(kind).arg(told))
    }

    /// What a peer built.
    pub(super) async fn answer_of(
        &self,
        peer: Peer,
        model: &GoldModel,
        built: &Built,
    ) -> Result<Answer, HarnessError> {
        let kind = match peer {
            Peer::DuckDb => "parquet",
            Peer::Spark => "iceberg",
        };
        self.answer(kind, model)?.arg(&built.result).json().await
    }

    /// What a table of ours holds, as an outside reader sees it.
    pub(super) async fn answer_of_ours(
        &self,
        lake: &Lake,
        model: &GoldModel,
        table: &LakeTable,
    ) -> Result<Answer, HarnessError> {
        let program = self.answer("iceberg", model)?.arg(table.metadata_location());
        program.args(lake.endpoints.s3_address()).variables(lake.variables()).json().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_answer_is_an_error_that_names_the_column() {
        let answer = |rows, region: &str| Answer {
            rows,
            checksum: region.to_owned(),
            columns: [("id", "1"), ("region", region)]
                .map(|(name, sum)| (name.to_owned(), sum.to_owned()))
                .into(),
        };
        assert!(answer(3, "7").same("m", "spark", &answer(3, "7")).is_ok());
        let error = answer(3, "7").same("m", "spark", &answer(3, "8")).unwrap_err().to_string();
        assert!(error.contains("`m` of spark") && error.contains("values in region\n"), "{error}");
        assert!(answer(3, "7").same("m", "spark", &answer(2, "7")).is_err());
    }
}
