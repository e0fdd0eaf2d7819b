//! The replicator as a program of its own, for measuring: a full load, or a stretch of the binlog,
//! into a local folder. `cargo xtask bench capture` builds it with optimisation and runs it beside
//! its peers. The last line of its output is JSON.

mod folder_sink;
mod record;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use folder_sink::FolderSink;
use medallion_definition::name::TableId;
use medallion_replicator::follow::{FlushPolicy, FollowSettings, UntoldRows};
use medallion_replicator::load::LoadSettings;
use medallion_replicator::position::BinlogPosition;
use medallion_replicator::progress::Progress;
use medallion_replicator::server::Source;
use medallion_replicator::{
    Mode, ReconnectPolicy, Replication, Settings, StartPosition, replicate,
};
use tokio::sync::watch;

#[derive(Debug, Parser)]
#[command(about = "Captures a MySQL table into a local folder, for measuring")]
struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// The full load
    Load {
        #[command(flatten)]
        capture: Capture,
    },
    /// The changes between two places of the binlog
    Follow {
        #[command(flatten)]
        capture: Capture,
        /// `<file>:<offset>`
        #[arg(long, value_parser = position)]
        from: BinlogPosition,
        /// `<file>:<offset>`
        #[arg(long, value_parser = position)]
        until: BinlogPosition,
    },
    /// Write the events between two places as a binlog file, for the decoding benches
    Record(record::Record),
}

#[derive(Debug, Args)]
struct Capture {
    /// `mysql://user:password@host:port`
    #[arg(long)]
    url: String,
    /// `schema.table`
    #[arg(long)]
    table: TableId,
    /// An empty folder for Bronze
    #[arg(long)]
    out: PathBuf,
    /// Key ranges that are read at a time
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// About the most bytes of rows in a file
    #[arg(long, default_value_t = 16 << 20)]
    file_bytes: usize,
}

fn position(text: &str) -> Result<BinlogPosition, String> {
    let (file, offset) = text.rsplit_once(':').ok_or("expected `<file>:<offset>`")?;
    let offset = offset.parse().map_err(|error| format!("the offset is no number: {error}"))?;
    BinlogPosition::new(file, offset).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(options)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    match options.task {
        Task::Load { capture } => work(&capture, Mode::LoadOnly, None).await,
        Task::Follow { capture, from, until } => {
            let mode = Mode::FollowFrom(StartPosition::Binlog(from));
            work(&capture, mode, Some(until)).await
        }
        Task::Record(record) => record.run().await,
    }
}

/// Captures; with an end, until everything before it is durable.
async fn work(
    capture: &Capture,
    mode: Mode,
    until: Option<BinlogPosition>,
) -> Result<(), Box<dyn Error>> {
    let source = Source::from_url(&capture.url)?;
    let sink = FolderSink::new(&capture.out)?;
    let tables = [capture.table.clone()];
    let (progress, mut watched) = watch::channel(Progress::default());
    let (stop, stopping) = watch::channel(false);
    let replication =
        Replication { source: &source, tables: &tables, sink: &sink, progress: &progress };
    let settings = settings(capture, mode);
    let end = async {
        if let Some(until) = until {
            let reached =
                |p: &Progress| p.durable.as_ref().is_some_and(|durable| *durable >= until);
            // When replication ends on its own, its result says why.
            let _ = watched.wait_for(reached).await;
            let _ = stop.send(true);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = replicate(&replication, &settings, stopping) => done?,
        () = end => {}
    }
    let progress = progress.borrow();
    let rows: u64 = progress.files.iter().map(|file| file.rows).sum();
    let (files, bytes) = (progress.files.len(), sink.bytes());
    println!(r#"{{"rows": {rows}, "files": {files}, "bytes": {bytes}}}"#);
    Ok(())
}

fn settings(capture: &Capture, mode: Mode) -> Settings {
    Settings {
        mode,
        load: LoadSettings {
            max_rows: 1_000_000,
            max_bytes: capture.file_bytes,
            connections: capture.connections,
            segment_rows: 1_000_000,
        },
        follow: FollowSettings {
            server_id: 4_300,
            flush: FlushPolicy {
                max_interval: Duration::from_secs(2),
                max_bytes: capture.file_bytes,
            },
            max_transaction_bytes: 64 << 20,
            spill: capture.out.join("spill"),
            untold_rows: UntoldRows::Tell,
        },
        reload: BTreeSet::new(),
        reconnect: ReconnectPolicy {
            attempts: 0,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(1),
        },
    }
}
