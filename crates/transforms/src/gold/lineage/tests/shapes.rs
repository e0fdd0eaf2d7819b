//! What queries of every shape are told to be made of.

use datafusion::logical_expr::LogicalPlan;

use super::cases::{CASES, PLANNED_ONLY};
use super::{lake, model};
use crate::gold::lineage::plan::Walk;
use crate::gold::lineage::{ColumnLineage, OutputColumn, Sources, lineage};
use crate::gold::{empty_session, logical_plan};

fn ways(sources: &Sources) -> String {
    let one = |(column, ways): (&_, &std::collections::BTreeSet<_>)| {
        let ways: Vec<String> = ways.iter().map(ToString::to_string).collect();
        format!("{column} {}", ways.join(", ")).replace("silver.crm_", "")
    };
    sources.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn told(lineage: &ColumnLineage) -> Vec<String> {
    let line = |name: &str, sources: &Sources| format!("{name}: {}", ways(sources));
    let columns = lineage.columns.iter().map(|c| line(&c.name, &c.sources));
    let rows = (!lineage.rows.is_empty()).then(|| line("(rows)", &lineage.rows));
    columns.chain(rows).map(|l| l.trim_end().to_owned()).collect()
}

#[tokio::test]
async fn every_shape_of_query_tells_its_sources() {
    let lake = lake();
    for case in CASES.iter().chain(PLANNED_ONLY) {
        let lineage = lineage(&lake, &model(&[], case.sql)).await.unwrap();
        assert_eq!(told(&lineage), case.told, "{}", case.sql);
    }
}

/// The optimizer turns subqueries into semi, anti and mark joins and drops what is not needed. Its
/// plan must not have a source that the plan before it did not have.
#[tokio::test]
async fn an_optimised_plan_has_no_other_sources() {
    let lake = lake();
    let state = empty_session(&lake).unwrap().state();
    let mut marks = 0;
    for case in CASES {
        let model = model(&[], case.sql);
        let plan = logical_plan(&lake, &model).await.unwrap();
        let optimised = state.optimize(&plan).unwrap();
        marks += optimised.display_indent().to_string().matches("LeftMark").count();
        let (before, after) = (walk(&lake, &model, &plan), walk(&lake, &model, &optimised));
        for (old, new) in before.columns.iter().zip(&after.columns) {
            for (source, _) in new.sources.iter() {
                let known = old.sources.contains(source) || before.rows.contains(source);
                assert!(known, "{source} in {}: {optimised}", old.name);
            }
        }
        // A subquery in an expression becomes a join, which decides about rows.
        for (source, _) in after.rows.iter() {
            let known = before.columns.iter().map(|c| &c.sources).chain([&before.rows]);
            assert!(known.into_iter().any(|s| s.contains(source)), "{source}: {optimised}");
        }
    }
    assert!(marks > 0, "no query was turned into a mark join");
}

fn walk(
    lake: &medallion_definition::lake::LakeDefinition,
    model: &medallion_definition::model::GoldModel,
    plan: &LogicalPlan,
) -> ColumnLineage {
    let relation = Walk::new(lake, model).relation(plan, None).unwrap();
    let names = plan.schema().fields().iter().map(|f| f.name().clone()).zip(relation.columns);
    let columns = names.map(|(name, sources)| OutputColumn { name, sources }).collect();
    ColumnLineage { model: model.name.clone(), columns, rows: relation.rows }
}

#[tokio::test]
async fn a_very_long_condition_is_followed() {
    let terms: Vec<String> = (0..300).map(|i| format!("visits = {i}")).collect();
    let sql = format!("select id from silver.crm_customers where {}", terms.join(" or "));
    let lineage = lineage(&lake(), &model(&[], &sql)).await.unwrap();
    assert_eq!(
        told(&lineage),
        ["id: customers.id identity", "(rows): customers.visits filter"],
        "300 terms"
    );
}

#[tokio::test]
async fn bronze_quarantine_and_models_are_sources_by_their_layer() {
    let sql = "select b.bi_id, b.op, q.record, g.cpf from bronze.crm_customers b
               join quarantine.crm_customers q on q.change_seq = b.change_seq
               join customer_360 g on g.customer_id = b.id";
    let lineage = lineage(&lake(), &model(&[], sql)).await.unwrap();
    let expected = [
        "bi_id: bronze.crm_customers.bi_id identity",
        "op: bronze.crm_customers.op identity",
        "record: quarantine.crm_customers.record identity",
        "cpf: gold.customer_360.cpf identity",
        "(rows): bronze.crm_customers.id join; bronze.crm_customers.change_seq join; \
         gold.customer_360.customer_id join; quarantine.crm_customers.change_seq join",
    ];
    let sorted = |line: &str| {
        let (name, sources) = line.split_once(": ").unwrap();
        let mut sources: Vec<String> = sources.split("; ").map(str::to_owned).collect();
        sources.sort();
        (name.to_owned(), sources)
    };
    let told = told(&lineage);
    assert_eq!(
        told.iter().map(|l| sorted(l)).collect::<Vec<_>>(),
        expected.iter().map(|l| sorted(l)).collect::<Vec<_>>()
    );
}
