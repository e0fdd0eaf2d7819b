//! `medallion silver`.

use medallion_definition::name::TableId;
use medallion_transforms::silver::{BATCH_BYTES, SilverJob, SilverOutcome};

use crate::error::CliError;
use crate::options::Place;
use crate::{files, target};

pub(crate) async fn run(place: &Place, table: &TableId, plan: bool) -> Result<(), CliError> {
    let lake = files::definition(&place.definition)?;
    let environment = files::environment(&place.environment)?;
    let Some(contract) = lake.contract(table) else {
        let known = lake.tables.iter().map(|t| t.table.to_string()).collect();
        return Err(CliError::Unknown { kind: "table", name: table.to_string(), known });
    };
    let config = target::sdk_config(&environment).await;
    let warehouse = target::warehouse(&config, &environment);
    let now_micros = chrono::Utc::now().timestamp_micros();
    let batch_bytes = BATCH_BYTES;
    let job = SilverJob { lake: &lake, contract, warehouse: &warehouse, now_micros, batch_bytes };
    if plan {
        print!("{}", job.explain().await?);
        return Ok(());
    }
    match job.run().await? {
        SilverOutcome::UpToDate => println!("silver {table}: nothing new"),
        SilverOutcome::Committed { files, balance, warnings, snapshot } => {
            for (rule, count) in warnings {
                println!("warning: {count} rows of {table} fail `{rule}`");
            }
            let plural = if files == 1 { "" } else { "s" };
            println!("silver {table}: {files} file{plural}, {balance}; snapshot {snapshot}");
        }
    }
    Ok(())
}
