//! A history lived through with the engine, beside the model.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use medallion_definition::catalogue::history_name;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::maintenance::orphans::SafetyAge;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::error::{Advice, TransformError};
use medallion_transforms::maintenance::{Maintenance, MaintenancePolicy, When};
use medallion_transforms::silver::{SETTLE, SilverJob};
use medallion_transforms::spec;
use medallion_transforms::verify::VerifyJob;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::check::{Check, Seen};
use super::faults::{Asked, JobOutcome};
use super::history::{Event, File, History, Trouble};
use super::lived::Lived;
use super::shape::Shape;
use super::states::{self, StatesCheck};
use crate::conformance::observe::{Observed, observe};
use crate::small_lake::bronze::{BronzeFile, BronzeRow};
use crate::small_lake::contents::causes;
use crate::small_lake::{Endpoints, Repetition, SmallLake, only_contract};

/// When histories begin: 2026-01-02 03:00:00 UTC.
const BEGINNING: i64 = 1_767_322_800;
/// Seconds between two things that happen.
const PACE: i64 = 2;
const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.6f";

pub(super) struct Life<'a> {
    history: &'a History,
    pub(super) lake: SmallLake<'a>,
    pub(super) warehouse: Warehouse,
    pub(super) rng: ChaCha8Rng,
    /// Draws of their own, so that a history stays as it is without rebuilds.
    pub(super) rebuilds: Option<ChaCha8Rng>,
    now: i64,
    shape: Shape,
    loads: BTreeSet<String>,
    check: Check,
    states: StatesCheck,
    /// What the last job asked for that nothing disturbed.
    pub(super) asked: Asked,
    /// What the last rebuild asked for that nothing disturbed.
    pub(super) rebuild_asked: Asked,
    pub(super) lived: Lived,
}

/// Lives through a history. Every refusal of a difference is a text for people.
pub(super) async fn live(
    endpoints: &Endpoints,
    name: &str,
    history: &History,
    rng: ChaCha8Rng,
) -> Result<Lived, String> {
    let lake = endpoints.lake(name).await.map_err(|e| causes(&e))?;
    let warehouse = lake.warehouse(Repetition::Quick);
    let mut draws = rng.clone();
    draws.set_stream(1);
    let mut life = Life {
        history,
        warehouse,
        rng,
        rebuilds: history.rebuilds.then_some(draws),
        now: BEGINNING,
        shape: Shape::default(),
        loads: BTreeSet::new(),
        check: Check::new(history.form),
        states: StatesCheck::default(),
        asked: Asked::default(),
        rebuild_asked: Asked::default(),
        lived: Lived::default(),
        lake,
    };
    for event in &history.events {
        life.now += PACE;
        life.event(event).await?;
    }
    life.end().await?;
    Ok(life.lived)
}

