//! `medallion doctor` and `medallion new-table` against real servers: a schema with every problem
//! has exactly the expected findings, a clean one none, and a proposed contract is valid and fits.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod cascade;
mod clean;
mod command;
mod contract;
mod mariadb;
mod proposal;
mod server;
mod trouble;

use medallion_definition::contract::TableContract;
use medallion_replicator::inspection::finding::Severity;
use medallion_replicator::inspection::{Inspection, Limits, inspect};
use medallion_replicator::server::Source;

/// Rule, severity and place of a finding.
type Told = (&'static str, Severity, String);

async fn examined(url: &str, contracts: &[TableContract], limits: &Limits) -> Inspection {
    inspect(&Source::from_url(url).unwrap(), contracts, limits).await.unwrap()
}

/// The findings in an order of their own, without the one about a release that DMS does not name:
/// it depends on the server at hand.
fn told(inspection: &Inspection) -> Vec<Told> {
    let told = inspection.findings.iter().map(|finding| {
        assert!(!finding.message.is_empty(), "{finding}");
        (finding.rule.0, finding.severity, finding.place.to_string())
    });
    let mut told: Vec<Told> = told.filter(|(rule, ..)| *rule != "source/version-dms").collect();
    told.sort();
    told
}

fn sorted(expected: Vec<(&'static str, Severity, &str)>) -> Vec<Told> {
    let owned = expected.into_iter().map(|(rule, s, place)| (rule, s, place.to_owned()));
    let mut expected: Vec<Told> = owned.collect();
    expected.sort();
    expected
}
