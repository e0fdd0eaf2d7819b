use std::collections::BTreeSet;

use medallion_definition::contract::Sensitivity;
use medallion_definition::name::Layer;
use medallion_definition::policy::{Group, TableSelection};
use medallion_definition::types::LakeType;

use super::*;

fn customers() -> CatalogueTable {
    let column = |name: &str, lake_type, sensitivity| CatalogueColumn {
        name: name.to_owned(),
        lake_type,
        sensitivity,
        nullable: true,
        description: String::new(),
    };
    CatalogueTable {
        layer: Layer::Silver,
        name: "crm_customers".to_owned(),
        columns: vec![
            column("id", LakeType::Long, Sensitivity::Internal),
            column("cpf", LakeType::String, Sensitivity::Personal),
            column("uf", LakeType::String, Sensitivity::Public),
            column("born", LakeType::Date, Sensitivity::Personal),
        ],
    }
}

fn grant(name: &str, columns: ColumnSelection, rows: Option<&str>, line: usize) -> Grant {
    Grant {
        name: name.parse().unwrap(),
        to: "ops".parse().unwrap(),
        tables: TableSelection::Table(Layer::Silver, "crm_customers".to_owned()),
        columns,
        rows: rows.map(|r| r.parse().unwrap()),
        place: ("policy.toml".to_owned(), line),
    }
}

fn named(names: &[&str]) -> ColumnSelection {
    ColumnSelection::Named(names.iter().map(|n| n.parse().unwrap()).collect())
}

fn policy(grants: Vec<Grant>) -> Policy {
    let group = Group { name: "ops".parse().unwrap(), description: String::new() };
    Policy { groups: vec![group], grants }
}

fn ops() -> Vec<GroupName> {
    vec!["ops".parse().unwrap()]
}

/// Rows first, then one text per column.
fn shape(grants: Vec<Grant>) -> Vec<String> {
    match table_access(&policy(grants), &ops(), &customers()) {
        TableAccess::Hidden => vec!["hidden".to_owned()],
        TableAccess::Visible { rows, columns } => {
            let rows = match rows {
                RowAccess::All => "all".to_owned(),
                RowAccess::Filter(filter) => filter.to_string(),
            };
            let cell = |c: ColumnAccess| match c.shown_when {
                CellAccess::Always => c.name,
                CellAccess::When(filter) => format!("{} when {filter}", c.name),
            };
            std::iter::once(rows).chain(columns.into_iter().map(cell)).collect()
        }
    }
}

#[test]
fn without_a_grant_the_table_does_not_exist() {
    assert_eq!(shape(vec![]), ["hidden"]);
    let mut other = grant("g", ColumnSelection::All, None, 1);
    other.to = "marketing".parse().unwrap();
    assert_eq!(shape(vec![other]), ["hidden"]);
    let mut gold = grant("g", ColumnSelection::All, None, 1);
    gold.tables = TableSelection::Layer(Layer::Gold);
    assert_eq!(shape(vec![gold]), ["hidden"]);
}

#[test]
fn a_grant_without_columns_of_the_table_does_not_open_it() {
    assert_eq!(shape(vec![grant("g", named(&["nobody"]), None, 1)]), ["hidden"]);
    let none = ColumnSelection::Sensitivity(BTreeSet::new());
    let cpf = grant("h", named(&["cpf"]), Some("uf = 'SP'"), 2);
    assert_eq!(shape(vec![grant("g", none, None, 1), cpf]), ["uf = 'SP'", "cpf"]);
}

#[test]
fn two_filters_give_a_union_of_cells_and_not_of_rows_times_columns() {
    let grants = vec![
        grant("a", named(&["id", "uf"]), Some("uf = 'SP'"), 1),
        grant("b", named(&["id", "cpf"]), Some("uf = 'RJ'"), 2),
    ];
    assert_eq!(
        shape(grants),
        ["uf = 'SP' OR uf = 'RJ'", "id", "cpf when uf = 'RJ'", "uf when uf = 'SP'"]
    );
}

#[test]
fn a_plain_grant_outweighs_filters_for_its_own_columns_only() {
    let grants = vec![
        grant("a", named(&["uf"]), None, 1),
        grant("b", ColumnSelection::Excluding(vec!["born".parse().unwrap()]), Some("id = 1"), 2),
    ];
    assert_eq!(shape(grants), ["all", "id when id = 1", "cpf when id = 1", "uf"]);
}

#[test]
fn sensitivities_select_columns_as_tags_do() {
    let columns = ColumnSelection::Sensitivity(
        [Sensitivity::Public, Sensitivity::Internal].into_iter().collect(),
    );
    assert_eq!(shape(vec![grant("a", columns, None, 1)]), ["all", "id", "uf"]);
}

#[test]
fn a_filter_that_does_not_fit_the_table_opens_nothing() {
    for rows in ["born is null", "nobody = 1", "uf = 1"] {
        assert_eq!(
            shape(vec![grant("a", ColumnSelection::All, Some(rows), 1)]),
            ["hidden"],
            "{rows}"
        );
    }
}

#[test]
fn several_groups_add_up() {
    let mut marketing = grant("m", named(&["uf"]), Some("id = 2"), 1);
    marketing.to = "marketing".parse().unwrap();
    let policy = policy(vec![grant("a", named(&["id"]), Some("id = 1"), 2), marketing]);
    let groups = ["ops".parse().unwrap(), "marketing".parse().unwrap()];
    let TableAccess::Visible { rows: RowAccess::Filter(rows), columns } =
        table_access(&policy, &groups, &customers())
    else {
        panic!("both grants are filtered");
    };
    assert_eq!((rows.to_string().as_str(), columns.len()), ("id = 1 OR id = 2", 2));
}

#[test]
fn explain_names_every_grant_with_its_place() {
    let policy = policy(vec![
        grant("a", named(&["id", "uf"]), Some("uf = 'SP'"), 11),
        grant("b", named(&["id", "cpf"]), Some("uf = 'RJ'"), 22),
        grant("c", ColumnSelection::All, Some("born is null"), 33),
    ]);
    let text = explain(&policy, &ops(), &customers(), "cpf");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "silver.crm_customers.cpf: shown where uf = 'RJ', elsewhere NULL, to ops");
    assert!(
        lines[1].contains("does not contain the column") && lines[1].contains("policy.toml:11")
    );
    assert!(lines[2].contains("opened where uf = 'RJ' by grant `b`") && lines[2].contains(":22"));
    assert!(lines[3].contains("does not fit the table") && lines[3].contains(":33"));

    let nobody = ["nobody".parse().unwrap()];
    let text = explain(&policy, &nobody, &customers(), "cpf");
    assert!(
        text.contains("no group `nobody`") && text.contains("hidden: the table does not exist")
    );
}
