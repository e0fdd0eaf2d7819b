//! Building, checking, publishing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::DFParser;
use datafusion::sql::resolve::resolve_table_references;
use medallion_definition::model::CheckKind;
use medallion_definition::name::{ColumnName, Layer};
use medallion_tables::commit::{Branch, Change, CommitError, commit, drop_branch, publish_branch};
use medallion_tables::files::LiveFile;
use medallion_tables::provider::LakeTableProvider;
use medallion_tables::table::LakeTable;
use medallion_tables::writer::write_stream;
use medallion_tables::{DataFile, Operation};

use super::audit::{Audit, CheckResult, THIS};
use super::build::{
    Joins, Stopped, bounded, classify, execute, fit, needs_hash_joins, plan, stopped, with_this,
};
use super::graph::{Input, query_error};
use super::incremental::{Inputs, Limits, recompute};
use super::outcome::{GoldOutcome, GoldReport};
use super::plan::{Action, fingerprint};
use super::source::{Since, Source, Versions};
use super::write::{Unkeyed, replace_keys, without_null_keys};
use super::{BRANCH, GoldJob, Looked};
use crate::error::{Advice, TransformError};
use crate::merge::discard;
use crate::{spec, summary};

/// The share of the job's memory that rows with touched keys may take: 1 / this. They are held a few
/// times over.
const HELD: u64 = 4;

/// A build before it is committed.
struct Build {
    mode: &'static str,
    because: Option<String>,
    keys: Option<u64>,
    added: Vec<DataFile>,
    removed: Vec<LiveFile>,
    inserted: u64,
    deleted: u64,
    /// The rows that were computed, when the others were published before.
    fresh: Option<Vec<RecordBatch>>,
    /// Rows that could not be written, by the key column in which they have NULL.
    unkeyed: BTreeMap<String, u64>,
}

