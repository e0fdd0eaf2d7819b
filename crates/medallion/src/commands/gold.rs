//! `medallion gold`.

use medallion_definition::name::ModelName;
use medallion_transforms::gold::{GoldJob, GoldOutcome};

use crate::error::CliError;
use crate::options::Place;
use crate::{files, target};

pub(crate) async fn run(place: &Place, name: &ModelName, plan: bool) -> Result<(), CliError> {
    let lake = files::definition(&place.definition)?;
    let environment = files::environment(&place.environment)?;
    let Some(model) = lake.model(name.as_str()) else {
        let known = lake.models.iter().map(|m| m.name.to_string()).collect();
        return Err(CliError::Unknown { kind: "model", name: name.to_string(), known });
    };
    let config = target::sdk_config(&environment).await;
    let warehouse = target::warehouse(&config, &environment);
    let job = GoldJob { lake: &lake, model, warehouse: &warehouse };
    if plan {
        print!("{}", job.explain().await?);
        return Ok(());
    }
    match job.run().await? {
        GoldOutcome::UpToDate => println!("gold {name}: inputs and query are unchanged"),
        GoldOutcome::Waiting(inputs) => println!("gold {name}: waiting for {}", inputs.join(", ")),
        GoldOutcome::Published { rows, snapshot } => {
            println!("gold {name}: {rows} rows; snapshot {snapshot}");
        }
    }
    Ok(())
}
