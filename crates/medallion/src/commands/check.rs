//! `medallion check`.

use medallion_definition::finding::Findings;
use medallion_transforms::error::TransformError;
use medallion_transforms::gold::{self, lineage, portable, unit_test};

use crate::error::CliError;
use crate::files;
use crate::options::Place;

pub(crate) async fn run(place: &Place) -> Result<(), CliError> {
    let lake = files::definition(&place.definition)?;
    files::environment(&place.environment)?;
    for contract in &lake.tables {
        medallion_transforms::quality::QualityPlan::new(contract)
            .map_err(|source| TransformError::quality(&contract.table, source))?;
    }
    let levels = gold::levels(&lake)?;
    let mut findings = Findings::default();
    for model in &lake.models {
        let outside = portable::findings(&lake, model).await;
        // A query that does not plan has no lineage either.
        if outside.is_empty() {
            findings.extend(lineage::leaks(&lake, model).await?);
        }
        findings.extend(outside);
    }
    findings.into_result(Some(()))?;
    let dag = lineage::dag(&lake)?;
    let tests = unit_test::parse_all(&lake, &files::unit_tests(&place.definition)?)?;
    let mut failed = Vec::new();
    for test in &tests {
        let verdict = unit_test::run(test).await?;
        if !verdict.passed() {
            failed.push(format!("{test}\n{verdict}"));
        }
    }
    println!("lake `{}`: no findings", lake.name);
    println!("  tables  {}", lake.tables.len());
    println!("  models  {} in {} levels", lake.models.len(), levels.len());
    println!("  groups  {}", lake.policy.groups.len());
    println!("  tests   {} of {} pass", tests.len() - failed.len(), tests.len());
    print!("{dag}");
    if failed.is_empty() { Ok(()) } else { Err(CliError::UnitTests(failed)) }
}
