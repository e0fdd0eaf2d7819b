//! The source's side of the scenario: rows, full load, changes while CDC runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use medallion_replicator::follow::{FlushPolicy, FollowSettings, UntoldRows};
use medallion_replicator::load::LoadSettings;
use medallion_replicator::progress::{Phase, Progress};
use medallion_replicator::replicate::{ReplicateError, Settings, replicate};
use medallion_replicator::sink::S3Sink;
use medallion_replicator::{Mode, ReconnectPolicy, preflight, server};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{BROKEN_TABLE, E2eOptions, journal};
use crate::breaks::BreakPoint;
use crate::failure::HarnessError;
use crate::report::Report;
use crate::stack::Stack;
use crate::swapping_sink::SwappingSink;
use crate::verify::RunFacts;
use crate::workload::{self, Poisoned};

/// How long the replicator may take for what is there.
const CATCH_UP: Duration = Duration::from_secs(120);
/// The flush interval: short, so that a run of seconds sees several files.
const FLUSH: Duration = Duration::from_millis(700);

/// The source as the scenario filled and changed it.
pub(super) struct Source {
    /// The keys whose last change is invalid.
    pub(super) poisoned: Vec<Poisoned>,
    /// What the verification has to know of the run.
    pub(super) facts: RunFacts,
}

/// A running replicator.
pub(super) struct Replication {
    progress: watch::Receiver<Progress>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), ReplicateError>>,
    swap: Option<std::sync::Arc<SwappingSink>>,
    /// Rows and files of the full load.
    loaded: (usize, usize),
}

/// The schemas that a run makes.
const SCHEMAS: [&str; 4] = ["crm", "kept", "expected", workload::journal::SCHEMA];

/// Before anything is written: the server can be a source, and its data are not in the way.
pub(super) async fn check(stack: &Stack, conn: &mut Conn) -> Result<(), HarnessError> {
    let source = server::Source::from_url(stack.mysql.url())
        .map_err(|e| HarnessError::set_up("the replicator", e))?;
    preflight::check(&source, &[]).await.map_err(ReplicateError::from)?;
    let list = SCHEMAS.map(|schema| format!("'{schema}'")).join(", ");
    let taken: Option<String> = conn
        .query_first(format!(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ({list})"
        ))
        .await
        .map_err(|e| HarnessError::set_up("the source schema", e))?;
    taken.map_or(Ok(()), |schema| Err(HarnessError::SchemaExists(schema)))
}

/// Drops what the run made, on a connection of its own; that it failed is told and hides nothing.
pub(super) async fn clean(stack: &Stack, report: &Report) {
    let dropped = async {
        let mut conn = super::connect(stack).await?;
        for schema in SCHEMAS {
            let drop = conn.query_drop(format!("DROP DATABASE IF EXISTS {schema}"));
            drop.await.map_err(|e| HarnessError::set_up("the clean-up of the source", e))?;
        }
        Ok::<(), HarnessError>(())
    };
    if let Err(error) = dropped.await {
        report.line("left", &error.report());
    }
}

impl Source {
    /// Schema and first rows.
    pub(super) async fn fill(
        stack: &Stack,
        conn: &mut Conn,
        options: &E2eOptions,
        report: &mut Report,
    ) -> Result<Source, HarnessError> {
        let refused = |e| HarnessError::set_up("the source schema", e);
        let began = Utc::now();
        for statement in workload::schema::create_sql(&stack.lake.tables) {
            conn.query_drop(statement).await.map_err(refused)?;
        }
        workload::initial_load(conn, options.seed, options.customers).await?;
        let poisoned = workload::poison_before_load(conn).await?;
        let rows = count(stack, conn).await?;
        // Between the first rows and the first change.
        let journal = journal::begin(stack, conn, options.mysql_url.is_some(), report).await?;
        report.step("source", rows, 0, &format!("seed {}", options.seed));
        Ok(Source { poisoned, facts: RunFacts { began, journal } })
    }

