//! What the page of a run tells: collected from the definition, the records that the jobs left in
//! the bucket, and the run's own steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use medallion_definition::catalogue::history_name;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_governance::access::{CellAccess, RowAccess, TableAccess, table_access};
use medallion_transforms::error::TransformError;
use medallion_transforms::gold;
use medallion_transforms::runs::{self, CheckSeverity, Outcome, RunRecord, TableRef};

use super::E2eOptions;
use crate::failure::HarnessError;
use crate::page::{
    AccessCell, AccessMatrix, CheckRow, Graph, Node, NodeKind, NodeState, PageData, PageVerdict,
    RunRow, StepRow, page,
};
use crate::report::Report;
use crate::stack::Stack;
use crate::verify::Difference;

/// The page's name in the folder of the run, and in `target/e2e`.
const NAME: &str = "report.html";

/// Writes the page of a run and tells where it is. A run stands without its page.
pub(super) async fn tell(
    stack: &Stack,
    options: &E2eOptions,
    report: &Report,
    outcome: &Result<Vec<Difference>, HarnessError>,
) {
    if matches!(outcome, Err(HarnessError::Interrupted)) {
        return;
    }
    let records = match runs::read(stack.warehouse.bucket(), None).await {
        Ok(records) => records,
        Err(error) => {
            report.line("report", &format!("without the runs of the jobs: {error}"));
            Vec::new()
        }
    };
    let page = page(&collect(stack, options, report, outcome, &records));
    match write(&stack.paths.work, stack.paths.cache.parent(), &page) {
        Ok(path) => report.line("report", &path.display().to_string()),
        Err(error) => report.line("report", &format!("not written: {error}")),
    }
}

/// Writes the page into the folder of the run, which may go, and beside the build, where it stays.
fn write(work: &Path, target: Option<&Path>, page: &str) -> Result<PathBuf, std::io::Error> {
    let own = work.join(NAME);
    std::fs::write(&own, page)?;
    let Some(target) = target else { return Ok(own) };
    let folder = target.join("e2e");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(NAME), page)?;
    Ok(folder.join(NAME))
}

