//! `medallion gold`.

use medallion_definition::name::{Layer, ModelName};
use medallion_transforms::error::TransformError;
use medallion_transforms::gold::{GoldJob, GoldOutcome};
use medallion_transforms::runs::{Outcome, TableRef};

use crate::error::CliError;
use crate::options::Place;
use crate::recorder::Recorder;
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
    let table = TableRef::new(Layer::Gold, name.as_str());
    let recorder = Recorder::begin(&lake, &environment, &warehouse, table);
    let ((), result) = tokio::join!(recorder.started(), job.run());
    recorder.gold(model, recorded(&result), Vec::new(), None).await;
    match result? {
        GoldOutcome::UpToDate => println!("gold {name}: inputs and query are unchanged"),
        GoldOutcome::Waiting(inputs) => println!("gold {name}: waiting for {}", inputs.join(", ")),
        GoldOutcome::Published { rows, snapshot } => {
            println!("gold {name}: {rows} rows; snapshot {snapshot}");
        }
    }
    Ok(())
}

/// How a run ended, for its record.
fn recorded(result: &Result<GoldOutcome, TransformError>) -> Outcome {
    match result {
        Ok(GoldOutcome::UpToDate) => Outcome::UpToDate,
        Ok(GoldOutcome::Waiting(inputs)) => Outcome::Waiting { waiting_for: inputs.clone() },
        Ok(GoldOutcome::Published { .. }) => Outcome::Published,
        Err(error) => error.into(),
    }
}
