//! One case, played with one engine.

use futures::future::join_all;
use medallion_definition::lake::LakeDefinition;
use medallion_tables::warehouse::Warehouse;

use super::always;
use super::case::{BronzeStep, Case, Expect, Outcome, Step};
use super::compare;
use super::engine::{BALANCE, Ended, Engine, Job};
use super::files;
use super::observe::{Observed, observe};
use crate::aws::faults::{Fault, FaultCount, FaultPlan};
use crate::failure::HarnessError;
use crate::small_lake::{Endpoints, Repetition, SmallLake, only_contract};

/// How an engine did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Score {
    /// Everything is as expected.
    Pass,
    /// What is not, one line each.
    Fail(Vec<String>),
    /// Nothing is shown: the engine does not provide what the case requires, or a fault never
    /// struck.
    Unsupported(String),
}

/// Plays a case in a new lake.
///
/// # Errors
/// When the endpoints fail or the engine cannot be started.
pub(super) async fn play(
    endpoints: &Endpoints,
    engine: &dyn Engine,
    case: &Case,
    lake: &str,
) -> Result<Score, HarnessError> {
    if let Some(lacking) = case.requires.iter().find(|requirement| !engine.provides(requirement)) {
        return Ok(Score::Unsupported(format!("needs `{lacking}`")));
    }
    let lake = endpoints.lake(lake).await?;
    let warehouse = lake.warehouse(Repetition::Quick);
    let mut stage = Stage {
        lake: &lake,
        engine,
        case,
        warehouse,
        contract: case.contract.clone(),
        seen: Observed::default(),
        unproven: None,
    };
    let outcome = stage.steps().await;
    endpoints.clear_faults();
    match outcome {
        Ok(()) => Ok(stage.unproven.map_or(Score::Pass, Score::Unsupported)),
        Err(Stop::Differences(found)) => Ok(Score::Fail(found)),
        Err(Stop::Broken(error)) => Err(error),
    }
}

enum Stop {
    Differences(Vec<String>),
    Broken(HarnessError),
}

impl From<HarnessError> for Stop {
    fn from(error: HarnessError) -> Stop {
        Stop::Broken(error)
    }
}

impl From<String> for Stop {
    fn from(difference: String) -> Stop {
        Stop::Differences(vec![difference])
    }
}

struct Stage<'a> {
    lake: &'a SmallLake<'a>,
    engine: &'a dyn Engine,
    case: &'a Case,
    warehouse: Warehouse,
    /// The name of the contract in force.
    contract: String,
    /// What was there after the last step.
    seen: Observed,
    /// Why the case shows nothing even if all is as expected.
    unproven: Option<String>,
}

