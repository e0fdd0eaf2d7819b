//! The lake that is measured: Silver tables of the contracts that ship, filled by our own writer,
//! and a merge of changed customers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use medallion::files;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::files::LiveFile;
use medallion_tables::reader::KeySet;
use medallion_tables::table::LakeTable;
use medallion_tables::writer::write_files;
use medallion_tables::{DataFile, Operation};
use medallion_transforms::spec;

use super::super::endpoints::Endpoints;
use super::super::silver::rows::mix;
use super::rows::{Rows, Source};
use crate::e2e::default_paths;
use crate::failure::HarnessError;
use crate::report::Printer;

/// Customers whose rows are in memory at a time, and which share data files.
const CHUNK: u64 = 500_000;
/// Chunks that are made at a time.
const CHUNKS_AT_A_TIME: usize = 2;

/// Endpoints and the lake on them.
pub(super) struct Lake {
    pub(super) definition: LakeDefinition,
    pub(super) endpoints: Endpoints,
    /// The definition's folder and the environment's file.
    places: [PathBuf; 2],
    seed: u64,
}

/// What a Silver table came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filled {
    pub(super) rows: u64,
    pub(super) files: usize,
    pub(super) bytes: u64,
}

fn failed<E: std::error::Error + Send + Sync + 'static>(
    what: &'static str,
) -> impl Fn(E) -> HarnessError {
    move |error| HarnessError::set_up(what, error)
}

impl Lake {
    /// Starts the endpoints of an empty lake; everything lies in the folder.
    pub(super) async fn start(
        definition: &Path,
        work: &Path,
        seed: u64,
    ) -> Result<Lake, HarnessError> {
        let paths = default_paths(work.to_owned(), definition.to_owned());
        let definition = files::definition(&paths.definition)?;
        let environment = files::environment(&paths.environment)?;
        let endpoints = Endpoints::start(work, environment, &definition.name).await?;
        Ok(Lake { definition, endpoints, places: [paths.definition, paths.environment], seed })
    }

