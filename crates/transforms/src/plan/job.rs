//! The job of one table: what surrounds a plan, and where it gets its facts.

use chrono::{DateTime, Duration, Utc};
use medallion_definition::catalogue;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_ingestion::layout::table_prefix;
use medallion_tables::TableIdent;
use medallion_tables::store::ObjectMeta;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;

use super::history::Beginning;
use super::planner::needs_earlier;
use super::{PlanOptions, SilverPlan, Target, plan};
use crate::error::TransformError;
use crate::record::{Applied, AppliedState};
use crate::spec;

/// The job of one table.
pub struct SilverJob<'a> {
    /// The lake.
    pub lake: &'a LakeDefinition,
    /// The table's contract.
    pub contract: &'a TableContract,
    /// Where the lake lives.
    pub warehouse: &'a Warehouse,
    /// The job's own time, microseconds since the epoch; `_loaded_at` and `not_future` use it.
    pub now_micros: i64,
    /// The most Bronze bytes, as stored, that one batch applies; a larger file is a batch of its
    /// own, and a new full load is applied as a whole. Further batches follow in the same run.
    pub batch_bytes: u64,
    /// How long a new full load has to rest before it replaces the table.
    pub settle: Duration,
    /// When the full load began; only for the first batch over Bronze that was copied.
    pub load_began: Option<DateTime<Utc>>,
    /// The memory that a batch may take, in bytes, before it goes to the disk.
    pub memory_bytes: u64,
    /// About the size of a new data file in bytes.
    pub file_bytes: u64,
}

impl SilverJob<'_> {
    /// The Silver table, created when it is not there yet.
    ///
    /// # Errors
    /// When the catalog or the bucket refuses.
    pub async fn table(&self) -> Result<LakeTable, TransformError> {
        let name = self.contract.table.lake_table();
        let ident = spec::ident(self.lake, Layer::Silver, &name);
        let spec = spec::silver(self.warehouse.bucket().name(), self.contract);
        spec::ensure(self.warehouse, &ident, &spec).await
    }

    /// The history table, created when it is not there yet; nothing when the contract wants none.
    ///
    /// # Errors
    /// When the catalog or the bucket refuses.
    pub async fn history_table(&self) -> Result<Option<LakeTable>, TransformError> {
        let Some(spec) = spec::history(self.warehouse.bucket().name(), self.contract) else {
            return Ok(None);
        };
        spec::ensure(self.warehouse, &self.history_ident(), &spec).await.map(Some)
    }

    fn history_ident(&self) -> TableIdent {
        spec::ident(self.lake, Layer::Silver, &catalogue::history_name(self.contract))
    }

    /// The plan over the history table as it is, when the contract wants one; nothing is created
    /// or changed.
    ///
    /// # Errors
    /// As [`SilverJob::plan`].
    pub async fn explain_history(&self) -> Result<Option<SilverPlan>, TransformError> {
        if !self.contract.history {
            return Ok(None);
        }
        let base = self.warehouse.load(&self.history_ident()).await?;
        self.plan_history(base.as_ref()).await.map(Some)
    }

    /// The plan of the history's next batch. What Silver knows of earlier loads counts for the
    /// history too, and when Silver was reprocessed, the history makes the states of the load in
    /// force again, by the rules of now: both tell the same.
    ///
    /// # Errors
    /// As [`SilverJob::plan`].
    pub(crate) async fn plan_history(
        &self,
        base: Option<&LakeTable>,
    ) -> Result<SilverPlan, TransformError> {
        let own = self.applied(base).await?;
        let ident = spec::ident(self.lake, Layer::Silver, &self.contract.table.lake_table());
        let silver = self.applied(self.warehouse.load(&ident).await?.as_ref()).await?;
        let listing = self.listing().await?;
        let plan = match Beginning::of(&self.contract.table, &own, &silver, &listing) {
            Beginning::Goes => self.plan_over(own, &listing).await?,
            Beginning::Waits => self.plan_over(silver.clone(), &listing).await?.above(&own),
            Beginning::First => {
                self.plan_over(silver.restarted(), &listing).await?.above(&own).numbered(1)
            }
            Beginning::Restarts => {
                let all = SilverJob { batch_bytes: u64::MAX, ..*self };
                let plan = all.plan_over(silver.restarted(), &listing).await?.above(&own);
                plan.restarting(own.generation.as_ref())
            }
            Beginning::Lost(lost) => {
                let plan = self.plan_over(own, &listing).await?;
                let reason = format!(
                    "{}; states from before the reprocessing stay, since Bronze no longer holds \
                     {lost}",
                    plan.reason
                );
                SilverPlan { reason, ..plan }
            }
        };
        let state = AppliedState { rebuilt: silver.state.rebuilt, ..plan.state };
        Ok(SilverPlan { target: Target::History, state, ..plan })
    }

    /// The plan over the table as it is; nothing is created or changed.
    ///
    /// # Errors
    /// As [`SilverJob::plan`].
    pub async fn explain(&self) -> Result<SilverPlan, TransformError> {
        let ident = spec::ident(self.lake, Layer::Silver, &self.contract.table.lake_table());
        let base = self.warehouse.load(&ident).await?;
        self.plan(base.as_ref()).await
    }

    /// Finds the files that have not been applied to a table, by listing Bronze; events are only
    /// hints. The table is Silver or the history: each has records of its own.
    ///
    /// # Errors
    /// [`TransformError::Reloaded`] when an applied change file has another etag now,
    /// [`TransformError::BatchRecord`] when it cannot be known what was applied.
    pub async fn plan(&self, base: Option<&LakeTable>) -> Result<SilverPlan, TransformError> {
        let applied = self.applied(base).await?;
        let listing = self.listing().await?;
        self.plan_over(applied, &listing).await
    }

    /// What has been applied to a table.
    async fn applied(&self, base: Option<&LakeTable>) -> Result<Applied, TransformError> {
        match base {
            Some(base) => Applied::read(self.warehouse.bucket(), &self.contract.table, base).await,
            None => Ok(Applied::nothing()),
        }
    }

    /// Everything below the table's Bronze prefix.
    ///
    /// # Errors
    /// When the bucket refuses.
    pub(crate) async fn listing(&self) -> Result<Vec<ObjectMeta>, TransformError> {
        Ok(self.warehouse.bucket().list(&table_prefix(&self.contract.table)).await?)
    }

    /// The plan over a listing and what was applied.
    ///
    /// # Errors
    /// As [`SilverJob::plan`].
    pub(crate) async fn plan_over(
        &self,
        mut applied: Applied,
        listing: &[ObjectMeta],
    ) -> Result<SilverPlan, TransformError> {
        let table = &self.contract.table;
        let now = DateTime::from_timestamp_micros(self.now_micros).unwrap_or_default();
        if needs_earlier(table, listing, &applied, now) {
            applied.read_earlier(self.warehouse.bucket()).await?;
        }
        let options = PlanOptions {
            batch_bytes: self.batch_bytes,
            settle: self.settle,
            load_began: self.load_began,
        };
        plan(table, listing, &applied, now, &options)
    }
}
