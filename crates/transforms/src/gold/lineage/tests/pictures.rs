//! Lineage and the graph as people and programs see them.

use serde_json::json;

use super::{lake, model};
use crate::gold::lineage::{COLUMN_LINEAGE_SCHEMA, DagNode, PRODUCER, dag, lineage};

const SQL: &str = "select region, count(*) as n, count(cpf) as cpfs
                   from silver.crm_customers where zone > 0 group by region";

#[tokio::test]
async fn lineage_is_a_table() {
    let text = lineage(&lake(), &model(&[], SQL)).await.unwrap().to_string();
    let expected = [
        "lineage of gold.made_up",
        "  region  silver.crm_customers.region  identity",
        "  n       -",
        "  cpfs    silver.crm_customers.cpf     masked aggregation",
        "  (rows)  silver.crm_customers.region  group by",
        "          silver.crm_customers.zone    filter",
        "",
    ];
    assert_eq!(text, expected.join("\n"));
}

#[tokio::test]
async fn the_facet_has_the_fields_of_openlineage() {
    let facet = lineage(&lake(), &model(&[], SQL)).await.unwrap().to_facet("lake://x");
    let source = |field: &str, kind: &str, subtype: &str, about: &str, masking: bool| {
        json!({
            "namespace": "lake://x", "name": "silver.crm_customers", "field": field,
            "transformations": [
                { "type": kind, "subtype": subtype, "description": about, "masking": masking },
            ],
        })
    };
    let counted = "computed from the values of several rows";
    let expected = json!({
        "_producer": PRODUCER,
        "_schemaURL": COLUMN_LINEAGE_SCHEMA,
        "fields": {
            "region": { "inputFields": [
                source("region", "DIRECT", "IDENTITY", "the value as it is", false),
            ]},
            "n": { "inputFields": [] },
            "cpfs": { "inputFields": [source("cpf", "DIRECT", "AGGREGATION", counted, true)] },
        },
        "dataset": [
            source("region", "INDIRECT", "GROUP_BY", "forms the groups", false),
            source("zone", "INDIRECT", "FILTER", "selects the rows", false),
        ],
    });
    assert_eq!(facet, expected);
}

#[test]
fn the_lake_is_a_tree_from_the_sources_down() {
    let mut lake = lake();
    let keep = ["customers_by_region", "consent_coverage"];
    lake.models.retain(|m| keep.contains(&m.name.as_str()));
    let mut above = model(&["n"], "select sum(answers) as n from gold.consent_coverage");
    above.name = "all_answers".parse().unwrap();
    lake.models.push(above);
    let graph = dag(&lake).unwrap();
    let expected = "\
crm.addresses
  bronze.crm_addresses
    silver.crm_addresses
    quarantine.crm_addresses
crm.consents
  bronze.crm_consents
    silver.crm_consents
      gold.consent_coverage (level 1)
        gold.all_answers (level 2)
    silver.crm_consents_history
    quarantine.crm_consents
crm.customers
  bronze.crm_customers
    silver.crm_customers
      gold.consent_coverage (level 1) …
      gold.customers_by_region (level 1)
    quarantine.crm_customers
";
    assert_eq!(graph.to_string(), expected);
    let dot = graph.to_dot();
    for line in [
        "  \"crm.customers\" -> \"bronze.crm_customers\";",
        "  \"silver.crm_consents\" -> \"gold.consent_coverage\";",
        "  \"gold.consent_coverage\" -> \"gold.all_answers\";",
    ] {
        assert!(dot.contains(line), "{dot}");
    }
    assert_eq!(dot.matches(" -> ").count(), graph.edges.len());
    assert_eq!(dot.matches("];").count(), graph.nodes.len() + 1);
    let models = graph.nodes.iter().filter(|n| matches!(n, DagNode::Model { .. }));
    assert_eq!(models.count(), 3);
}
