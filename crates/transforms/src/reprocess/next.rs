//! What the next step of a rebuild is.

use medallion_definition::name::TableId;
use medallion_tables::store::ObjectMeta;
use medallion_tables::table::LakeTable;
use sha2::{Digest, Sha256};

use super::ReprocessJob;
use super::point::{Beginning, Point, Steps};
use super::swap::swapped;
use crate::error::TransformError;
use crate::merge::{REBUILD_BRANCH, Rebuild};
use crate::plan::{Generation, SilverPlan, lost, new_load};
use crate::record::Applied;

/// The next step of a rebuild. It prints.
#[derive(Clone, Debug)]
pub struct ReprocessPlan {
    /// The source table.
    pub table: TableId,
    /// From where it is rebuilt.
    pub from: Point,
    /// Main's snapshot, with which the step was planned.
    pub main: Option<i64>,
    /// What is done next.
    pub step: ReprocessStep,
    /// What is asked for, as one text (see [`Rebuild::identity`]).
    pub(super) identity: String,
    /// What counts as applied where the rebuild begins.
    pub(super) start: Applied,
}

/// One step of a rebuild.
#[derive(Clone, Debug)]
pub enum ReprocessStep {
    /// Nothing was applied after the point.
    Nothing,
    /// The branch begins.
    Begin {
        /// On this snapshot; on an empty table without one.
        on: Option<i64>,
        /// The first batch that follows.
        batch: Box<SilverPlan>,
    },
    /// A batch is applied on the branch.
    Apply {
        /// The branch's snapshot.
        head: i64,
        /// The batch.
        batch: Box<SilverPlan>,
    },
    /// The branch has all that main has, and takes its place.
    Swap {
        /// The branch's snapshot.
        head: i64,
    },
    /// The branch has taken main's place; quarantine follows, and the branch goes.
    Settle {
        /// The branch's snapshot.
        head: i64,
        /// It was begun for the same as this rebuild, which ends with it. Otherwise it was left
        /// behind, and this rebuild begins after it.
        ours: bool,
    },
}

impl ReprocessJob<'_> {
    /// The next step over the table as it is.
    pub(super) async fn plan(&self, table: &LakeTable) -> Result<ReprocessPlan, TransformError> {
        let (bucket, id) = (self.silver.warehouse.bucket(), &self.silver.contract.table);
        let main = table.at_main();
        let applied = Applied::read(bucket, id, &main).await?;
        let generation = applied.generation.clone().ok_or_else(|| self.nothing_applied())?;
        let identity = self.identity(&generation);
        let ours = |branch: &LakeTable| {
            Rebuild::of(branch).is_some_and(|rebuild| rebuild.identity == identity)
        };
        let branch = table.at_branch(REBUILD_BRANCH).ok();
        let head = branch.as_ref().and_then(LakeTable::snapshot_id).unwrap_or_default();
        // Whatever it was begun for: main holds it, and its rejected rows must not get lost.
        if branch.as_ref().is_some_and(|branch| swapped(&main, branch).is_some()) {
            let ours = branch.as_ref().is_some_and(ours);
            return Ok(self.planned(&main, identity, ReprocessStep::Settle { head, ours }));
        }
        let branch = branch.filter(ours);
        // Listed after main was read: what main has applied was in Bronze before.
        let listing = self.silver.listing().await?;
        if let Some(sign) = new_load(id, &listing, &applied) {
            return Err(TransformError::NewLoad { table: id.to_string(), sign });
        }
        let Some(branch) = branch else {
            return self.beginning(&main, identity, &applied, &generation, &listing).await;
        };
        let there = Applied::read(bucket, id, &branch).await?;
        let batch = self.batch(&applied, &there, &listing).await?;
        let step = match batch.files.is_empty() {
            true => ReprocessStep::Swap { head },
            false => ReprocessStep::Apply { head, batch: Box::new(batch) },
        };
        Ok(self.planned(&main, identity, step))
    }

    async fn beginning(
        &self,
        main: &LakeTable,
        identity: String,
        applied: &Applied,
        generation: &Generation,
        listing: &[ObjectMeta],
    ) -> Result<ReprocessPlan, TransformError> {
        let (bucket, id) = (self.silver.warehouse.bucket(), &self.silver.contract.table);
        let beginning = Steps::of(main).resolve(self.from, generation);
        let (on, start) = match beginning.map_err(|e| e.error(id, self.from))? {
            Beginning::Nowhere => {
                return Ok(self.planned(main, identity, ReprocessStep::Nothing));
            }
            Beginning::Nothing => (None, applied.restarted()),
            Beginning::Snapshot(snapshot) => {
                let read = Applied::read(bucket, id, &main.at_snapshot(snapshot)?).await?;
                (Some(snapshot), read)
            }
        };
        let batch = Box::new(self.batch(applied, &start, listing).await?);
        let step = ReprocessStep::Begin { on, batch };
        Ok(ReprocessPlan { start, ..self.planned(main, identity, step) })
    }

    /// The next batch above `there`, which leads to all that main has applied.
    async fn batch(
        &self,
        main: &Applied,
        there: &Applied,
        listing: &[ObjectMeta],
    ) -> Result<SilverPlan, TransformError> {
        let id = &self.silver.contract.table;
        let table = id.to_string();
        if let Some(lost) = lost(id, main, there, listing) {
            let point = self.from.to_string();
            return Err(TransformError::BronzeGone { table, point, lost });
        }
        let batch = self.silver.plan_over(there.clone(), listing).await?;
        let of_main = main.generation.as_ref().map(|generation| generation.number);
        if batch.waiting.is_some() || Some(batch.generation.number) != of_main {
            return Err(TransformError::NewLoad { table, sign: batch.reason });
        }
        Ok(batch)
    }

    fn planned(&self, main: &LakeTable, identity: String, step: ReprocessStep) -> ReprocessPlan {
        ReprocessPlan {
            table: self.silver.contract.table.clone(),
            from: self.from,
            main: main.snapshot_id(),
            step,
            identity,
            start: Applied::default(),
        }
    }

    /// SHA-256 of all that decides over the result of a rebuild beside Bronze. A rebuild that was
    /// begun for something else is no use.
    fn identity(&self, generation: &Generation) -> String {
        let (version, from, number) = (env!("CARGO_PKG_VERSION"), self.from, generation.number);
        let contract = self.silver.contract;
        hex::encode(Sha256::digest(format!("{version}\n{from}\n{number}\n{contract:?}")))
    }
}
