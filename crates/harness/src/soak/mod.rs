//! The soak: many random histories against a real MySQL, each with a replicator that is killed
//! at random points; at the end of each, Bronze replayed must equal the source.

mod compare;
pub mod history;
pub mod model;
pub mod workload;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use futures::StreamExt;

use self::history::{Outcome, Place};
use crate::aws::s3::{S3Config, S3Server};
use crate::failure::HarnessError;
use crate::fault_sink::{FaultAction, POINTS};
use crate::mysql::{self, MySqlRequest};
use crate::stack;

/// Seeds that once failed, one a line; they are lived through first.
const KEPT: &str = include_str!("../../../../fixtures/soak/seeds.txt");
const REGION: &str = "sa-east-1";

/// How to soak.
#[derive(Debug, Args)]
pub struct SoakOptions {
    /// How many histories, beside the kept seeds
    #[arg(long, default_value_t = 200)]
    histories: u64,
    /// The first seed; each further history has the next
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many at a time
    #[arg(long, default_value_t = 3)]
    jobs: usize,
    /// MariaDB in place of MySQL
    #[arg(long, conflicts_with = "mysql_url")]
    mariadb: bool,
    /// The server, `mysql://user:password@host:port`; its schemas `soak_…` are dropped
    #[arg(long)]
    mysql_url: Option<String>,
    /// Folder that survives runs
    #[arg(long, hide = true, env = "MEDALLION_CACHE")]
    cache: Option<PathBuf>,
}

/// The seeds that failed, with what was wrong.
pub type Failures = Vec<(u64, String)>;

/// Lives through all histories. Prints a line for each.
///
/// # Errors
/// When the servers cannot be had.
pub async fn run(options: &SoakOptions) -> Result<Failures, HarnessError> {
    let set_up = |reason: String| HarnessError::set_up("the soak", std::io::Error::other(reason));
    let program = std::env::current_exe().map_err(HarnessError::OwnPath)?;
    let work = tempfile::tempdir().map_err(|e| HarnessError::set_up("the work folder", e))?;
    let near = program.parent().and_then(|folder| folder.parent()).map(|f| f.join("stack"));
    println!("seeds {}.. and those of fixtures/soak/seeds.txt", options.seed);
    let request = MySqlRequest {
        flavor: if options.mariadb { mysql::Flavor::MariaDb } else { mysql::Flavor::MySql },
        url: options.mysql_url.clone(),
        work_dir: work.path().join("mysql"),
        cache_dir: options.cache.clone().or(near).unwrap_or_else(|| work.path().join("cache")),
        supervisor: program.clone(),
        extra_flags: Vec::new(),
    };
    let mysql = mysql::obtain(&request, &|line| eprintln!("{line}")).await?;
    let (access_key, secret_key) = stack::keys();
    let s3 = S3Server::start(S3Config {
        root: work.path().join("s3"),
        access_key,
        secret_key,
        region: REGION.to_owned(),
        account_id: "000000000000".to_owned(),
    })
    .await?;
    let place = Place {
        mysql: mysql.url().to_owned(),
        endpoint: s3.endpoint(),
        region: REGION.to_owned(),
        client: stack::s3_client(REGION, &s3.endpoint()),
        program,
        // MariaDB's global read lock waits for prepared transactions, and writers wait for it.
        xa: !options.mariadb,
        folder: history::folder(work.path()).map_err(set_up)?,
    };
    println!("MySQL {} ({})", mysql.version(), mysql.origin());
    let failures = all(&place, options).await;
    s3.stop().await;
    mysql.stop().await;
    Ok(failures)
}

async fn all(place: &Place, options: &SoakOptions) -> Failures {
    let kept = KEPT.lines().filter_map(|line| line.split('#').next()?.trim().parse().ok());
    let further = options.seed..options.seed + options.histories;
    let kept: BTreeSet<u64> = kept.collect();
    let further = further.filter(|seed| !kept.contains(seed));
    let seeds: Vec<u64> = kept.iter().copied().chain(further).collect();
    let started = Instant::now();
    let (mut failures, mut total) = (Failures::new(), Outcome::default());
    let lived = seeds.iter().map(|&seed| async move { (seed, history::live(place, seed).await) });
    let mut lived = futures::stream::iter(lived).buffer_unordered(options.jobs.max(1));
    let mut done = 0;
    while let Some((seed, outcome)) = lived.next().await {
        done += 1;
        match outcome {
            Ok(Outcome { rows, starts, kills, files, faults }) => {
                println!(
                    "{done}/{} seed {seed}: {rows} rows equal, {files} files, {starts} starts, \
                     {kills} killed",
                    seeds.len()
                );
                total.rows += rows;
                total.starts += starts;
                total.kills += kills;
                total.files += files;
                for (fault, times) in faults {
                    *total.faults.entry(fault).or_default() += times;
                }
            }
            Err(reason) => {
                println!("{done}/{} seed {seed}: NOT OK: {reason}", seeds.len());
                failures.push((seed, reason));
            }
        }
    }
    println!("faults that struck, of {} kinds:", POINTS.len() * FaultAction::ALL.len());
    for (fault, times) in &total.faults {
        println!("  {fault:<24} {times}");
    }
    println!(
        "{} histories in {:.0} s: {} rows compared, {} files, {} starts, {} killed",
        seeds.len(),
        started.elapsed().as_secs_f64(),
        total.rows,
        total.files,
        total.starts,
        total.kills
    );
    failures
}
