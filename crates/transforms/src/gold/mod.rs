//! Gold: business tables from SQL models, published only when they are right.
//!
//! A run looks at what the model's inputs are now and at what the published table was built from
//! ([`GoldPlan`]), builds the rows on a branch of the table, checks them there, and moves `main` to
//! it. A build that fails a check leaves `main` where it was and stays on the branch [`BRANCH`].

mod audit;
mod build;
mod graph;
mod incremental;
pub mod lineage;
mod lookup;
mod outcome;
mod plan;
pub mod portable;
mod run;
mod session;
pub mod shape;
mod source;
pub mod unit_test;
mod write;

use std::collections::BTreeMap;

use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_tables::TableIdent;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use sha2::{Digest, Sha256};

pub use audit::{CheckResult, THIS};
pub use graph::{Input, contract_of, inputs, levels};
pub use outcome::{GoldOutcome, GoldReport};
pub use plan::{Action, GoldPlan};
pub use session::{described_schema, empty_session, logical_plan, session};
pub use source::{Files, Opened, Version, Versions, open};

use crate::error::TransformError;
use crate::spec;
use source::Source;

/// The branch on which a build stands until it is published.
pub const BRANCH: &str = "audit";

/// The job of one model.
pub struct GoldJob<'a> {
    /// The lake.
    pub lake: &'a LakeDefinition,
    /// The model.
    pub model: &'a GoldModel,
    /// Where the lake lives.
    pub warehouse: &'a Warehouse,
    /// The time of the run, microseconds since the epoch.
    pub now_micros: i64,
    /// What queries may take of memory before they go on on disk, in bytes.
    pub memory_bytes: u64,
    /// About how large a data file becomes, in bytes.
    pub file_bytes: u64,
    /// Build in full whatever changed.
    pub full: bool,
}

/// What a run found.
pub(crate) struct Looked {
    pub(crate) plan: GoldPlan,
    pub(crate) sources: Vec<(Input, Source)>,
    /// The Gold table, read at main.
    pub(crate) published: Option<LakeTable>,
}

/// SHA-256 over the columns of the inputs.
fn columns_of(sources: &[(Input, Source)]) -> String {
    let mut hash = Sha256::new();
    for (input, source) in sources {
        hash.update(format!("{input}\n{}", source.columns()));
    }
    hex::encode(hash.finalize())
}

impl Looked {
    /// The rows of the inputs, as far as they are known without reading them.
    pub(crate) fn rows(&self) -> BTreeMap<String, u64> {
        let known = |(input, source): &(Input, Source)| Some((input.to_string(), source.rows()?));
        self.sources.iter().filter_map(known).collect()
    }
}

impl GoldJob<'_> {
    fn ident(&self) -> TableIdent {
        spec::ident(self.lake, Layer::Gold, self.model.name.as_str())
    }

    /// Looks up the inputs and compares them with what the published table was built from.
    pub(crate) async fn look(&self) -> Result<Looked, TransformError> {
        let published = self.warehouse.load(&self.ident()).await?;
        let (mut sources, mut versions, mut missing) = (Vec::new(), Versions::new(), Vec::new());
        for input in inputs(self.lake, self.model)? {
            match Source::load(self.lake, self.warehouse, &input).await? {
                Some(source) => {
                    versions.insert(input.to_string(), source.version());
                    sources.push((input, source));
                }
                None => missing.push(input.to_string()),
            }
        }
        let columns = columns_of(&sources);
        let (model, full) = (self.model, self.full);
        let plan = GoldPlan::new(model, versions, columns, missing, published.as_ref(), full);
        Ok(Looked { plan, sources, published })
    }

    /// The plan; nothing is created or changed.
    ///
    /// # Errors
    /// When an input cannot be read.
    pub async fn explain(&self) -> Result<GoldPlan, TransformError> {
        Ok(self.look().await?.plan)
    }

    /// The Gold table, created when it is not there yet, with every column that the model has;
    /// columns that it no longer has stay until a build is published.
    pub(crate) async fn table(&self) -> Result<LakeTable, TransformError> {
        let ident = self.ident();
        let mut spec = spec::gold(self.warehouse.bucket().name(), self.model);
        if let Some(table) = self.warehouse.load(&ident).await? {
            spec::keep_others(&mut spec, &table);
        }
        spec::ensure(self.warehouse, &ident, &spec).await
    }

    fn name(&self) -> String {
        format!("gold.{}", self.model.name)
    }

    fn commit_error(&self, source: medallion_tables::commit::CommitError) -> TransformError {
        TransformError::commit(self.name(), source)
    }

    /// The tables as DataFusion reads them, for whoever only asks.
    ///
    /// # Errors
    /// When an input cannot be read, or one does not exist yet.
    pub async fn session(
        &self,
    ) -> Result<(datafusion::prelude::SessionContext, Versions), TransformError> {
        let looked = self.look().await?;
        let tables =
            looked.sources.iter().map(|(input, source)| (input.clone(), source.provider()));
        let context = session(tables).map_err(|e| graph::query_error(self.model, e))?;
        Ok((context, looked.plan.inputs))
    }
}
