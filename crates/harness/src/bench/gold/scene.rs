//! What is measured of each model: builds beside the peers, a run with nothing to do, and runs after
//! customers changed in Silver.

use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_tables::table::LakeTable;

use super::super::endpoints::EndpointsState;
use super::super::silver::OURS;
use super::super::silver::measure::{Measured, Program};
use super::super::silver::table::{Section, verdict};
use super::Bench;
use super::lake::LocalTable;
use super::peers::{Answer, Peer, Peers};
use crate::failure::HarnessError;

/// The name of a build that is told to take no short cut.
const FULL: &str = "medallion --full";

/// The most memory that a job may take, whatever the size of its tables.
const MEMORY: u64 = 1 << 30;

/// What Silver is, for all builds.
pub(super) struct Silver {
    pub(super) customers: u64,
    /// `12,000 rows in 3 files`.
    pub(super) about: String,
    /// For the peers.
    pub(super) tables: Vec<LocalTable>,
}

impl Bench {
    /// Runs our Gold job; its last line of output is printed once.
    async fn gold(
        &self,
        model: &GoldModel,
        full: bool,
        first: bool,
    ) -> Result<Measured, HarnessError> {
        let mut program = Program::new(&self.options.program);
        program = program.args(["gold", "--model", model.name.as_str()]);
        program = program.args(full.then_some("--full"));
        if let Some(memory) = &self.options.memory {
            program = program.args(["--memory", memory]);
        }
        let before = self.lake.endpoints.s3.traffic();
        let program = super::on_two_cores(program.variables(self.lake.variables()));
        let (measured, said) = program.measure(&self.fixtures).await?;
        if first {
            let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
            self.printer.print(if full { FULL } else { OURS }, &said);
        }
        let traffic = self.lake.endpoints.s3.traffic().since(&before);
        Ok(Measured {
            read_bytes: Some(traffic.total().read),
            written_bytes: Some(traffic.total().written),
            requests: Some(traffic.requests),
            ..measured
        })
    }

    async fn table(&self, model: &GoldModel) -> Result<LakeTable, HarnessError> {
        let table = self.lake.table(Layer::Gold, model.name.as_str()).await?;
        table.ok_or_else(|| HarnessError::Bench(format!("`gold.{}` was not built", model.name)))
    }

    /// What our table holds now; nothing without peers, whose packages it takes to read it.
    async fn answer(&self, model: &GoldModel) -> Result<Option<Answer>, HarnessError> {
        let Some(peers) = &self.peers else { return Ok(None) };
        let table = self.table(model).await?;
        peers.answer_of_ours(&self.lake, model, &table).await.map(Some)
    }

    /// Builds the model in turns with every program, then runs it with unchanged inputs. The state
    /// after the last build is left.
    pub(super) async fn build(
        &self,
        model: &GoldModel,
        silver: &Silver,
    ) -> Result<Vec<Section>, HarnessError> {
        let base = self.lake.endpoints.state()?;
        let about = format!("{}: build from {}", model.name, silver.about);
        let mut section = Section::new(about, "customers", silver.customers);
        let runs = self.options.runs.max(1);
        let (mut answer, mut peak) = (None, 0);
        for run in 1..=runs {
            self.lake.endpoints.restore(&base);
            let measured = self.gold(model, false, run == 1).await?;
            peak = measured.peak_bytes.max(peak);
            section.add(OURS, measured);
            if run == 1 {
                answer = self.answer(model).await?;
            }
            if let Some((peers, answer)) = self.peers.as_ref().zip(answer.as_ref()) {
                for peer in Peer::ALL {
                    self.build_peer(peers, peer, model, silver, (run, answer), &mut section)
                        .await?;
                }
            }
            self.printer.print(model.name.as_str(), &format!("build {run} of {runs}"));
        }
        section.note(match answer {
            Some(Answer { rows, checksum, .. }) => {
                format!("{rows} rows, checksum {checksum}, the same of every program")
            }
            None => "nothing was compared with anything: no peers".to_owned(),
        });
        section.note(format!(
            "medallion had {} MiB at its highest peak; at most {}: {}",
            peak >> 20,
            MEMORY >> 20,
            verdict(peak <= MEMORY)
        ));
        let skip = self.skip(model, silver, &section).await?;
        Ok(vec![section, skip])
    }

