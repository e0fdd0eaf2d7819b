//! The model check: many random histories of one small table, each lived through by the Silver
//! engine with races, dying jobs and failing requests, beside a naive model of what must follow.
//! Many histories together must hold everything that may happen: a check that never saw a job die
//! at a request says nothing about it.

mod check;
mod faults;
mod fold;
mod history;
mod live;
mod lived;
mod quarantine;
mod rebuild;
mod shape;
mod states;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use futures::StreamExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use self::history::Part;
use self::lived::Lived;
use crate::failure::HarnessError;
use crate::small_lake::Endpoints;

/// Seeds that once failed, one a line; they are lived through first.
const KEPT: &str = include_str!("../../../../fixtures/model/seeds.txt");
/// How long one history may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How to check.
#[derive(Clone, Debug, Args)]
pub struct ModelOptions {
    /// How many histories, beside the kept seeds
    #[arg(long, default_value_t = 1000)]
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
    /// Leave parts of the histories out, to see what a failure needs
    #[arg(long, value_enum, value_delimiter = ',')]
    pub without: Vec<Part>,
}

/// The seeds that failed, with what was wrong. What is wrong with all histories together stands
/// under the first seed.
pub type Failures = Vec<(u64, String)>;

/// Lives through all histories and prints the failures and a summary.
///
/// # Errors
/// When the endpoints do not start.
pub async fn run(options: &ModelOptions) -> Result<Failures, HarnessError> {
    let started = Instant::now();
    let seeds = seeds(options);
    let total = seeds.len();
    let lived = seeds.into_iter().map(|seed| async move { (seed, one(seed, options).await) });
    let mut lived = futures::stream::iter(lived).buffer_unordered(options.jobs.max(1));
    let (mut failures, mut sum, mut done) = (Failures::new(), Lived::default(), 0);
    while let Some((seed, outcome)) = lived.next().await {
        done += 1;
        match outcome? {
            Ok(lived) => sum.add(lived),
            Err(reason) => {
                println!("seed {seed}: NOT OK: {reason}");
                println!("  again: {}", again(seed, options));
                failures.push((seed, reason));
            }
        }
        if done % 100 == 0 {
            println!("{done}/{total} histories, {} failed", failures.len());
        }
    }
    show(&sum, total, started.elapsed());
    if options.without.is_empty() {
        for reason in sum.lacking(total) {
            println!("all histories: NOT OK: {reason}");
            failures.push((options.seed, reason));
        }
    }
    Ok(failures)
}

fn show(sum: &Lived, total: usize, took: Duration) {
    println!(
        "{total} histories in {:.0} s: {} runs, {} batches, {} rows and {} states compared, {} \
         delete files seen, {} jobs died, {} compactions, {} rebuilds",
        took.as_secs_f64(),
        sum.runs,
        sum.batches,
        sum.rows,
        sum.states,
        sum.delete_files,
        sum.crashes,
        sum.compactions,
        sum.rebuilds
    );
    println!("requests of undisturbed jobs:");
    for (operation, times) in &sum.asked {
        println!("  {operation:<52} {times}");
    }
    println!("struck requests:");
    for (what, times) in &sum.struck {
        println!("  {what:<52} {times}");
    }
}

fn seeds(options: &ModelOptions) -> Vec<u64> {
    let kept = KEPT.lines().filter_map(|line| line.split('#').next()?.trim().parse().ok());
    let kept: BTreeSet<u64> = kept.filter(|_| !options.only_new).collect();
    let further = options.seed..options.seed + options.histories;
    let further = further.filter(|seed| !kept.contains(seed));
    kept.iter().copied().chain(further).collect()
}

fn again(seed: u64, options: &ModelOptions) -> String {
    let mut command = format!("cargo xtask model --only-new --histories 1 --seed {seed}");
    for part in &options.without {
        let name = part.to_possible_value().map(|value| value.get_name().to_owned());
        command += &format!(" --without {}", name.unwrap_or_default());
    }
    command
}

/// The history of one seed, on endpoints of its own: faults strike whoever is there.
async fn one(seed: u64, options: &ModelOptions) -> Result<Result<Lived, String>, HarnessError> {
    let history = history::history(seed, &options.without);
    let endpoints = Endpoints::start().await?;
    let rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(1 << 32));
    let name = format!("model{seed}");
    let lived = live::live(&endpoints, &name, &history, rng);
    let outcome = match tokio::time::timeout(PATIENCE, Box::pin(lived)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("it takes more than {PATIENCE:?}")),
    };
    endpoints.stop().await;
    if std::env::var_os("MEDALLION_MODEL_TRACE").is_some() {
        eprintln!("{history:#?}");
    }
    Ok(outcome)
}

/// How often each kind of thing happens in histories, for a test that none is missing.
#[cfg(test)]
fn census(histories: impl Iterator<Item = u64>) -> std::collections::BTreeMap<String, usize> {
    let mut census = std::collections::BTreeMap::new();
    for seed in histories {
        let history = history::history(seed, &[]);
        let is_small = history.file_bytes < 1 << 20;
        let parts = [(history.states, "history table"), (is_small, "small files")];
        for (_, part) in parts.into_iter().filter(|(there, _)| *there) {
            *census.entry(part.to_owned()).or_default() += 1;
        }
        for event in history.events {
            let name = match event {
                history::Event::Put(file) if file.is_load => "load".to_owned(),
                history::Event::Put(_) => "changes".to_owned(),
                history::Event::Run(trouble) => format!("{trouble:?}"),
                history::Event::Contract(_) => "contract".to_owned(),
                history::Event::Reload => "reload".to_owned(),
                history::Event::Wait(_) => "wait".to_owned(),
            };
            *census.entry(name).or_default() += 1;
        }
    }
    census
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_histories_hold_everything_several_times() {
        let census = census(0..100);
        let kinds = [
            "load",
            "changes",
            "contract",
            "reload",
            "wait",
            "None",
            "Twice",
            "Compacted",
            "Compacting",
            "Fault",
            "Crash",
            "history table",
            "small files",
        ];
        for kind in kinds {
            let times = census.get(kind).copied().unwrap_or_default();
            assert!(times >= 10, "`{kind}` {times} times in a hundred histories");
        }
    }

    #[test]
    fn a_seed_always_gives_the_same_history() {
        let shown = |seed| format!("{:?}", history::history(seed, &[]));
        assert_eq!(shown(7), shown(7));
        assert_ne!(shown(7), shown(8));
    }
}
