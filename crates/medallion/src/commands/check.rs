//! `medallion check`.

use medallion_transforms::error::TransformError;
use medallion_transforms::gold;

use crate::error::CliError;
use crate::files;
use crate::options::Place;

pub(crate) fn run(place: &Place) -> Result<(), CliError> {
    let lake = files::definition(&place.definition)?;
    files::environment(&place.environment)?;
    for contract in &lake.tables {
        medallion_transforms::quality::QualityPlan::new(contract)
            .map_err(|source| TransformError::quality(&contract.table, source))?;
    }
    let levels = gold::levels(&lake)?;
    println!("lake `{}`: no findings", lake.name);
    println!("  tables  {}", lake.tables.len());
    println!("  models  {} in {} levels", lake.models.len(), levels.len());
    println!("  groups  {}", lake.policy.groups.len());
    Ok(())
}