    /// Starts the replicator and waits for the end of the full load.
    pub(super) async fn replicate(
        &self,
        stack: &Stack,
        break_point: Option<BreakPoint>,
        report: &mut Report,
    ) -> Result<Replication, HarnessError> {
        let target = (break_point == Some(BreakPoint::SwapChanges))
            .then(|| stack.lake.tables.iter().find(|t| t.table.to_string() == BROKEN_TABLE))
            .flatten()
            .map(|contract| (contract.table.clone(), contract.key[0].to_string()));
        let bucket = stack.environment.bucket.clone();
        let swapping = target.is_some();
        let task = "e2e".to_owned();
        let sink = S3Sink { client: stack.s3_client.clone(), bucket, task };
        let sink = std::sync::Arc::new(SwappingSink::new(sink, target));
        let source = server::Source::from_url(stack.mysql.url())
            .map_err(|e| HarnessError::set_up("the replicator", e))?;
        preflight::check_contracts(&source, &stack.lake.tables)
            .await
            .map_err(ReplicateError::from)?;
        let tables: Vec<_> = stack.lake.tables.iter().map(|t| t.table.clone()).collect();
        let settings = settings(stack.paths.work.join("replicator"));
        let (progress_sender, progress) = watch::channel(Progress::default());
        let (stop, stopping) = watch::channel(false);
        let writing = std::sync::Arc::clone(&sink);
        let task = tokio::spawn(async move {
            let replication = medallion_replicator::Replication {
                source: &source,
                tables: &tables,
                sink: writing.as_ref(),
                progress: &progress_sender,
            };
            replicate(&replication, &settings, stopping).await
        });
        let swap = swapping.then_some(sink);
        let mut replication = Replication { progress, stop, task, swap, loaded: (0, 0) };
        replication.wait("the full load", |p| p.phase == Phase::Following).await?;
        let (rows, files) = replication.written();
        replication.loaded = (rows, files);
        report.step("full load", rows, files, "MySQL snapshot to Bronze; CDC follows");
        Ok(replication)
    }

    /// The scripted and the random changes.
    pub(super) async fn change(
        &mut self,
        conn: &mut Conn,
        options: &E2eOptions,
        report: &mut Report,
    ) -> Result<(), HarnessError> {
        let later = workload::scripted(conn).await?;
        self.poisoned.extend(later);
        workload::random(conn, options.seed, options.changes).await?;
        let about = format!("scripted cases and {} random changes", options.changes);
        report.step("workload", 0, 0, &about);
        Ok(())
    }
}

fn settings(spill: PathBuf) -> Settings {
    Settings {
        mode: Mode::LoadAndFollow,
        load: LoadSettings {
            max_rows: 1_000,
            max_bytes: 16 << 20,
            connections: 2,
            segment_rows: 1_000,
        },
        follow: FollowSettings {
            server_id: 4_200,
            flush: FlushPolicy { max_interval: FLUSH, max_bytes: 32 << 20 },
            max_transaction_bytes: 16 << 20,
            spill,
            untold_rows: UntoldRows::Tell,
        },
        reload: BTreeSet::new(),
        reconnect: ReconnectPolicy {
            attempts: 3,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(2),
        },
    }
}

async fn count(stack: &Stack, conn: &mut Conn) -> Result<usize, HarnessError> {
    let mut rows = 0_usize;
    for contract in &stack.lake.tables {
        let sql = format!("SELECT COUNT(*) FROM {}", contract.table);
        let found: Option<usize> =
            conn.query_first(sql).await.map_err(|e| HarnessError::set_up("the source", e))?;
        rows += found.unwrap_or_default();
    }
    Ok(rows)
}

impl Replication {
    fn written(&self) -> (usize, usize) {
        let progress = self.progress.borrow();
        let rows: u64 = progress.files.iter().map(|f| f.rows).sum();
        (usize::try_from(rows).unwrap_or(usize::MAX), progress.files.len())
    }

    /// Waits for a state of the replicator; its own failure ends the wait.
    async fn wait(
        &mut self,
        what: &'static str,
        reached: impl FnMut(&Progress) -> bool,
    ) -> Result<(), HarnessError> {
        let wait = tokio::time::timeout(CATCH_UP, self.progress.wait_for(reached)).await;
        match wait {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => match (&mut self.task).await {
                Ok(Err(error)) => Err(error.into()),
                Ok(Ok(())) | Err(_) => Err(HarnessError::ReplicatorGone),
            },
            Err(_) => Err(HarnessError::Timeout { what, seconds: CATCH_UP.as_secs() }),
        }
    }

    /// Waits until everything committed by now is in Bronze, then stops. Returns every file with
    /// its rows.
    pub(super) async fn finish(
        mut self,
        stack: &Stack,
        conn: &mut Conn,
        report: &mut Report,
    ) -> Result<Vec<(String, u64)>, HarnessError> {
        let source = server::Source::from_url(stack.mysql.url())
            .map_err(|e| HarnessError::set_up("the replicator", e))?;
        let end = source.binlog_end(conn).await;
        let end = end.map_err(|e| HarnessError::set_up("the replicator", e))?;
        self.wait("CDC", |p| p.durable.as_ref().is_some_and(|d| *d >= end)).await?;
        // The replicator may have ended already; then its result says so.
        let _ = self.stop.send(true);
        match (&mut self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(HarnessError::ReplicatorGone),
        }
        if self.swap.as_ref().is_some_and(|sink| !sink.swapped()) {
            let reason = "no key was inserted and updated within one file".to_owned();
            return Err(HarnessError::Break { point: BreakPoint::SwapChanges.name(), reason });
        }
        let (rows, files) = self.written();
        let about = format!("binlog to Bronze, durable to {end}");
        report.step("CDC", rows - self.loaded.0, files - self.loaded.1, &about);
        let progress = self.progress.borrow();
        Ok(progress.files.iter().map(|f| (f.key.to_string(), f.rows)).collect())
    }
}
