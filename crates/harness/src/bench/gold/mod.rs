//! The bench of Gold: models built by `medallion gold` beside DuckDB and Spark with Iceberg, which run
//! the models' own SQL over the same Silver files.
//!
//! Every program runs alone, as one whole process on two cores, and has to give the same rows. The
//! harness serves S3 and Glue to ours, so it is built with optimisation too.

mod lake;
mod peers;
mod rows;
mod scene;
mod values;

use std::path::PathBuf;

use clap::Args;

use self::lake::{Filled, Lake};
use self::peers::Peers;
use self::scene::Silver;
use super::silver::measure::Program;
use super::silver::table::{Outcome, Section};
use super::table::Machine;
use super::{count, keep};
use crate::e2e::default_paths;
use crate::failure::HarnessError;
use crate::report::{Printer, Report};

/// Customers of a trial.
const QUICK: u64 = 200_000;

/// How to measure Gold.
#[derive(Clone, Debug, Args)]
pub(super) struct GoldOptions {
    /// Customers in Silver; each has about 1.2 addresses and 2 consents
    #[arg(long, default_value = "10M", value_parser = count)]
    customers: u64,
    /// Few customers and one run of everything, to try the bench itself
    #[arg(long, conflicts_with_all = ["customers", "runs", "spark_runs"])]
    quick: bool,
    /// Models to build, in this order
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "customers_by_region,consent_coverage,customer_360"
    )]
    models: Vec<String>,
    /// Customers that change in Silver before the runs after a change; 0 for no such runs
    #[arg(long, default_value = "10K", value_parser = count)]
    changes: u64,
    /// Runs of ours and DuckDB; medians are shown
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Runs of Spark, at most as many
    #[arg(long, default_value_t = 3)]
    spark_runs: usize,
    /// Leave DuckDB and Spark out; then nothing compares the tables either
    #[arg(long)]
    no_peers: bool,
    /// Memory that `medallion gold` is given, instead of its own default
    #[arg(long)]
    memory: Option<String>,
    /// Heap of Spark's JVM
    #[arg(long, default_value = "4g")]
    spark_memory: String,
    /// Partitions of Spark's shuffles
    #[arg(long, default_value_t = 16)]
    spark_partitions: u32,
    /// The number from which all rows and changes follow
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Folder of the lake definition
    #[arg(long, default_value = "infra/lake")]
    definition: PathBuf,
    /// Folder for data, instead of a temporary one; what the bench makes in it is removed
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,
    /// The optimised program; `cargo xtask bench` builds and gives it
    #[arg(long, env = "MEDALLION_BIN", hide = true)]
    program: PathBuf,
}

impl GoldOptions {
    /// The options of a trial, if it is one.
    fn settled(&self) -> GoldOptions {
        match self.quick {
            true => GoldOptions { customers: QUICK, runs: 1, spark_runs: 1, ..self.clone() },
            false => self.clone(),
        }
    }
}

/// What all models share.
struct Bench {
    options: GoldOptions,
    lake: Lake,
    peers: Option<Peers>,
    fixtures: PathBuf,
    printer: Printer,
}

/// A larger machine gives nobody more than two cores.
fn on_two_cores(program: Program) -> Program {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores > 2 {
        Program::new("taskset").args(["--cpu-list", "0,1"]).then(program)
    } else {
        program
    }
}

/// What the columns mean.
const LEGEND: [&str; 6] = [
    "Silver of infra/lake, all columns, made by the bench. Medians, the number of runs in brackets;",
    "every program is one whole process on two cores, alone on this machine, which is busy if others",
    "use it: CPU is the steadier figure. medallion reads and writes through local S3 and Glue endpoints,",
    "whose CPU is in the last column and whose time is within its wall time; it also checks what it",
    "publishes. DuckDB reads the same data files locally and writes Parquet; Spark reads the same",
    "Iceberg tables locally and writes one. Rates are customers of Silver, whatever a run reads.",
];