    /// The variables by which `medallion` reaches the lake.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let [definition, environment] = &self.places;
        self.endpoints.variables(definition, environment)
    }

    pub(super) fn model(&self, name: &str) -> Result<&GoldModel, HarnessError> {
        self.definition.model(name).ok_or_else(|| {
            let known: Vec<&str> = self.definition.models.iter().map(|m| m.name.as_str()).collect();
            HarnessError::Bench(format!(
                "the lake has no model `{name}`; it has {}",
                known.join(", ")
            ))
        })
    }

    fn contract(&self, source: Source) -> Result<&TableContract, HarnessError> {
        let table = source.table();
        let mut tables = self.definition.tables.iter();
        tables.find(|contract| contract.table.to_string() == table).ok_or_else(|| {
            HarnessError::Bench(format!("the lake has no table `{table}`, which the bench fills"))
        })
    }

    /// A table of the lake, if there is one.
    pub(super) async fn table(
        &self,
        layer: Layer,
        name: &str,
    ) -> Result<Option<LakeTable>, HarnessError> {
        let ident = spec::ident(&self.definition, layer, name);
        self.endpoints.warehouse.load(&ident).await.map_err(failed("a table of the lake"))
    }

    async fn silver(&self, source: Source) -> Result<LakeTable, HarnessError> {
        let name = self.contract(source)?.table.lake_table();
        let table = self.table(Layer::Silver, &name).await?;
        table.ok_or_else(|| HarnessError::Bench(format!("there is no `silver.{name}`")))
    }

    /// Makes and fills the Silver tables with so many customers.
    pub(super) async fn fill(
        &self,
        customers: u64,
        printer: &Printer,
    ) -> Result<Filled, HarnessError> {
        let mut all = Filled::default();
        for source in Source::ALL {
            let contract = self.contract(source)?;
            let name = contract.table.lake_table();
            let ident = spec::ident(&self.definition, Layer::Silver, &name);
            let described = spec::silver(&self.endpoints.environment.bucket, contract);
            let table = spec::ensure(&self.endpoints.warehouse, &ident, &described).await;
            let table = table.map_err(failed("a Silver table"))?;
            let filled = self.fill_table(source, &table, customers).await?;
            let Filled { rows, files, bytes } = filled;
            printer.print(
                "silver",
                &format!("{name}: {rows} rows, {files} files, {} MiB", bytes >> 20),
            );
            all.rows += rows;
            all.files += files;
            all.bytes += bytes;
        }
        Ok(all)
    }

    async fn fill_table(
        &self,
        source: Source,
        table: &LakeTable,
        customers: u64,
    ) -> Result<Filled, HarnessError> {
        let make = Rows::new(self.contract(source)?, table.arrow_schema().clone());
        let seed = self.seed;
        let chunks = (0..customers.div_ceil(CHUNK)).map(|chunk| {
            let of_chunk = chunk * CHUNK + 1..customers.min((chunk + 1) * CHUNK) + 1;
            let make = make.clone();
            async move {
                let rows = move || make.batch(&source.rows(seed, of_chunk));
                let rows = tokio::task::spawn_blocking(rows).await;
                let rows = rows.map_err(failed("rows"))?.map_err(failed("rows"))?;
                write_files(table, vec![rows]).await.map_err(failed("the Silver files"))
            }
        });
        let chunks = futures::stream::iter(chunks).buffered(CHUNKS_AT_A_TIME);
        let added: Vec<_> = chunks.try_collect::<Vec<_>>().await?.concat();
        let filled = Filled {
            rows: added.iter().map(DataFile::record_count).sum(),
            files: added.len(),
            bytes: added.iter().map(DataFile::file_size_in_bytes).sum(),
        };
        let change = Change {
            operation: Operation::Append,
            added,
            removed: Vec::new(),
            summary: BTreeMap::new(),
            branch: Branch::Main,
        };
        let committed = commit(&self.endpoints.warehouse, table, change).await;
        committed.map_err(failed("the load of a Silver table"))?;
        Ok(filled)
    }

    /// Merges a change of so many customers as Silver does where few rows change: position deletes
    /// of the old rows and a file of new ones. Gives the rows that changed.
    pub(super) async fn change(&self, customers: u64, changed: u64) -> Result<usize, HarnessError> {
        let table = self.silver(Source::Customers).await?;
        let make = Rows::new(self.contract(Source::Customers)?, table.arrow_schema().clone());
        let one = |id: u64| Source::Customers.rows(self.seed, id..id + 1);
        let rows: Vec<_> = chosen(self.seed, 1..customers + 1, changed)
            .into_iter()
            .flat_map(one)
            .map(super::rows::Row::changed)
            .collect();
        let new = make.batch(&rows).map_err(failed("rows"))?;
        let keys = KeySet::new(&table, &new).map_err(failed("the changed keys"))?;
        let (mut deletes, mut removed, mut found) = (Vec::new(), Vec::new(), 0);
        for file in table.live_files().await.map_err(failed("the Silver files"))? {
            let positions = table.locate(&file, &keys).await;
            let positions = positions.map_err(failed("the changed rows"))?.positions;
            if positions.is_empty() {
                continue;
            }
            found += positions.len();
            let positions = positions.into_iter().collect();
            let written = table.write_position_deletes(&file, &positions);
            let (new, old): (_, Vec<LiveFile>) = written.await.map_err(failed("deletes"))?;
            deletes.push(new);
            removed.extend(old);
        }
        if found != rows.len() {
            let wanted = rows.len();
            return Err(HarnessError::Bench(format!(
                "{found} of {wanted} customers are in Silver"
            )));
        }
        let added = write_files(&table, vec![new]).await.map_err(failed("the Silver files"))?;
        let change = Change {
            operation: Operation::Overwrite,
            added: [deletes, added].concat(),
            removed,
            summary: BTreeMap::new(),
            branch: Branch::Main,
        };
        let committed = commit(&self.endpoints.warehouse, &table, change).await;
        committed.map_err(failed("the merge into Silver"))?;
        Ok(found)
    }

    /// Links the bucket's Silver objects into a folder, for programs that read local files. Gives
    /// the live data files and the metadata file of each table, which must have no deletes.
    pub(super) async fn export(&self, objects: &Path) -> Result<Vec<LocalTable>, HarnessError> {
        let bucket = &self.endpoints.environment.bucket;
        let folder = objects.join(bucket);
        let exported = self.endpoints.s3.export(bucket, "silver/", &folder);
        exported.map_err(|source| HarnessError::WorkFile { path: folder.clone(), source })?;
        let prefix = format!("s3://{bucket}/");
        let local = |uri: &str| folder.join(uri.strip_prefix(&prefix).unwrap_or(uri));
        let mut tables = Vec::new();
        for source in Source::ALL {
            let table = self.silver(source).await?;
            let live = table.live_files().await.map_err(failed("the Silver files"))?;
            if live.iter().any(LiveFile::has_deletes) {
                return Err(HarnessError::Bench(format!("`{}` has deletes", table.name())));
            }
            tables.push(LocalTable {
                name: self.contract(source)?.table.lake_table(),
                files: live.iter().map(|file| local(file.path())).collect(),
                metadata: local(table.metadata_location()),
            });
        }
        Ok(tables)
    }
}

/// A Silver table on the local disk.
#[derive(Clone, Debug)]
pub(super) struct LocalTable {
    /// Its name in the layer.
    pub(super) name: String,
    /// Its data files; there are no deletes.
    pub(super) files: Vec<PathBuf>,
    /// Its current metadata file.
    pub(super) metadata: PathBuf,
}

/// So many different numbers of a range, spread over all of it, in order.
fn chosen(seed: u64, among: Range<u64>, count: u64) -> BTreeSet<u64> {
    let all = among.end - among.start;
    let mut chosen = BTreeSet::new();
    let mut random = mix(seed ^ count);
    while (chosen.len() as u64) < count.min(all) {
        random = mix(random);
        chosen.insert(among.start + random % all);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_customers_are_different_and_all_there() {
        let some = chosen(1, 1..1_001, 100);
        assert_eq!(some.len(), 100);
        assert!(some.first() >= Some(&1) && some.last() <= Some(&1_000));
        assert_eq!(chosen(1, 1..11, 100), (1..11).collect());
        assert_ne!(chosen(1, 1..1_001, 100), chosen(2, 1..1_001, 100));
    }
}
