//! A replicator in a process of its own, so that it can be killed: the soak's workhorse.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use medallion::error::with_causes;
use medallion::exit;
use medallion_definition::name::TableId;
use medallion_replicator::follow::{FlushPolicy, FollowSettings, UntoldRows};
use medallion_replicator::load::LoadSettings;
use medallion_replicator::progress::Progress;
use medallion_replicator::server::Source;
use medallion_replicator::sink::S3Sink;
use medallion_replicator::{Mode, ReconnectPolicy, Replication, Settings, replicate};
use tokio::sync::watch;

use crate::fault_sink::{FaultPlan, FaultSink};
use crate::stack;

/// What to replicate, and where it goes wrong.
#[derive(Debug, Args)]
pub struct ReplicateOptions {
    /// The server.
    #[arg(long, env = "MEDALLION_SOURCE_URL", hide_env_values = true)]
    source: String,
    /// The tables.
    #[arg(long = "table", value_name = "SCHEMA.TABLE", required = true)]
    tables: Vec<TableId>,
    /// The S3 endpoint.
    #[arg(long)]
    endpoint: String,
    /// The bucket.
    #[arg(long)]
    bucket: String,
    /// The bucket's region.
    #[arg(long)]
    region: String,
    /// The replica's id at the server.
    #[arg(long)]
    server_id: u32,
    /// The folder of large transactions.
    #[arg(long)]
    spill: PathBuf,
    /// The most rows in a file of the full load.
    #[arg(long)]
    load_rows: usize,
    /// The connections of the full load.
    #[arg(long)]
    connections: usize,
    /// The rows of a key range.
    #[arg(long)]
    segment_rows: u64,
    /// The interval of change files, in milliseconds.
    #[arg(long)]
    flush_millis: u64,
    /// The most bytes of waiting changes.
    #[arg(long)]
    flush_bytes: usize,
    /// The most bytes of a transaction in memory.
    #[arg(long)]
    transaction_bytes: usize,
    /// `<point>:<n>:<action>`: at the n-th visit of a fault point.
    #[arg(long)]
    fault: Option<FaultPlan>,
}

/// Replicates until standard input ends. Prints `durable <position>` as it moves, and notices.
pub fn run(options: ReplicateOptions) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime cannot start: {error}");
            return ExitCode::from(exit::BUG);
        }
    };
    runtime.block_on(work(options))
}

async fn work(options: ReplicateOptions) -> ExitCode {
    let source = match Source::from_url(&options.source) {
        Ok(source) => source,
        Err(error) => {
            eprintln!("{}", with_causes(&error));
            return ExitCode::from(exit::USAGE);
        }
    };
    let client = stack::s3_client(&options.region, &options.endpoint);
    let inner = S3Sink { client, bucket: options.bucket.clone(), task: "soak".to_owned() };
    let sink = FaultSink::new(inner, options.fault.clone());
    let (progress, mut watched) = watch::channel(Progress::default());
    let (stop, stopping) = watch::channel(false);
    let settings = settings(&options);
    std::thread::spawn(move || {
        // Whatever ends standard input ends the work.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = stop.send(true);
    });
    let telling = tokio::spawn(async move {
        let (mut durable, mut notices) = (None, 0);
        while watched.changed().await.is_ok() {
            let now = watched.borrow_and_update();
            for notice in now.notices.iter().skip(notices) {
                println!("notice {notice}");
            }
            notices = now.notices.len();
            if now.durable != durable
                && let Some(position) = &now.durable
            {
                println!("durable {position}");
            }
            durable.clone_from(&now.durable);
        }
    });
    let tables = &options.tables;
    let replication = Replication { source: &source, tables, sink: &sink, progress: &progress };
    let done = replicate(&replication, &settings, stopping).await;
    drop(progress);
    // What was told last is out when its teller is done.
    let _ = telling.await;
    match done {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => {
            eprintln!("{}", with_causes(&error));
            let code = if error.is_transient() { exit::RETRYABLE } else { exit::OPERATOR };
            ExitCode::from(code)
        }
    }
}

fn settings(options: &ReplicateOptions) -> Settings {
    Settings {
        mode: Mode::LoadAndFollow,
        load: LoadSettings {
            max_rows: options.load_rows,
            max_bytes: 1 << 20,
            connections: options.connections,
            segment_rows: options.segment_rows,
        },
        follow: FollowSettings {
            server_id: options.server_id,
            flush: FlushPolicy {
                max_interval: Duration::from_millis(options.flush_millis),
                max_bytes: options.flush_bytes,
            },
            max_transaction_bytes: options.transaction_bytes,
            spill: options.spill.clone(),
            untold_rows: UntoldRows::Reload,
        },
        reload: BTreeSet::new(),
        reconnect: ReconnectPolicy {
            attempts: 30,
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_millis(500),
        },
    }
}
