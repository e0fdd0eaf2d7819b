//! Leaves a trace of every run of a job: a record and lineage events. Whatever goes wrong with them
//! is a warning; the job's own result stands.

use std::error::Error;

use chrono::Utc;
use medallion_definition::contract::TableContract;
use medallion_definition::environment::Environment;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::error::TransformError;
use medallion_transforms::gold::GoldReport;
use medallion_transforms::runs::openlineage::{LineageEvent, LineagePlace};
use medallion_transforms::runs::{
    self, Observed, Outcome, Run, RunRecord, SilverObserved, TableRef,
};
use medallion_transforms::silver::SilverRun;
use serde_json::Value;
use tokio::time::timeout;

use crate::error::with_causes;
use crate::lineage_sink::{self, LineageServer, PATIENCE};

/// The trace of one run.
pub(crate) struct Recorder<'a> {
    place: LineagePlace<'a>,
    warehouse: &'a Warehouse,
    server: Option<LineageServer>,
    run: Run,
}

impl<'a> Recorder<'a> {
    /// A run that begins now, of the job that brings this table up to date.
    pub(crate) fn begin(
        lake: &'a LakeDefinition,
        environment: &'a Environment,
        warehouse: &'a Warehouse,
        job: TableRef,
    ) -> Recorder<'a> {
        let server = LineageServer::from_variables(|name| std::env::var(name).ok());
        let server = server.unwrap_or_else(|error| {
            warn("no lineage is sent", &error);
            None
        });
        let place = LineagePlace { lake, environment };
        Recorder { place, warehouse, server, run: Run::begin(job) }
    }

    /// Tells that the run began.
    pub(crate) async fn started(&self) {
        self.tell(&self.place.started(&self.run)).await;
    }

    /// Tells how a Silver run ended.
    pub(crate) async fn silver(
        &self,
        contract: &TableContract,
        result: &Result<SilverRun, TransformError>,
    ) {
        let ended = Utc::now();
        let seen = SilverObserved::load(self.place.lake, contract, self.warehouse);
        let seen = observed(timeout(PATIENCE, seen).await).unwrap_or_default();
        let record = runs::silver_record(&self.run, ended, contract, result, &seen);
        self.end(&record, None).await;
    }

    /// Tells how a Gold run ended, with what it built if it built something, and the column lineage
    /// of the model as a facet, if it is known.
    pub(crate) async fn gold(
        &self,
        model: &GoldModel,
        outcome: Outcome,
        report: Option<&GoldReport>,
        column_lineage: Option<Value>,
    ) {
        let ended = Utc::now();
        let lake = self.place.lake;
        let seen = Observed::load(lake, self.warehouse, &self.run.job);
        let seen = observed(timeout(PATIENCE, seen).await).flatten();
        let seen = seen.as_ref();
        let record = runs::gold_record(&self.run, ended, lake, model, outcome, report, seen);
        self.end(&record, column_lineage).await;
    }

    async fn end(&self, record: &RunRecord, column_lineage: Option<Value>) {
        let event = self.place.ended(record, column_lineage);
        let write = async {
            const WHAT: &str = "the record of the run is not written";
            match timeout(PATIENCE, runs::write(self.warehouse.bucket(), record)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn(WHAT, &error),
                Err(elapsed) => warn(WHAT, &elapsed),
            }
        };
        tokio::join!(write, self.tell(&event));
    }

    async fn tell(&self, event: &LineageEvent) {
        let store = async {
            if let Err(error) = lineage_sink::store(self.warehouse.bucket(), event).await {
                warn("a lineage event is not written", &error);
            }
        };
        let post = async {
            let Some(server) = &self.server else { return };
            if let Err(error) = server.post(event).await {
                warn("a lineage event is not sent", &error);
            }
        };
        tokio::join!(store, post);
    }
}

/// What was seen of a table after a run; a record can do without.
fn observed<T, E: Error + 'static>(
    seen: Result<Result<T, E>, tokio::time::error::Elapsed>,
) -> Option<T> {
    const WHAT: &str = "the record of the run lacks its tables";
    match seen {
        Ok(Ok(seen)) => return Some(seen),
        Ok(Err(error)) => warn(WHAT, &error),
        Err(elapsed) => warn(WHAT, &elapsed),
    }
    None
}

fn warn(what: &str, error: &(dyn Error + 'static)) {
    eprintln!("warning: {what}");
    eprintln!("{}", with_causes(error));
}
