//! A replicator that runs beside a test.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use medallion_definition::name::TableId;
use medallion_replicator::follow::{FlushPolicy, FollowSettings, UntoldRows};
use medallion_replicator::load::LoadSettings;
use medallion_replicator::position::BinlogPosition;
use medallion_replicator::progress::{Notice, Phase, Progress};
use medallion_replicator::server::Source;
use medallion_replicator::{
    Mode, ReconnectPolicy, ReplicateError, Replication, Settings, replicate,
};
use mysql_async::Conn;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::bronze::Bronze;
use crate::servers::connect;

/// How long a test waits for anything; far more than it takes.
const LIMIT: Duration = Duration::from_secs(120);

/// What is replicated, and how.
pub(crate) struct Job {
    pub(crate) url: String,
    pub(crate) tables: Vec<TableId>,
    pub(crate) bronze: Arc<Bronze>,
    pub(crate) settings: Settings,
    spill: tempfile::TempDir,
}

impl Job {
    /// Full load and changes of these tables of a schema into an empty Bronze.
    pub(crate) fn new(url: &str, schema: &str, tables: &[&str]) -> Job {
        static SERVER_IDS: AtomicU32 = AtomicU32::new(1000);
        let spill = tempfile::tempdir().unwrap();
        let pause = Duration::from_millis(200);
        let settings = Settings {
            mode: Mode::LoadAndFollow,
            load: LoadSettings {
                max_rows: 100_000,
                max_bytes: 64 << 20,
                connections: 2,
                segment_rows: 1 << 40,
            },
            follow: FollowSettings {
                server_id: SERVER_IDS.fetch_add(1, Ordering::Relaxed),
                flush: FlushPolicy {
                    max_interval: Duration::from_millis(100),
                    max_bytes: 64 << 20,
                },
                max_transaction_bytes: 64 << 20,
                spill: spill.path().join("spill"),
                untold_rows: UntoldRows::Tell,
            },
            reload: BTreeSet::new(),
            reconnect: ReconnectPolicy { attempts: 0, first_pause: pause, longest_pause: pause },
        };
        let tables = tables.iter().map(|table| format!("{schema}.{table}").parse().unwrap());
        let tables = tables.collect();
        Job { url: url.to_owned(), tables, bronze: Arc::default(), settings, spill }
    }

    /// Changes from here on only.
    pub(crate) fn following_from(mut self, start: medallion_replicator::StartPosition) -> Job {
        self.settings.mode = Mode::FollowFrom(start);
        self
    }

    /// Tries again for some seconds what may work later.
    pub(crate) fn reconnecting(mut self) -> Job {
        self.settings.reconnect.attempts = 100;
        self
    }

    /// True when rows of large transactions have waited on disk.
    pub(crate) fn has_spilled(&self) -> bool {
        self.spill.path().join("spill").exists()
    }

    /// Another job with the same Bronze and server id, elsewhere.
    pub(crate) fn at(&self, url: &str) -> Job {
        let spill = tempfile::tempdir().unwrap();
        let mut settings = self.settings.clone();
        settings.follow.spill = PathBuf::from(spill.path()).join("spill");
        let (tables, bronze) = (self.tables.clone(), Arc::clone(&self.bronze));
        Job { url: url.to_owned(), tables, bronze, settings, spill }
    }

    pub(crate) fn start(&self) -> Task {
        let (progress, seen) = watch::channel(Progress::default());
        let (stop, stopped) = watch::channel(false);
        let source = Source::from_url(&self.url).unwrap();
        let (tables, bronze) = (self.tables.clone(), Arc::clone(&self.bronze));
        let settings = self.settings.clone();
        let url = self.url.clone();
        let running = tokio::spawn(async move {
            let replication = Replication {
                source: &source,
                tables: &tables,
                sink: &*bronze,
                progress: &progress,
            };
            replicate(&replication, &settings, stopped).await
        });
        Task { url, running, seen, stop }
    }

    /// Starts and waits until it follows.
    pub(crate) async fn follow(&self) -> Task {
        let mut task = self.start();
        task.until(|progress| progress.phase == Phase::Following).await;
        task
    }

    /// Runs until it has caught up, and stops.
    pub(crate) async fn run(&self) {
        let mut task = self.follow().await;
        task.caught_up().await;
        task.stop().await;
    }

    /// Fails unless every table in Bronze is what the server has.
    pub(crate) async fn assert_same(&self, conn: &mut Conn) {
        for table in &self.tables {
            crate::replay::assert_same(&self.bronze, conn, table).await;
        }
    }
}

/// A running replicator; dropping it lets it run on until the process ends.
pub(crate) struct Task {
    url: String,
    running: JoinHandle<Result<(), ReplicateError>>,
    seen: watch::Receiver<Progress>,
    stop: watch::Sender<bool>,
}

impl Task {
    /// Waits for a state; fails with the replicator's error when it ends before.
    pub(crate) async fn until(&mut self, reached: impl FnMut(&Progress) -> bool + Send) {
        let mut last = String::new();
        let wait = async {
            // It fails when the replicator has ended.
            let seen = self.seen.wait_for(reached).await.is_ok();
            if !seen {
                last = explained((&mut self.running).await.unwrap());
            }
            seen
        };
        let reached = tokio::time::timeout(LIMIT, wait).await;
        let progress = self.seen.borrow();
        let Progress { phase, durable, notices, .. } = &*progress;
        let state = format!("{phase:?} {durable:?} {notices:?}");
        assert!(reached.is_ok(), "not reached in {LIMIT:?}: {state}");
        assert!(reached.unwrap(), "the replicator has ended: {last} {state}");
    }

    /// Waits until everything that is committed now is in Bronze.
    pub(crate) async fn caught_up(&mut self) {
        let end = binlog_end(&self.url).await;
        self.until(|progress| progress.durable.as_ref() >= Some(&end)).await;
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.seen.borrow().notices.clone()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.seen.borrow().clone()
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.stop.send(true).unwrap_or_else(|_| eprintln!("the replicator has ended before"));
        let ended = tokio::time::timeout(LIMIT, self.running).await.unwrap().unwrap();
        assert!(ended.is_ok(), "{}", explained(ended));
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.running.is_finished()
    }

    /// Waits until it ends by itself, without error.
    pub(crate) async fn finished(self) {
        let ended = tokio::time::timeout(LIMIT, self.running).await.unwrap().unwrap();
        assert!(ended.is_ok(), "{}", explained(ended));
    }

    /// Waits for the error with which it ends.
    pub(crate) async fn failure(self) -> ReplicateError {
        let ended = tokio::time::timeout(LIMIT, self.running).await;
        let progress = format!("{:?}", self.seen.borrow().durable);
        ended.unwrap_or_else(|_| panic!("it goes on: {progress}")).unwrap().unwrap_err()
    }

    /// Ends it wherever it is, as a crash would.
    pub(crate) async fn abort(self) {
        self.running.abort();
        drop(self.running.await);
    }
}

/// Where the server's binlog ends.
pub(crate) async fn binlog_end(url: &str) -> BinlogPosition {
    let mut conn = connect(url).await;
    Source::from_url(url).unwrap().binlog_end(&mut conn).await.unwrap()
}

fn explained(ended: Result<(), ReplicateError>) -> String {
    ended.map_or_else(|error| causes(&error), |()| "without error".to_owned())
}

/// An error with its causes.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