    async fn build_peer(
        &self,
        peers: &Peers,
        peer: Peer,
        model: &GoldModel,
        silver: &Silver,
        (run, ours): (usize, &Answer),
        section: &mut Section,
    ) -> Result<(), HarnessError> {
        if peer == Peer::Spark && run > self.options.spark_runs {
            return Ok(());
        }
        let (measured, built) = peers.build(peer, &self.lake, model, &silver.tables).await?;
        if run == 1 {
            let theirs = peers.answer_of(peer, model, &built).await?;
            ours.same(model.name.as_str(), peer.name(), &theirs)?;
            section.note(format!(
                "{}: {:.1} s of its first run passed before the query, and are counted",
                built.version, built.start_seconds
            ));
        }
        section.add(peer.name(), measured);
        Ok(())
    }

    /// Runs the model again and again with the inputs of its table.
    async fn skip(
        &self,
        model: &GoldModel,
        silver: &Silver,
        built: &Section,
    ) -> Result<Section, HarnessError> {
        let about = format!("{}: a run with unchanged inputs", model.name);
        let mut section = Section::new(about, "customers", silver.customers);
        let before = self.table(model).await?.snapshot_id();
        for run in 1..=self.options.runs.max(1) {
            section.add(OURS, self.gold(model, false, run == 1).await?);
        }
        if self.table(model).await?.snapshot_id() != before {
            let name = &model.name;
            return Err(HarnessError::Bench(format!(
                "`{name}` was built from the same inputs again"
            )));
        }
        if let Some(((build, _), (skip, _))) = built.ours().zip(section.ours()) {
            section.note(format!("{:.0} times as fast as the build", build / skip));
        }
        Ok(section)
    }

    /// Runs the model after a change of Silver: as it decides by itself, and built anew. Both have
    /// to give the same table, and another than before.
    pub(super) async fn after_change(
        &self,
        model: &GoldModel,
        silver: &Silver,
        changed: &EndpointsState,
        built: &Section,
    ) -> Result<Section, HarnessError> {
        let about =
            format!("{}: a run after {} customers changed", model.name, self.options.changes);
        let mut section = Section::new(about, "customers", silver.customers);
        self.lake.endpoints.restore(changed);
        let before = self.table(model).await?.snapshot_id();
        let mut answers = Vec::new();
        for run in 1..=self.options.runs.max(1) {
            for (name, full) in [(OURS, false), (FULL, true)] {
                self.lake.endpoints.restore(changed);
                section.add(name, self.gold(model, full, run == 1).await?);
                if self.table(model).await?.snapshot_id() == before {
                    let name = &model.name;
                    return Err(HarnessError::Bench(format!("`{name}` overlooked the change")));
                }
                if run == 1 {
                    answers.extend(self.answer(model).await?);
                }
            }
        }
        if let [own, full] = answers.as_slice() {
            own.same(model.name.as_str(), FULL, full)?;
            section.note(format!("{} rows, checksum {}, the same of both", own.rows, own.checksum));
        }
        compare(&mut section, built);
        Ok(section)
    }
}

/// How a run after a change stands to a build, and to the peers' builds of the table before it.
fn compare(section: &mut Section, built: &Section) {
    let Some((wall, cpu)) = section.ours() else { return };
    let full = section.times(FULL).map(|times| (FULL, times));
    let peers = Peer::ALL.map(Peer::name);
    let peers = peers.into_iter().filter_map(|name| Some((name, built.times(name)?)));
    for (name, (other_wall, other_cpu)) in full.into_iter().chain(peers) {
        let times = format!("{:.2} times as fast", other_wall / wall);
        let by_cpu = format!("{:.2} times by CPU", other_cpu / cpu);
        let build = if name == FULL { "" } else { "'s build before the change" };
        section.note(format!("against {name}{build}: {times}, {by_cpu}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_after_a_change_is_compared_with_builds() {
        let run =
            |wall| Measured { wall_seconds: wall, cpu_seconds: 2.0 * wall, ..Measured::default() };
        let mut built = Section::new("built".to_owned(), "customers", 10);
        built.add(OURS, run(8.0));
        built.add("spark", run(30.0));
        let mut section = Section::new("changed".to_owned(), "customers", 10);
        section.add(OURS, run(2.0));
        section.add(FULL, run(8.0));
        compare(&mut section, &built);
        let shown = section.to_string();
        for line in [
            "against medallion --full: 4.00 times as fast, 4.00 times by CPU",
            "against spark's build before the change: 15.00 times as fast",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
        assert!(!shown.contains("duckdb"), "{shown}");
    }
}