/// Measures, prints the tables and writes them as JSON and as Markdown.
///
/// # Errors
/// When a program fails, or gives other rows than the others.
pub(super) async fn run(options: &GoldOptions) -> Result<(), HarnessError> {
    let options = options.settled();
    let mut builder = tempfile::Builder::new();
    builder.prefix("medallion-bench-");
    let folder = match &options.work_dir {
        Some(parent) => std::fs::create_dir_all(parent).and_then(|()| builder.tempdir_in(parent)),
        None => builder.tempdir(),
    };
    let folder = folder.map_err(|e| HarnessError::set_up("the work folder", e))?;
    let work = folder.path().canonicalize();
    let work = work.map_err(|e| HarnessError::set_up("the work folder", e))?;
    let paths = default_paths(work.clone(), options.definition.clone());
    let printer = Report::default().printer();
    // What is missing is told before ten million rows are made.
    let spark = (options.spark_memory.as_str(), options.spark_partitions);
    let peers = match options.no_peers {
        true => None,
        false => Some(Peers::find(&paths.fixtures, &paths.cache, &work, spark, &printer).await?),
    };
    let lake = Lake::start(&options.definition, &work, options.seed).await?;
    let bench = Bench { options, lake, peers, fixtures: paths.fixtures.clone(), printer };
    let mut sections = Vec::new();
    let measured = bench.models(&mut sections).await;
    let (seed, machine) = (bench.options.seed, Machine::read());
    let notes = bench.notes();
    bench.lake.endpoints.stop().await;
    measured?;
    let outcome = Outcome { machine, seed, legend: &LEGEND, sections, notes };
    println!("{outcome}");
    keep(&paths.cache, "gold.json", &format!("{:#}\n", outcome.json()), &printer)?;
    let markdown = outcome.markdown().map_err(|e| HarnessError::Bench(e.to_string()))?;
    keep(&paths.cache, "gold.md", &markdown, &printer)
}

impl Bench {
    fn notes(&self) -> Vec<String> {
        let without = "DuckDB and Spark did not run, and nothing compared the tables: --no-peers";
        self.options.no_peers.then(|| without.to_owned()).into_iter().collect()
    }

    async fn models(&self, sections: &mut Vec<Section>) -> Result<(), HarnessError> {
        let models = self.options.models.iter().map(|name| self.lake.model(name));
        let models = models.collect::<Result<Vec<_>, _>>()?;
        let silver = self.silver().await?;
        let mut builds = Vec::new();
        for model in &models {
            let mut measured = self.build(model, &silver).await?;
            sections.append(&mut measured);
            builds.push(sections.len() - 2);
        }
        if self.options.changes == 0 {
            return Ok(());
        }
        let changed = self.lake.change(silver.customers, self.options.changes).await?;
        self.printer.print("silver", &format!("{changed} customers changed"));
        let changed = self.lake.endpoints.state()?;
        for (model, build) in models.iter().zip(builds) {
            let section = self.after_change(model, &silver, &changed, &sections[build]).await?;
            sections.push(section);
        }
        Ok(())
    }

    async fn silver(&self) -> Result<Silver, HarnessError> {
        let customers = self.options.customers;
        let Filled { rows, files, bytes } = self.lake.fill(customers, &self.printer).await?;
        let tables = match &self.peers {
            Some(peers) => self.lake.export(&peers.objects()).await?,
            None => Vec::new(),
        };
        let mebibytes = bytes >> 20;
        let about = format!(
            "{customers} customers with their addresses and consents ({rows} rows in {files} \
             files, {mebibytes} MiB)"
        );
        Ok(Silver { customers, about, tables })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: GoldOptions,
    }

    fn parse(words: &[&str]) -> Result<GoldOptions, clap::Error> {
        let given = ["bench", "--program", "medallion"];
        Cli::try_parse_from(given.iter().chain(words)).map(|cli| cli.options.settled())
    }

    #[test]
    fn a_trial_is_small_and_says_so_itself() {
        let usual = parse(&[]).unwrap();
        assert_eq!((usual.customers, usual.runs, usual.models.len()), (10_000_000, 3, 3));
        let quick = parse(&["--quick"]).unwrap();
        assert_eq!((quick.customers, quick.runs, quick.spark_runs), (QUICK, 1, 1));
        assert!(parse(&["--quick", "--customers", "1M"]).is_err());
        assert_eq!(parse(&["--customers", "1M"]).unwrap().customers, 1_000_000);
    }

    #[test]
    fn models_are_chosen_by_name() {
        let options = parse(&["--models", "customer_360", "--changes", "0"]).unwrap();
        assert_eq!((options.models, options.changes), (vec!["customer_360".to_owned()], 0));
    }
}