impl Life<'_> {
    async fn event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Put(file) => self.put(file).await,
            Event::Reload => {
                for key in std::mem::take(&mut self.loads) {
                    let deleted = self.warehouse.bucket().delete(&key).await;
                    deleted.map_err(|e| causes(&e))?;
                }
                Ok(())
            }
            Event::Contract(shape) => {
                // What was committed so far was committed by the contract that ends here.
                let looked = self.look(false).await;
                self.shape = *shape;
                self.check.contract(*shape);
                self.states.contract();
                looked
            }
            Event::Wait(seconds) => {
                self.now += seconds;
                Ok(())
            }
            Event::Run(trouble) => {
                self.perhaps_rebuild().await?;
                self.run(*trouble).await
            }
        }
    }

    async fn put(&mut self, file: &File) -> Result<(), String> {
        let form = self.history.form;
        let time = |change: &super::fold::Change| {
            chrono::DateTime::from_timestamp(change.committed(self.now), 0).unwrap_or_default()
        };
        let row = |change: &super::fold::Change| BronzeRow {
            op: change.op.to_owned(),
            timestamp: time(change).format(TIMESTAMP).to_string(),
            seq: Some(change.seq.clone()).filter(|seq| !seq.is_empty()),
            values: file.shape.values(form, change.key, &change.row),
            before: match change.before {
                Some(before) => form.values(before),
                None => vec![None; form.columns().len()],
            },
        };
        let bronze = BronzeFile {
            columns: file.shape.columns(form),
            key: (0..form.columns().len()).collect(),
            rows: file.changes.iter().map(row).collect(),
            without: Vec::new(),
        };
        let key = format!("bronze/shop/items/{}.parquet", file.name);
        let modified = UNIX_EPOCH + Duration::from_secs(self.now.unsigned_abs());
        let content = bronze.parquet()?;
        let put = self.lake.put(&self.warehouse, &key, content, modified).await;
        put.map_err(|e| causes(&e))?;
        if file.is_load {
            self.loads.insert(key.clone());
        }
        let listed = self.warehouse.bucket().list(&key).await.map_err(|e| causes(&e))?;
        let etag = listed.first().map(|object| object.etag.clone()).unwrap_or_default();
        self.check.arrived(key, etag, self.now, file);
        Ok(())
    }

    pub(super) fn definition(&self) -> Result<LakeDefinition, String> {
        let History { form, buckets, states, .. } = *self.history;
        let contract = self.shape.contract(form, buckets, states);
        self.lake.definition(&contract).map_err(|findings| findings.to_string())
    }

    pub(super) fn silver_job<'j>(
        &self,
        lake: &'j LakeDefinition,
        contract: &'j TableContract,
        warehouse: &'j Warehouse,
    ) -> SilverJob<'j> {
        SilverJob {
            lake,
            contract,
            warehouse,
            now_micros: self.now * 1_000_000,
            batch_bytes: self.history.batch_bytes,
            settle: SETTLE,
            load_began: None,
            memory_bytes: self.history.memory_bytes,
            file_bytes: self.history.file_bytes,
        }
    }

    /// One job. The outcome tells whether anything was refused, and whose turn it is.
    pub(super) async fn job(&self, repetition: Repetition, disturbed: bool) -> JobOutcome {
        let definition = self.definition().map_err(|e| (Advice::Bug, e))?;
        let contract = only_contract(&definition).map_err(|e| (Advice::Bug, causes(&e)))?;
        let warehouse = self.lake.warehouse(repetition);
        let job = self.silver_job(&definition, contract, &warehouse);
        let refused = |error: TransformError| (error.advice(), causes(&error));
        let history = job.run().await.map_err(refused)?.history;
        // As the command does: maintenance that fails is left for another run. But nothing may
        // fail when nobody else is there and every request is served.
        let policy = MaintenancePolicy::new(job.file_bytes, job.memory_bytes);
        match job.maintain(policy, When::Due).await.map_err(refused) {
            Err((Advice::Retry, _)) if disturbed => {}
            Err((advice, text)) => return Err((advice, format!("maintenance: {text}"))),
            Ok(_) => {}
        }
        history.map(|_| ()).map_err(refused)
    }

    /// Whatever there is to maintain, down to few snapshots when nobody else is at work. Whether
    /// files were rewritten.
    async fn maintain(&self, alone: bool) -> Result<bool, String> {
        let now_ms = chrono::Utc::now().timestamp_millis();
        // Files of a few rows are many or small ones here, whatever the job makes of them.
        let mut policy = MaintenancePolicy::new(1 << 20, self.history.memory_bytes);
        policy.compaction.small_files = 2;
        policy.compaction.tier = u64::MAX;
        if alone {
            // Compaction is one commit: the one before it, up to which was looked, stays.
            (policy.keep, policy.keep_last) = (chrono::Duration::zero(), 2);
            if self.lived.crashes == 0 {
                // A request of a job that died may still be on its way.
                policy.orphan_age = SafetyAge::forced(Duration::ZERO);
            }
        }
        let maintenance = Maintenance { warehouse: &self.warehouse, policy, now_ms };
        let definition = self.definition()?;
        let contract = only_contract(&definition).map_err(|e| causes(&e))?;
        let mut compacted = false;
        let name = contract.table.lake_table();
        let history = contract.history.then(|| (Layer::Silver, history_name(contract)));
        let tables = [(Layer::Silver, name.clone()), (Layer::Quarantine, name)];
        for (layer, name) in tables.into_iter().chain(history) {
            let ident = spec::ident(&definition, layer, &name);
            let table = self.warehouse.load(&ident).await.map_err(|e| causes(&e))?;
            let Some(table) = table else { continue };
            let plan = maintenance.plan(&table, When::Now).await.map_err(|e| causes(&e))?;
            let report = maintenance.run(&table, plan).await.map_err(|e| causes(&e))?;
            compacted |= report.compacted.is_some();
        }
        Ok(compacted)
    }

    async fn run(&mut self, trouble: Trouble) -> Result<(), String> {
        self.lived.runs += 1;
        let outcomes = match trouble {
            Trouble::None => vec![self.undisturbed_job().await],
            Trouble::Twice => {
                let (one, other) = tokio::join!(
                    self.job(Repetition::Quick, true),
                    self.job(Repetition::Quick, true)
                );
                vec![one, other]
            }
            Trouble::Compacted => {
                self.look(false).await?;
                self.lived.compactions += u32::from(self.maintain(true).await?);
                vec![self.undisturbed_job().await]
            }
            Trouble::Compacting => {
                let (compacted, outcome) =
                    tokio::join!(self.maintain(false), self.job(Repetition::Quick, true));
                self.lived.compactions += u32::from(compacted?);
                vec![outcome]
            }
            Trouble::Fault => vec![self.faulty_job().await],
            Trouble::Crash => vec![self.dying_job().await],
        };
        self.lake.endpoints().clear_faults();
        // A fault and a race may ask for another run; nothing may ask for more.
        let disturbed = !matches!(trouble, Trouble::None | Trouble::Compacted);
        for outcome in outcomes {
            match outcome {
                Err((advice, text)) if !disturbed || advice != Advice::Retry => {
                    return Err(format!("a run ({trouble:?}) is refused ({advice:?}): {text}"));
                }
                _ => {}
            }
        }
        // A look takes as long as a run; what is not looked at now is looked at later.
        if trouble != Trouble::None && self.rng.random_bool(0.7) {
            return Ok(());
        }
        self.look(!disturbed).await.map_err(|e| format!("after {trouble:?}: {e}"))
    }

    pub(super) async fn look(&mut self, undisturbed: bool) -> Result<(), String> {
        let definition = self.definition()?;
        let contract = only_contract(&definition).map_err(|e| causes(&e))?;
        let observed = observe(&self.warehouse, &definition, contract).await?;
        let seen = Seen { observed: &observed, shape: self.shape, now: self.now };
        let batches = self.check.look(&self.warehouse, &seen, undisturbed).await?;
        self.lived.batches += batches;
        self.lived.rows += observed.rows.len();
        self.lived.delete_files += observed.delete_files;
        if self.history.states {
            let states = states::observe(&self.warehouse, &definition, contract).await?;
            self.lived.states += states.rows();
            let looked = self.states.look(&self.warehouse, &self.check, &states, self.shape).await;
            looked.map_err(|e| format!("history table: {e}"))?;
        }
        Ok(())
    }

    /// Everything has arrived and settled: one run does what is left, the next one nothing.
    async fn end(&mut self) -> Result<(), String> {
        self.now += 1_000;
        self.run(Trouble::None).await?;
        self.finish_rebuild().await?;
        // The history follows what was rebuilt.
        self.run(Trouble::None).await?;
        self.look(true).await?;
        let definition = self.definition()?;
        let contract = only_contract(&definition).map_err(|e| causes(&e))?;
        let observed: Observed = observe(&self.warehouse, &definition, contract).await?;
        self.check.end(&self.warehouse, contract, &observed).await?;
        let states = states::observe(&self.warehouse, &definition, contract).await?;
        if self.history.states {
            let ended = self.states.end(&self.check, &states, &observed, self.shape);
            ended.map_err(|e| format!("history table: {e}"))?;
        }
        self.run(Trouble::None).await.map_err(|e| format!("a second run: {e}"))?;
        let again = observe(&self.warehouse, &definition, contract).await?;
        let states_again = states::observe(&self.warehouse, &definition, contract).await?;
        // Maintenance may go on: what one run of it does is bounded.
        let commits = again.commits_since(observed.snapshot());
        let states = states_again.commits_since(states.snapshot());
        if !(commits.is_empty() && states.is_empty()) {
            return Err(format!("a second run commits {commits:?} and states {states:?}"));
        }
        self.verify(&definition).await
    }

    /// The engine's own verification finds nothing either: no difference, and no file left over.
    async fn verify(&self, definition: &LakeDefinition) -> Result<(), String> {
        let job = VerifyJob {
            lake: definition,
            contract: only_contract(definition).map_err(|e| causes(&e))?,
            warehouse: &self.warehouse,
            now_micros: self.now * 1_000_000,
            memory_bytes: self.history.memory_bytes,
            rows: 3,
        };
        let found = job.against_bronze().await.map_err(|e| format!("verify: {}", causes(&e)))?;
        if !found.is_equal() {
            return Err(format!("verify: {found}"));
        }
        match found.verified.unapplied {
            0 => Ok(()),
            files => Err(format!("verify: {files} files are said not to be applied")),
        }
    }
}
