//! Rebuilds of the table from the start, in the middle of histories: alone, beside a job, or dying
//! at some request. What is left of one is gone on with by the next.

use std::collections::BTreeSet;

use medallion_tables::warehouse::{Warehouse, table_ident};
use medallion_transforms::error::{Advice, TransformError};
use medallion_transforms::reprocess::{Point, ReprocessJob, ReprocessOutcome};
use rand::Rng;

use super::check::{Check, files_of};
use super::faults::{Asked, deadly, passing, struck};
use super::live::Life;
use crate::aws::faults::FaultPlan;
use crate::small_lake::contents::causes;
use crate::small_lake::{Repetition, only_contract};

/// How often a rebuild is tried before a run.
const CHANCE: f64 = 0.12;
/// Requests to S3 and to Glue that are taken for those of a rebuild before there was one.
const OF_A_REBUILD: [u64; 2] = [120, 25];

impl Life<'_> {
    /// Perhaps a rebuild.
    pub(super) async fn perhaps_rebuild(&mut self) -> Result<(), String> {
        let Some(rng) = &mut self.rebuilds else { return Ok(()) };
        if !rng.random_bool(CHANCE) {
            return Ok(());
        }
        let (kind, lost, endpoint) =
            (rng.random_range(0..3), rng.random_bool(0.6), rng.random_range(0..2));
        let among = match self.rebuild_asked.of_endpoint(endpoint) {
            0 => OF_A_REBUILD[endpoint],
            requests => requests,
        };
        let after = rng.random_range(passing(among));
        match kind {
            0 => self.rebuild().await?,
            1 => {
                let fault = deadly(lost);
                let faults = self.lake.endpoints().faults()[endpoint];
                let count = faults.install(FaultPlan::new(fault).after(after).times(1));
                let ended = tokio::select! {
                    biased;
                    () = struck(&count) => None,
                    rebuilt = self.reprocess(Repetition::Off) => Some(rebuilt),
                };
                self.lived.note(fault, &count, ended.is_none());
                self.lake.endpoints().clear_faults();
                if let Some(rebuilt) = ended {
                    tolerable(rebuilt, true)?;
                }
            }
            _ => {
                let both = tokio::join!(
                    self.reprocess(Repetition::Quick),
                    self.job(Repetition::Quick, true)
                );
                self.lived.rebuilds += u32::from(tolerable(both.0, true)?);
                match both.1 {
                    Err((advice, text)) if advice != Advice::Retry => {
                        return Err(format!("a job beside a rebuild ({advice:?}): {text}"));
                    }
                    _ => {}
                }
            }
        }
        self.look(false).await.map_err(|e| format!("after a rebuild ({kind}): {e}"))
    }

    /// A rebuild that nothing disturbs.
    async fn rebuild(&mut self) -> Result<(), String> {
        let before = Asked::so_far(self.lake.endpoints());
        let rebuilt = tolerable(self.reprocess(Repetition::Quick).await, false)?;
        if rebuilt {
            self.lived.rebuilds += 1;
            self.rebuild_asked = before.until_now(self.lake.endpoints());
            self.lived.asked(&self.rebuild_asked.by_operation());
        }
        Ok(())
    }

    /// Finishes what is left, if anything.
    pub(super) async fn finish_rebuild(&mut self) -> Result<(), String> {
        let ident = table_ident(&format!("{}_silver", self.lake.name()), "shop_items");
        let table = self.warehouse.load(&ident).await.map_err(|e| causes(&e))?;
        if table.is_some_and(|table| table.at_branch("reprocess").is_ok()) {
            self.rebuild().await?;
        }
        Ok(())
    }

    async fn reprocess(
        &self,
        repetition: Repetition,
    ) -> Result<Result<ReprocessOutcome, TransformError>, String> {
        let definition = self.definition()?;
        let contract = only_contract(&definition).map_err(|e| causes(&e))?;
        let warehouse = self.lake.warehouse(repetition);
        let silver = self.silver_job(&definition, contract, &warehouse);
        Ok(ReprocessJob { silver, from: Point::Start }.run().await)
    }
}

/// True when the table was rebuilt. A race or a fault may ask for another run, which a rebuild that
/// is not disturbed may not, and a history may leave nothing to rebuild from; nothing else may go
/// wrong.
fn tolerable(
    rebuilt: Result<Result<ReprocessOutcome, TransformError>, String>,
    disturbed: bool,
) -> Result<bool, String> {
    match rebuilt? {
        Ok(outcome) => Ok(matches!(outcome, ReprocessOutcome::Rebuilt(_))),
        Err(
            TransformError::NothingApplied { .. }
            | TransformError::NewLoad { .. }
            | TransformError::BronzeGone { .. },
        ) => Ok(false),
        Err(error) if disturbed && error.advice() == Advice::Retry => Ok(false),
        Err(error) => Err(format!("a rebuild ({:?}): {}", error.advice(), causes(&error))),
    }
}

/// The Bronze files of the rebuild that a record took over; nothing when it took over none.
pub(super) async fn taken_over(
    warehouse: &Warehouse,
    record: &[u8],
) -> Result<Option<Vec<(String, String)>>, String> {
    let mut record = record.to_vec();
    let (mut files, mut steps) = (Vec::new(), 0);
    loop {
        let json: serde_json::Value = serde_json::from_slice(&record).map_err(|e| e.to_string())?;
        files.extend(files_of(&record)?);
        let Some(previous) = json["previous"]["key"].as_str() else { break };
        let content = warehouse.bucket().get(previous).await.map_err(|e| causes(&e))?;
        record = content.to_vec();
        steps += 1;
    }
    Ok((steps > 0).then_some(files))
}

impl Check {
    /// Main holds what a rebuild from the start applied: all that main had applied of the load in
    /// force, and perhaps more.
    pub(super) fn rebuilt(&mut self, files: &[(String, String)]) -> Result<(), String> {
        let rebuilt: BTreeSet<&(String, String)> = files.iter().collect();
        if rebuilt.len() < files.len() {
            return Err("a rebuild applied a file twice".to_owned());
        }
        for file in files {
            let arrived = self.arrived.get(file).ok_or("a file that never arrived")?;
            if Some(arrived.generation) != self.generation {
                return Err(format!("a rebuild applied `{}` of another load", file.0));
            }
        }
        let of_it = |file: &&(String, String)| {
            self.arrived.get(*file).is_some_and(|f| Some(f.generation) == self.generation)
        };
        if let Some(lost) = self.applied.iter().filter(of_it).find(|f| !rebuilt.contains(f)) {
            return Err(format!("a rebuild left `{}` out", lost.0));
        }
        self.applied.extend(files.iter().cloned());
        self.stepwise = self.folded();
        // Which change a row is of that several changes leave the same depends on the batches.
        self.late = true;
        let applied = files.iter().filter_map(|file| self.arrived.get(file));
        let greatest = applied.flat_map(|f| f.changes.iter()).map(|c| c.seq.clone()).max();
        self.reached = self.reached.clone().max(greatest.unwrap_or_default());
        Ok(())
    }
}
