//! The check that an incremental build is a full one: random changes of Silver, quarantine and
//! change feeds, after which every model's table must hold what its query, asked in full, returns.
//! Models are those that ship, and random ones of groups, joins, subqueries, windows and unions.

mod ground;
mod history;
mod queries;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use futures::StreamExt;

use self::history::Lived;
use crate::failure::HarnessError;
use crate::small_lake::Endpoints;

/// Seeds that once failed, one a line; they are lived through first.
const KEPT: &str = include_str!("../../../../fixtures/gold/seeds.txt");
/// How long one history may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// How to check.
#[derive(Clone, Debug, Args)]
pub struct GoldModelOptions {
    /// How many histories, beside the kept seeds
    #[arg(long, default_value_t = 200)]
    pub histories: u64,
    /// The first seed; each further history has the next
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many at a time
    #[arg(long, default_value_t = 2)]
    pub jobs: usize,
    /// Leave the kept seeds out
    #[arg(long)]
    pub only_new: bool,
    /// Folder of the lake whose models are checked beside random ones
    #[arg(long, default_value = "infra/lake")]
    pub definition: PathBuf,
}

/// Lives through all histories, prints failures and a summary, and returns the failures by seed.
///
/// # Errors
/// When the endpoints do not start.
pub async fn run(options: &GoldModelOptions) -> Result<Vec<(u64, String)>, HarnessError> {
    let started = Instant::now();
    let kept = KEPT.lines().filter_map(|line| line.split('#').next()?.trim().parse().ok());
    let mut seeds: BTreeSet<u64> = kept.filter(|_| !options.only_new).collect();
    seeds.extend(options.seed..options.seed + options.histories);
    let (total, first) = (seeds.len(), options.seed);
    let endpoints = Endpoints::start().await?;
    let lived = seeds.into_iter().map(|seed| {
        let lived = Box::pin(history::live(&endpoints, seed, &options.definition));
        async move { (seed, tokio::time::timeout(PATIENCE, lived).await) }
    });
    let mut lived = futures::stream::iter(lived).buffer_unordered(options.jobs.max(1));
    let (mut failures, mut sum) = (Vec::new(), Lived::default());
    while let Some((seed, outcome)) = lived.next().await {
        let outcome = outcome.unwrap_or_else(|_| Err(format!("it takes more than {PATIENCE:?}")));
        match outcome {
            Ok(lived) => sum.add(lived),
            Err(reason) => {
                println!("seed {seed}: NOT OK: {reason}");
                println!("  again: cargo xtask gold-model --only-new --histories 1 --seed {seed}");
                failures.push((seed, reason));
            }
        }
    }
    drop(lived);
    endpoints.stop().await;
    println!("{total} histories in {:.0} s: {sum}", started.elapsed().as_secs_f64());
    if let Some(lacking) = sum.lacking() {
        println!("all histories: NOT OK: {lacking}");
        failures.push((first, lacking));
    }
    Ok(failures)
}
