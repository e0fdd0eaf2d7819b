//! What benches measure: capture here, Silver and Gold in folders of their own.
//!
//! The bench of capture: our full load beside DuckDB's MySQL scanner and ConnectorX on the same
//! server and table, and the changes of one binlog.
//!
//! Every program runs alone, in turns, and is measured in the same way: wall time, CPU seconds of
//! its process, and its peak memory. What is measured is the optimised example of the replicator;
//! this harness only starts, counts and prints.

mod endpoints;
mod gold;
mod measure;
mod scene;
mod silver;
mod spark;
mod table;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use self::measure::Bench;
use self::scene::{ChangeStyle, Scene};
use self::table::{Machine, Outcome, Section};
use crate::e2e::default_paths;
use crate::failure::HarnessError;
use crate::mysql::{self, Flavor, MySqlRequest, MySqlServer};
use crate::report::{Printer, Report};

/// What a server of our own gets for the bench: most of the table in memory, so that its disk is
/// not what is measured.
const SERVER_FLAGS: [&str; 2] = ["--innodb-buffer-pool-size=512M", "--innodb-redo-log-capacity=1G"];
/// The name of our program in the results.
const OURS: &str = "replicator";

/// What to measure.
#[derive(Debug, Args)]
pub struct BenchOptions {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Full load and change data capture, beside DuckDB and ConnectorX
    Capture(CaptureOptions),
    /// The merge into Silver, beside Spark with Iceberg, DuckDB and the floor
    Silver(silver::SilverOptions),
    /// Gold models, beside DuckDB and Spark with Iceberg
    Gold(gold::GoldOptions),
}

/// How to measure capture.
#[derive(Debug, Args)]
pub struct CaptureOptions {
    /// Rows of the table, one bench for each
    #[arg(long, value_delimiter = ',', default_value = "1M,10M", value_parser = count)]
    rows: Vec<u64>,
    /// Row events in transactions of 1000 rows; 0 for none
    #[arg(long, default_value = "1M", value_parser = count)]
    changes: u64,
    /// Row events in transactions of one row; 0 for none
    #[arg(long, default_value = "200K", value_parser = count)]
    single_changes: u64,
    /// Runs of each program; medians are shown
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The text from which all rows follow
    #[arg(long, default_value = "medallion")]
    seed: String,
    /// A MySQL server to use instead of one of our own; its schema `bench` is dropped
    #[arg(long, value_name = "URL")]
    mysql_url: Option<String>,
    /// The optimised program; `cargo xtask bench` builds and gives it
    #[arg(long, env = "MEDALLION_CAPTURE", hide = true)]
    program: PathBuf,
}

/// `1M`, `200K`, `1000`.
fn count(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1_000),
        None => match text.strip_suffix(['M', 'm']) {
            Some(digits) => (digits, 1_000_000),
            None => (text, 1),
        },
    };
    let number: u64 = digits.parse().map_err(|_| "expected `1000`, `200K` or `10M`".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "too many".to_owned())
}

/// Measures, prints the table and writes it as JSON.
///
/// # Errors
/// When a server, a peer or a program cannot be had or fails.
pub async fn run(options: &BenchOptions) -> Result<(), HarnessError> {
    match &options.subject {
        Subject::Capture(options) => run_capture(options).await,
        Subject::Silver(options) => silver::run(options).await,
        Subject::Gold(options) => gold::run(options).await,
    }
}

async fn run_capture(options: &CaptureOptions) -> Result<(), HarnessError> {
    let work = tempfile::Builder::new().prefix("medallion-bench-").tempdir();
    let work = work.map_err(|e| HarnessError::set_up("the work folder", e))?;
    let paths = default_paths(work.path().to_owned(), PathBuf::from("infra/lake"));
    let printer = Report::default().printer();
    let python = measure::python(&paths.fixtures, &paths.cache, &printer).await?;
    let own = options.mysql_url.is_none();
    let request = MySqlRequest {
        flavor: Flavor::MySql,
        url: options.mysql_url.clone(),
        work_dir: work.path().join("mysql"),
        cache_dir: paths.cache.clone(),
        supervisor: std::env::current_exe().map_err(HarnessError::OwnPath)?,
        extra_flags: own.then_some(SERVER_FLAGS).into_iter().flatten().map(str::to_owned).collect(),
    };
    let server = mysql::obtain(&request, &|line| printer.print("mysql", line)).await?;
    let bench = Bench {
        python,
        fixtures: paths.fixtures.join("bench"),
        program: options.program.clone(),
        out: work.path().join("out"),
        url: server.url().to_owned(),
        server_process: None,
    };
    let measured = capture(options, &server, bench, &printer).await;
    server.stop().await;
    let outcome = measured?;
    println!("{outcome}");
    keep(&paths.cache, "capture.json", &format!("{:#}\n", outcome.json()), &printer)
}

/// Writes a result beside the programs.
fn keep(cache: &Path, name: &str, text: &str, printer: &Printer) -> Result<(), HarnessError> {
    let target = cache.parent().unwrap_or(cache).join("bench");
    let path = target.join(name);
    let written = std::fs::create_dir_all(&target).and_then(|()| std::fs::write(&path, text));
    written.map_err(|source| HarnessError::WorkFile { path: path.clone(), source })?;
    printer.print("result", &path.display().to_string());
    Ok(())
}

async fn capture(
    options: &CaptureOptions,
    server: &MySqlServer,
    mut bench: Bench,
    printer: &Printer,
) -> Result<Outcome, HarnessError> {
    let mut scene = Scene::open(server.url(), &bench.fixtures).await?;
    bench.server_process = scene.server_process().await?;
    let mut sections = Vec::new();
    let mut sizes = options.rows.clone();
    sizes.sort_unstable();
    for rows in sizes {
        let (rows_of, bytes) = scene.fill(rows, &options.seed, printer).await?;
        let about = format!("full load of {rows_of} rows, {} MiB in MySQL", bytes >> 20);
        let mut section = Section::new(about, rows_of);
        for run in 1..=options.runs.max(1) {
            section.add(OURS, bench.load()?).map_err(HarnessError::Bench)?;
            for peer in ["duckdb", "connectorx"] {
                section.add(peer, bench.peer(peer)?).map_err(HarnessError::Bench)?;
            }
            printer.print("full load", &format!("{rows} rows, run {run} of {}", options.runs));
        }
        sections.push(section);
    }
    for style in [
        ChangeStyle { events: options.changes, transaction: 1_000 },
        ChangeStyle { events: options.single_changes, transaction: 1 },
    ] {
        if style.events == 0 {
            continue;
        }
        let changes = scene.change(style, printer).await?;
        let about =
            format!("{} row events in transactions of {}", changes.events, style.transaction);
        let mut section = Section::new(about, changes.events);
        for run in 1..=options.runs.max(1) {
            section.add(OURS, bench.follow(&changes)?).map_err(HarnessError::Bench)?;
            printer.print("changes", &format!("run {run} of {}", options.runs));
        }
        sections.push(section);
    }
    scene.close().await;
    let (machine, seed) = (Machine::read(), options.seed.clone());
    let server = format!("MySQL {} ({})", server.version(), server.origin());
    Ok(Outcome { machine, server, seed, sections })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_units() {
        assert_eq!(count("10M"), Ok(10_000_000));
        assert_eq!(count("200k"), Ok(200_000));
        assert_eq!(count("7"), Ok(7));
        assert!(count("1G").is_err() && count("").is_err());
    }
}
