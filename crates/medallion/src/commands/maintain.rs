//! `medallion maintain`.

use std::time::Duration;

use clap::Args;
use medallion_definition::name::TableId;
use medallion_tables::maintenance::orphans::SafetyAge;
use medallion_transforms::maintenance::{KEEP_MOST, Maintenance, MaintenancePolicy, When};
use medallion_transforms::silver::{FILE_BYTES, SilverJob};

use super::silver::job;
use crate::error::CliError;
use crate::options::Place;
use crate::quantity::{duration, size};
use crate::{files, target};

/// Arguments of `maintain`.
#[derive(Debug, Args)]
pub(crate) struct Maintain {
    /// Source table, such as `crm.customers`: its Silver and quarantine tables are maintained
    #[arg(long)]
    table: TableId,
    /// Print what would be done and change nothing
    #[arg(long)]
    plan: bool,
    /// How long old snapshots stay
    #[arg(long, value_name = "TIME", default_value = "2d", value_parser = duration)]
    keep: chrono::Duration,
    /// How many old snapshots stay at most
    #[arg(long, value_name = "NUMBER", default_value_t = KEEP_MOST)]
    keep_most: usize,
    /// How long readers are at work: younger snapshots stay, however many they are
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    readers: chrono::Duration,
    /// How old a file that nothing refers to must be before it is deleted; at least a day
    #[arg(long, value_name = "TIME", default_value = "3d", value_parser = duration)]
    orphan_age: chrono::Duration,
    /// Memory of which compaction takes a half for the files that it merges
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    memory: u64,
}

impl Maintain {
    fn policy(&self) -> Result<MaintenancePolicy, CliError> {
        let age = self.orphan_age.to_std().unwrap_or(Duration::ZERO);
        let orphan_age = SafetyAge::new(age).map_err(|e| CliError::Usage(e.to_string()))?;
        let policy = MaintenancePolicy::thorough(FILE_BYTES, self.memory);
        let (keep, keep_most, at_work) = (self.keep, self.keep_most, self.readers);
        Ok(MaintenancePolicy { keep, keep_most, at_work, orphan_age, ..policy })
    }
}

pub(crate) async fn run(place: &Place, arguments: &Maintain) -> Result<(), CliError> {
    let policy = arguments.policy()?;
    let lake = files::definition(&place.definition)?;
    let environment = files::environment(&place.environment)?;
    let config = target::sdk_config(&environment).await;
    let warehouse = target::warehouse(&config, &environment);
    let job =
        SilverJob { memory_bytes: arguments.memory, ..job(&lake, &arguments.table, &warehouse)? };
    if !arguments.plan {
        for report in job.maintain(policy, When::Now).await? {
            println!("{report}");
        }
        return Ok(());
    }
    let now_ms = job.now_micros.div_euclid(1000);
    let maintenance = Maintenance { warehouse: &warehouse, policy, now_ms };
    for table in job.tables().await? {
        println!("{}", maintenance.plan(&table, When::Now).await?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        maintain: Maintain,
    }

    #[test]
    fn without_options_the_policy_is_that_of_the_job_but_thorough() {
        let line = Line::parse_from(["maintain", "--table", "crm.customers"]).maintain;
        let policy = line.policy().unwrap();
        assert_eq!(policy, MaintenancePolicy::thorough(FILE_BYTES, line.memory));
        let of_the_job = MaintenancePolicy::new(FILE_BYTES, line.memory);
        let compaction = of_the_job.compaction;
        assert_eq!(MaintenancePolicy { compaction, ..policy }, of_the_job);
    }

    #[test]
    fn files_of_running_jobs_are_safe() {
        let words = ["maintain", "--table", "crm.customers", "--orphan-age", "23h"];
        let error = Line::parse_from(words).maintain.policy().unwrap_err();
        assert_eq!(error.exit_code(), crate::exit::USAGE);
    }
}