impl GoldJob<'_> {
    /// Builds on a branch, checks, and publishes what passes.
    ///
    /// # Errors
    /// Any [`TransformError`]; the published table is then as it was. A build that fails a check is
    /// no error but [`GoldOutcome::Red`].
    pub async fn run(&self) -> Result<GoldOutcome, TransformError> {
        let looked = self.look().await?;
        match looked.plan.action.clone() {
            Action::Wait(missing) => Ok(GoldOutcome::Waiting(missing)),
            Action::Nothing => Ok(GoldOutcome::UpToDate),
            Action::Full { because } => self.in_full(&looked, because).await,
            Action::Incremental { changed, .. } => self.incrementally(&looked, &changed).await,
        }
    }

    async fn in_full(
        &self,
        looked: &Looked,
        because: String,
    ) -> Result<GoldOutcome, TransformError> {
        let base = self.cleared(self.table().await?).await?;
        let unkeyed = Arc::new(Unkeyed::default());
        let mut joins = Joins::Hash;
        let written = loop {
            let one = async {
                let context = bounded(&looked.sources, self.memory_bytes, joins)
                    .map_err(|e| stopped(self.model, &e))?;
                let query = plan(&context, self.model).await.map_err(Stopped::Failed)?;
                let rows = execute(&context, self.model, query).await?;
                let rows = fit(&base, unkeyed.take_out(self.model, rows));
                let written = write_stream(&base, rows, self.file_bytes).await;
                written.map_err(|e| classify(self.model, e))
            };
            match one.await {
                Ok(written) => break written,
                Err(Stopped::OutOfMemory) if joins == Joins::Hash => {
                    let context = bounded(&looked.sources, self.memory_bytes, joins)
                        .map_err(|e| query_error(self.model, e))?;
                    if needs_hash_joins(&context, self.model).await? {
                        return Err(self.failed(Stopped::OutOfMemory));
                    }
                    unkeyed.forget();
                    joins = Joins::SortMerge;
                }
                Err(stopped) => return Err(self.failed(stopped)),
            }
        };
        let removed = base.at_main().live_files().await?;
        let deleted = looked.published.clone().map(Source::Lake).and_then(|s| s.rows());
        let build = Build {
            mode: "full",
            because: Some(because),
            keys: None,
            added: written.files,
            removed,
            inserted: written.rows,
            deleted: deleted.unwrap_or_default(),
            fresh: None,
            unkeyed: unkeyed.counts(),
        };
        self.finish(looked, base, build).await
    }

    async fn incrementally(
        &self,
        looked: &Looked,
        changed: &Versions,
    ) -> Result<GoldOutcome, TransformError> {
        let mut since = BTreeMap::new();
        for (input, source) in &looked.sources {
            let Some(old) = changed.get(&input.to_string()) else { continue };
            match source.since(old).await? {
                Ok(found) => {
                    since.insert(input.clone(), found);
                }
                Err(why) => return self.in_full(looked, format!("of {input}, {why}")).await,
            }
        }
        match self.keys_again(looked, &since).await {
            Ok(Ok((base, build))) => self.finish(looked, base, build).await,
            Ok(Err(why)) => self.in_full(looked, why).await,
            Err(Stopped::OutOfMemory) => {
                let why = "computing again what was touched takes more memory than there is";
                self.in_full(looked, why.to_owned()).await
            }
            // A row that the search for keys meets, and the query itself does not, may fail it.
            Err(Stopped::Failed(error)) if error.advice() != Advice::Retry => {
                self.in_full(looked, format!("computing again what was touched fails: {error}"))
                    .await
            }
            Err(stopped) => Err(self.failed(stopped)),
        }
    }

    async fn keys_again(
        &self,
        looked: &Looked,
        since: &BTreeMap<Input, Since>,
    ) -> Result<Result<(LakeTable, Build), String>, Stopped> {
        let published = looked.published.clone().map(Source::Lake).and_then(|s| s.rows());
        let context = bounded(&looked.sources, self.memory_bytes, Joins::Hash)
            .map_err(|e| stopped(self.model, &e))?;
        let query = plan(&context, self.model).await.map_err(Stopped::Failed)?;
        let inputs = Inputs { sources: &looked.sources, changed: since };
        let key = self.key();
        let rows = published.unwrap_or_default();
        let limits = Limits { published_rows: rows, bytes: self.memory_bytes / HELD };
        let again = recompute(&context, self.model, query, &key, &inputs, limits).await?;
        let again = match again {
            Ok(again) => again,
            Err(why) => return Ok(Err(why)),
        };
        let build = async {
            let base = self.cleared(self.table().await?).await?;
            let (rows, unkeyed) = without_null_keys(self.model, &again.rows)?;
            let main = base.at_main();
            let replaced = replace_keys(&main, &again.keys, rows, self.file_bytes).await?;
            let build = Build {
                mode: "incremental",
                because: None,
                keys: Some(again.keys.num_rows() as u64),
                added: replaced.added,
                removed: replaced.removed,
                inserted: replaced.inserted,
                deleted: replaced.deleted,
                fresh: Some(again.rows),
                unkeyed,
            };
            Ok((base, build))
        };
        build.await.map(Ok).map_err(Stopped::Failed)
    }

    fn key(&self) -> Vec<ColumnName> {
        match &self.model.materialisation {
            medallion_definition::model::Materialisation::Full => Vec::new(),
            medallion_definition::model::Materialisation::Incremental { key } => key.clone(),
        }
    }

    fn failed(&self, stopped: Stopped) -> TransformError {
        match stopped {
            Stopped::Failed(error) => error,
            Stopped::OutOfMemory => TransformError::OutOfMemory {
                model: self.model.name.to_string(),
                bytes: self.memory_bytes,
            },
        }
    }

    /// The table without the branch that an earlier run left, be it red or interrupted.
    async fn cleared(&self, table: LakeTable) -> Result<LakeTable, TransformError> {
        if table.at_branch(BRANCH).is_err() {
            return Ok(table.at_main());
        }
        let cleared = drop_branch(self.warehouse, &table, BRANCH).await;
        Ok(cleared.map_err(|e| self.commit_error(e))?.at_main())
    }

    /// Commits the build to the branch, checks it there and publishes it.
    async fn finish(
        &self,
        looked: &Looked,
        base: LakeTable,
        build: Build,
    ) -> Result<GoldOutcome, TransformError> {
        let on_branch = self.to_branch(looked, &base, &build).await?;
        let checks = self.audit(looked, &on_branch, &build).await?;
        let red = checks.iter().any(CheckResult::is_red);
        let rows = Source::Lake(on_branch.clone()).rows().unwrap_or_default();
        let mut report = GoldReport {
            mode: build.mode,
            because: build.because,
            inputs: looked.plan.inputs.clone(),
            input_rows: looked.rows(),
            keys: build.keys,
            rows,
            inserted: build.inserted,
            deleted: build.deleted,
            snapshot: on_branch.snapshot_id().unwrap_or_default(),
            branch: red.then_some(BRANCH),
            checks,
        };
        if red {
            return Ok(GoldOutcome::Red(report));
        }
        let published = publish_branch(self.warehouse, &on_branch, BRANCH).await;
        let published = published.map_err(|e| self.commit_error(e))?.at_main();
        report.snapshot = published.snapshot_id().unwrap_or_default();
        self.drop_others(&published).await?;
        Ok(GoldOutcome::Published(report))
    }

    async fn to_branch(
        &self,
        looked: &Looked,
        base: &LakeTable,
        build: &Build,
    ) -> Result<LakeTable, TransformError> {
        // What was computed belongs to the table that was looked at, whoever published since.
        let planned = looked.published.as_ref().and_then(LakeTable::snapshot_id);
        if base.at_main().snapshot_id() != planned {
            return Err(self.commit_error(CommitError::Conflict { table: self.name() }));
        }
        let inputs = serde_json::json!(looked.plan.inputs).to_string();
        let input_rows = serde_json::json!(looked.rows()).to_string();
        let rows = |name: &str| format!("{}{name}", summary::ROWS);
        let mut entries = BTreeMap::from([
            (summary::INPUTS.to_owned(), inputs),
            (summary::INPUT_ROWS.to_owned(), input_rows),
            (summary::INPUT_COLUMNS.to_owned(), looked.plan.columns.clone()),
            (summary::MODEL.to_owned(), fingerprint(self.model)),
            (summary::CODE_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            (summary::MODE.to_owned(), build.mode.to_owned()),
            (rows("inserted"), build.inserted.to_string()),
            (rows("deleted"), build.deleted.to_string()),
        ]);
        if let Some(keys) = build.keys {
            entries.insert(summary::KEYS.to_owned(), keys.to_string());
        }
        let (added, removed) = (build.added.clone(), build.removed.clone());
        let adds_deletes = added.iter().any(|f| f.referenced_data_file().is_some());
        let append = removed.is_empty() && !adds_deletes;
        let operation = if append { Operation::Append } else { Operation::Overwrite };
        let paths: Vec<String> = added.iter().map(|f| f.file_path().to_owned()).collect();
        let branch = Branch::Named(BRANCH.to_owned());
        let change = Change { operation, added, removed, summary: entries, branch };
        match commit(self.warehouse, base, change).await {
            Ok(committed) => Ok(committed),
            Err(error) => {
                if matches!(error, CommitError::Conflict { .. }) {
                    discard(self.warehouse, &paths).await;
                }
                Err(self.commit_error(error))
            }
        }
    }

    async fn audit(
        &self,
        looked: &Looked,
        on_branch: &LakeTable,
        build: &Build,
    ) -> Result<Vec<CheckResult>, TransformError> {
        let context = self.audit_session(looked, on_branch).await?;
        let source = Source::Lake(on_branch.clone());
        let published = looked.published.clone().map(Source::Lake);
        let audit = Audit {
            model: self.model,
            context: &context,
            fresh: build.fresh.clone(),
            rows: (source.rows().unwrap_or_default(), published.and_then(|p| p.rows())),
            now_micros: self.now_micros,
        };
        let mut checks = audit.run().await?;
        for check in &mut checks {
            let column = check.name.strip_prefix("not_null(").and_then(|n| n.strip_suffix(')'));
            let Some(count) = column.and_then(|column| build.unkeyed.get(column)) else { continue };
            if check.failing < *count {
                check.failing = *count;
                check.shown.push(format!(
                    "{count} rows without a key are left out of the branch `{BRANCH}`"
                ));
            }
        }
        Ok(checks)
    }

    /// The tables that checks can ask, with the build as `this`.
    async fn audit_session(
        &self,
        looked: &Looked,
        on_branch: &LakeTable,
    ) -> Result<SessionContext, TransformError> {
        let mut sources = looked.sources.clone();
        for input in self.asked()? {
            if sources.iter().any(|(known, _)| *known == input) {
                continue;
            }
            let missing = || TransformError::UnknownInput {
                model: self.model.name.to_string(),
                place: self.model.file.clone(),
                known: Vec::new(),
                input: input.to_string(),
            };
            let source = Source::load(self.lake, self.warehouse, &input).await?;
            sources.push((input.clone(), source.ok_or_else(missing)?));
        }
        let context = bounded(&sources, self.memory_bytes, Joins::Hash);
        let context = context.map_err(|e| query_error(self.model, e))?;
        let this: Arc<dyn TableProvider> = Arc::new(LakeTableProvider::new(on_branch.clone()));
        with_this(&context, this).map_err(|e| query_error(self.model, e))?;
        Ok(context)
    }

    /// The tables that the checks of the header ask.
    fn asked(&self) -> Result<BTreeSet<Input>, TransformError> {
        let mut asked = BTreeSet::new();
        for check in &self.model.checks {
            match &check.kind {
                CheckKind::Relationship { to_layer, to_table, .. } => {
                    asked.insert(Input { layer: *to_layer, table: to_table.clone() });
                }
                CheckKind::Sql { sql } => {
                    let statements = DFParser::parse_sql(sql);
                    for statement in statements.map_err(|e| query_error(self.model, e))? {
                        let (tables, _) = resolve_table_references(&statement, true)
                            .map_err(|e| query_error(self.model, e))?;
                        asked.extend(tables.iter().filter_map(|table| {
                            let layer = table.schema()?.parse::<Layer>().ok()?;
                            Some(Input { layer, table: table.table().to_owned() })
                        }));
                    }
                }
                CheckKind::NotNull { .. }
                | CheckKind::Unique { .. }
                | CheckKind::AcceptedValues { .. }
                | CheckKind::RowCountChange { .. }
                | CheckKind::Freshness { .. } => {}
            }
        }
        let this = Input { layer: Layer::Gold, table: THIS.to_owned() };
        asked.remove(&this);
        Ok(asked)
    }

    /// Columns that the model no longer has go when its build is published.
    async fn drop_others(&self, published: &LakeTable) -> Result<(), TransformError> {
        let mut described = spec::gold(self.warehouse.bucket().name(), self.model);
        described.dropped = spec::others(&described, published);
        if !described.dropped.is_empty() || !spec::opened(&described, published).is_empty() {
            spec::ensure(self.warehouse, published.ident(), &described).await?;
        }
        Ok(())
    }
}