fn collect(
    stack: &Stack,
    options: &E2eOptions,
    report: &Report,
    outcome: &Result<Vec<Difference>, HarnessError>,
    records: &[RunRecord],
) -> PageData {
    let (verdict, differences) = match outcome {
        Ok(found) if found.is_empty() => (PageVerdict::Equal, Vec::new()),
        Ok(found) => (PageVerdict::Different, found.iter().map(ToString::to_string).collect()),
        Err(error) => (PageVerdict::Failed(error.report()), Vec::new()),
    };
    let steps = report.steps().iter().map(|step| StepRow {
        name: step.name.clone(),
        rows: step.rows as u64,
        files: step.files as u64,
        seconds: step.took.as_secs_f64(),
        about: step.about.clone(),
    });
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let facts = vec![
        fact("MySQL", format!("{} from {}", stack.mysql.version(), stack.mysql.origin())),
        fact("seed", options.seed.to_string()),
        fact("customers", options.customers.to_string()),
        fact("changes", options.changes.to_string()),
        fact("version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    PageData {
        lake: stack.lake.name.to_string(),
        about: stack.lake.description.clone(),
        verdict,
        began: (Utc::now() - report.took()).to_rfc3339_opts(SecondsFormat::Secs, true),
        seconds: report.took().as_secs_f64(),
        facts,
        steps: steps.collect(),
        graph: graph(&stack.lake, records).unwrap_or_default(),
        runs: records.iter().map(run_row).collect(),
        checks: checks(records),
        access: Some(access(&stack.lake)),
        differences,
    }
}

fn run_row(record: &RunRecord) -> RunRow {
    let message = match &record.outcome {
        Outcome::Waiting { waiting_for } => waiting_for.join(", "),
        outcome => outcome.message().unwrap_or_default().to_owned(),
    };
    RunRow {
        job: record.job.to_string(),
        began: record.started.format("%H:%M:%S%.3f").to_string(),
        outcome: record.outcome.as_str().to_owned(),
        message,
        mode: record.mode.map(|mode| mode.as_str().to_owned()).unwrap_or_default(),
        rows: record.output.rows,
        inserted: record.output.rows_inserted,
        deleted: record.output.rows_deleted,
        seconds: record.seconds,
        snapshot: record.output.snapshot,
    }
}

/// The record of each job's last run that checked something.
fn last_checked(records: &[RunRecord]) -> BTreeMap<&TableRef, &RunRecord> {
    let checked = records.iter().filter(|record| !record.checks.is_empty());
    checked.map(|record| (&record.job, record)).collect()
}

fn checks(records: &[RunRecord]) -> Vec<CheckRow> {
    let last = last_checked(records).into_values();
    let rows = last.flat_map(|record| {
        record.checks.iter().map(|check| CheckRow {
            job: record.job.to_string(),
            name: check.name.clone(),
            kind: check.kind.clone(),
            severity: check.severity.as_str().to_owned(),
            passed: check.passed,
            failing: check.failing_rows,
        })
    });
    rows.collect()
}

/// What each group sees of each table, as the policy says.
fn access(lake: &LakeDefinition) -> AccessMatrix {
    let catalogue = lake.catalogue();
    let personas = lake.policy.groups.iter().map(|group| {
        let cells = catalogue.iter().map(|table| {
            match table_access(&lake.policy, std::slice::from_ref(&group.name), table) {
                TableAccess::Hidden => AccessCell::Hidden,
                TableAccess::Visible { rows, columns } => AccessCell::Visible {
                    columns: columns.len(),
                    of: table.columns.len(),
                    filtered: rows != RowAccess::All,
                    masked: columns.iter().filter(|c| c.shown_when != CellAccess::Always).count(),
                },
            }
        });
        (group.name.to_string(), cells.collect())
    });
    let tables = catalogue.iter().map(|table| format!("{}.{}", table.layer, table.name));
    AccessMatrix { tables: tables.collect(), personas: personas.collect() }
}

/// The tables of a lake and what flows between them, with what the records say about each.
///
/// # Errors
/// When a model's query cannot be understood.
fn graph(lake: &LakeDefinition, records: &[RunRecord]) -> Result<Graph, TransformError> {
    let levels = gold::levels(lake)?;
    let mut columns = ["MySQL", "Bronze", "Silver"].map(str::to_owned).to_vec();
    let title = |level: usize| match levels.len() {
        1 => "Gold".to_owned(),
        _ => format!("Gold, level {}", level + 1),
    };
    columns.extend((0..levels.len()).map(title));
    let mut graph = Graph { columns, ..Graph::default() };
    let mut places: BTreeMap<TableRef, usize> = BTreeMap::new();
    for contract in &lake.tables {
        let name = contract.table.lake_table();
        let source = add(&mut graph, source_node(contract.table.to_string()));
        let table = TableRef::new(Layer::Bronze, &name);
        let bronze = add(&mut graph, bronze_node(&table, records));
        graph.edges.push((source, bronze));
        places.insert(table, bronze);
        let job = TableRef::new(Layer::Silver, &name);
        let history =
            contract.history.then(|| TableRef::new(Layer::Silver, history_name(contract)));
        let tables = [job.clone(), TableRef::new(Layer::Quarantine, &name)];
        for table in tables.into_iter().chain(history) {
            let node = add(&mut graph, written_node(&table, &job, 2, records));
            graph.edges.push((bronze, node));
            places.insert(table, node);
        }
    }
    for (level, models) in levels.iter().enumerate() {
        for model in models {
            let table = TableRef::new(Layer::Gold, model.name.as_str());
            let node = add(&mut graph, written_node(&table, &table, 3 + level, records));
            let inputs = gold::inputs(lake, model)?.into_iter().map(TableRef::from);
            let inputs = inputs.filter_map(|input| places.get(&input).copied());
            graph.edges.extend(inputs.map(|input| (input, node)));
            places.insert(table, node);
        }
    }
    Ok(graph)
}

fn add(graph: &mut Graph, node: Node) -> usize {
    graph.nodes.push(node);
    graph.nodes.len() - 1
}

fn source_node(name: String) -> Node {
    let (rows, seconds, state) = (None, None, NodeState::Unknown);
    Node { name, column: 0, kind: NodeKind::Source, rows, seconds, state }
}

/// The change rows of a table are those that the runs of its job read.
fn bronze_node(table: &TableRef, records: &[RunRecord]) -> Node {
    let inputs = records.iter().filter(|record| record.job.layer == Layer::Silver);
    let inputs = inputs.flat_map(|record| &record.inputs).filter(|input| input.table == *table);
    let rows = inputs.filter_map(|input| input.rows).reduce(|sum, rows| sum + rows);
    Node { kind: NodeKind::Bronze, column: 1, rows, ..source_node(table.table.clone()) }
}

/// A table that the runs of a job write.
fn written_node(table: &TableRef, job: &TableRef, column: usize, records: &[RunRecord]) -> Node {
    let of_job = || records.iter().rev().filter(|record| record.job == *job);
    let output = |record: &RunRecord| {
        let mut outputs = std::iter::once(&record.output).chain(&record.further_outputs);
        outputs.find(|output| output.table == *table).and_then(|output| output.rows)
    };
    let wrote =
        |record: &&RunRecord| matches!(record.outcome, Outcome::Committed | Outcome::Published);
    let warned = last_checked(records).get(job).is_some_and(|record| {
        let mut checks = record.checks.iter();
        checks.any(|check| !check.passed && check.severity == CheckSeverity::Warn)
    });
    let state = match of_job().next().map(|record| &record.outcome) {
        None => NodeState::Unknown,
        Some(Outcome::Waiting { .. }) => NodeState::Waiting,
        Some(Outcome::Red { .. } | Outcome::Failed { .. }) => NodeState::Bad,
        Some(Outcome::Committed | Outcome::Published | Outcome::UpToDate) => {
            if warned {
                NodeState::Warned
            } else {
                NodeState::Good
            }
        }
    };
    Node {
        name: table.table.clone(),
        column,
        kind: match table.layer {
            Layer::Bronze => NodeKind::Bronze,
            Layer::Silver => NodeKind::Silver,
            Layer::Quarantine => NodeKind::Quarantine,
            Layer::Gold => NodeKind::Gold,
        },
        rows: of_job().find_map(output),
        seconds: of_job().find(wrote).map(|record| record.seconds),
        state,
    }
}

#[cfg(test)]
mod tests {
    use medallion::files;
    use medallion_transforms::runs::{CheckResult, Run, RunInput};

    use super::*;

    fn lake() -> LakeDefinition {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        files::definition(&root.join("infra/lake")).unwrap()
    }

    fn record(job: &str, outcome: Outcome, rows: u64) -> RunRecord {
        let mut record = RunRecord::new(&Run::begin(job.parse().unwrap()), Utc::now(), outcome);
        record.output.rows = Some(rows);
        record
    }

    fn node<'a>(graph: &'a Graph, name: &str, kind: NodeKind) -> (usize, &'a Node) {
        let mut nodes = graph.nodes.iter().enumerate();
        nodes.find(|(_, node)| node.name == name && node.kind == kind).unwrap()
    }

    #[test]
    fn every_table_stands_right_of_what_it_is_made_of() {
        let lake = lake();
        let graph = graph(&lake, &[]).unwrap();
        let sources = lake.tables.len();
        assert_eq!(graph.nodes.len(), lake.catalogue().len() + sources);
        for (from, to) in &graph.edges {
            let (from, to) = (&graph.nodes[*from], &graph.nodes[*to]);
            assert!(from.column < to.column, "{from:?} {to:?}");
        }
        for (i, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.column > 0) {
            assert!(graph.edges.iter().any(|(_, to)| *to == i), "nothing leads to {node:?}");
            assert!(node.column < graph.columns.len());
        }
    }

    #[test]
    fn a_table_tells_of_the_run_that_wrote_it_and_of_the_last_one() {
        let mut first = record("silver.crm_customers", Outcome::Committed, 7);
        let bronze = TableRef::new(Layer::Bronze, "crm_customers");
        first.inputs = vec![RunInput { rows: Some(9), ..RunInput::of(bronze) }];
        first.seconds = 1.5;
        let second = RunRecord { inputs: first.inputs.clone(), ..first.clone() };
        let mut last = record("silver.crm_customers", Outcome::UpToDate, 8);
        last.seconds = 0.1;
        let red = record("gold.customer_360", Outcome::Red { reason: "r".to_owned() }, 3);
        let records = [first, second, last, red];
        let graph = graph(&lake(), &records).unwrap();
        let (_, silver) = node(&graph, "crm_customers", NodeKind::Silver);
        assert_eq!((silver.rows, silver.seconds), (Some(8), Some(1.5)));
        assert_eq!(silver.state, NodeState::Good);
        assert_eq!(node(&graph, "crm_customers", NodeKind::Bronze).1.rows, Some(18));
        let (_, gold) = node(&graph, "customer_360", NodeKind::Gold);
        assert_eq!((gold.state, gold.seconds), (NodeState::Bad, None));
        assert_eq!(node(&graph, "crm_consents", NodeKind::Silver).1.state, NodeState::Unknown);
    }

    #[test]
    fn checks_are_those_of_the_last_run_that_checked() {
        let check = |passed| CheckResult {
            name: "c".to_owned(),
            kind: "row_rule".to_owned(),
            column: None,
            severity: CheckSeverity::Warn,
            passed,
            failing_rows: Some(u64::from(!passed)),
        };
        let mut records =
            ["silver.crm_customers"; 3].map(|job| record(job, Outcome::Committed, 1)).to_vec();
        records[0].checks = vec![check(true)];
        records[1].checks = vec![check(false)];
        let told = checks(&records);
        assert_eq!((told.len(), told[0].passed, told[0].failing), (1, false, Some(1)));
        let graph = graph(&lake(), &records).unwrap();
        assert_eq!(node(&graph, "crm_customers", NodeKind::Silver).1.state, NodeState::Warned);
    }

    #[test]
    fn the_matrix_has_every_group_and_table() {
        let lake = lake();
        let matrix = access(&lake);
        assert_eq!(matrix.tables.len(), lake.catalogue().len());
        assert_eq!(matrix.personas.len(), lake.policy.groups.len());
        let at = matrix.tables.iter().position(|t| t == "silver.crm_customers").unwrap();
        let cell =
            |group: &str| &matrix.personas.iter().find(|(name, _)| name == group).unwrap().1[at];
        assert_eq!(*cell("marketing"), AccessCell::Hidden);
        let sees = cell("operations-SP");
        assert!(matches!(sees, AccessCell::Visible { filtered: true, .. }), "{sees:?}");
    }

    #[test]
    fn the_page_stays_when_the_folder_of_the_run_goes() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [work, target] = folders.each_ref().map(tempfile::TempDir::path);
        let path = write(work, Some(target), "page").unwrap();
        assert_eq!(path, target.join("e2e/report.html"));
        for path in [path, work.join(NAME)] {
            assert_eq!(std::fs::read_to_string(path).unwrap(), "page");
        }
    }
}