impl Stage<'_> {
    async fn steps(&mut self) -> Result<(), Stop> {
        for (number, step) in self.case.step.iter().enumerate() {
            for turn in 0..step.repeat {
                let named = |found: Vec<String>| {
                    let place = match (step.about.as_str(), step.repeat) {
                        ("", 1) => format!("step {}", number + 1),
                        ("", _) => format!("step {} (turn {turn})", number + 1),
                        (about, _) => format!("step {} ({about})", number + 1),
                    };
                    found.into_iter().map(|line| format!("{place}: {line}")).collect()
                };
                self.step(step, turn).await.map_err(|stop| match stop {
                    Stop::Differences(found) => Stop::Differences(named(found)),
                    broken @ Stop::Broken(_) => broken,
                })?;
            }
        }
        self.again().await
    }

    /// A run after the last one finds nothing to do.
    async fn again(&mut self) -> Result<(), Stop> {
        let last = self.case.step.last().filter(|step| step.run).map(|step| step.expect.outcome);
        if !matches!(last, Some(Outcome::Committed | Outcome::UpToDate | Outcome::Waiting)) {
            return Ok(());
        }
        let (text, definition) = self.definition()?;
        let job = self.job(&text, &definition, [None; 2]);
        let ended = [self.engine.run(&job).await?];
        let expect = Expect { outcome: Outcome::UpToDate, ..Expect::default() };
        let found = self.judge(&expect, &definition, &ended).await?;
        let named = found.into_iter().map(|line| format!("a second run: {line}"));
        let found: Vec<String> = named.collect();
        if found.is_empty() { Ok(()) } else { Err(Stop::Differences(found)) }
    }

    fn definition(&self) -> Result<(String, LakeDefinition), Stop> {
        let text = self.case.contract_text(&self.contract)?;
        match self.lake.definition(&text) {
            Ok(definition) => Ok((text, definition)),
            Err(findings) => {
                Err(format!("the contract `{}` is refused: {findings}", self.contract).into())
            }
        }
    }

    fn job<'b>(
        &'b self,
        contract: &'b str,
        definition: &'b LakeDefinition,
        [batch_bytes, file_bytes]: [Option<u64>; 2],
    ) -> Job<'b> {
        Job { lake: self.lake, definition, contract, batch_bytes, file_bytes }
    }

    async fn step(&mut self, step: &Step, turn: u32) -> Result<(), Stop> {
        if let Some(contract) = &step.contract {
            self.contract.clone_from(contract);
        }
        let (text, definition) = self.definition()?;
        for file in &step.file {
            self.put(&numbered(file, turn), &definition).await?;
        }
        for short in &step.remove {
            let key = files::object_key(&only_contract(&definition)?.table, short);
            let deleted = self.warehouse.bucket().delete(&key).await;
            deleted.map_err(|e| format!("`{key}` cannot be deleted: {e}"))?;
        }
        if !step.run {
            return Ok(());
        }
        let fault = self.plan_fault(step)?;
        let job = self.job(&text, &definition, [step.batch_bytes, step.file_bytes]);
        let runs = join_all((0..step.at_once).map(|_| self.engine.run(&job))).await;
        self.lake.endpoints().clear_faults();
        let mut ended = runs.into_iter().collect::<Result<Vec<Ended>, _>>()?;
        if step.maintain {
            ended.push(self.engine.maintain(&job).await?);
        }
        if let Some((name, _)) = fault.filter(|(_, count)| count.struck() == 0) {
            self.unproven = Some(format!("the fault `{name}` never struck"));
        }
        let found = self.judge(&step.expect, &definition, &ended).await?;
        if found.is_empty() { Ok(()) } else { Err(Stop::Differences(found)) }
    }

    async fn put(&self, file: &BronzeStep, definition: &LakeDefinition) -> Result<(), Stop> {
        let contract = only_contract(definition)?;
        let key = files::object_key(&contract.table, &file.key);
        let modified = files::modified(file)?;
        match files::content(file, contract)? {
            Some(content) => self.lake.put(&self.warehouse, &key, content, modified).await?,
            None if self.lake.touch(&key, modified) => {}
            None => return Err(format!("`{key}` has no content and is not there").into()),
        }
        Ok(())
    }

    /// Plans the fault of a step, if there is one; returns its name and how often it strikes.
    fn plan_fault<'s>(&self, step: &'s Step) -> Result<Option<(&'s str, FaultCount)>, Stop> {
        let Some(planned) = &step.fault else { return Ok(None) };
        let fault = Fault::named(&planned.name)
            .ok_or_else(|| format!("there is no fault `{}`", planned.name))?;
        let subject = planned.subject.clone();
        let plan = FaultPlan::new(fault).when(move |s| s.contains(&subject)).after(planned.after);
        let plan = match planned.times {
            Some(times) => plan.times(times),
            None => plan,
        };
        Ok(Some((planned.name.as_str(), self.lake.endpoints().plan_fault(fault, plan))))
    }

    async fn judge(
        &mut self,
        expect: &Expect,
        definition: &LakeDefinition,
        ended: &[Ended],
    ) -> Result<Vec<String>, Stop> {
        let contract = only_contract(definition)?;
        let after = observe(&self.warehouse, definition, contract).await?;
        let (before, counts) = (&self.seen, self.engine.provides(BALANCE));
        let mut found = compare::differences(expect, contract, ended, before, &after, counts)?;
        let violations = always::violations(&self.warehouse, contract, before, &after, counts);
        found.extend(violations.await?);
        let printed: Vec<&str> = ended.iter().map(Ended::printed).collect();
        found.extend(always::leaks(&self.warehouse, &expect.secret, &printed).await?);
        self.seen = after;
        Ok(found)
    }
}

/// The file of one turn of a repeated step.
fn numbered(file: &BronzeStep, turn: u32) -> BronzeStep {
    let fill =
        |text: &str| text.replace("{nnn}", &format!("{turn:03}")).replace("{n}", &turn.to_string());
    BronzeStep { key: fill(&file.key), rows: file.rows.as_deref().map(fill), ..file.clone() }
}
