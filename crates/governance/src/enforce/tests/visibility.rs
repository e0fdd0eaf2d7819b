//! What exists for whom: rows, columns, cells, tables.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};

use super::*;

const NOT_CPF: &[&str] = &["id", "uf", "note", "amount"];

#[tokio::test]
async fn rows_of_any_grant_are_returned_and_null_matches_no_filter() {
    let session = customers(&[(NOT_CPF, Some("uf = 'SP'")), (NOT_CPF, Some("uf = 'RJ'"))]);
    let sql = "select id, uf from silver.crm_customers order by id";
    assert_eq!(rows(&session, sql).await, ["2|SP", "3|RJ", "5|SP"]);

    let others = customers(&[(NOT_CPF, Some("not uf = 'SP'"))]);
    assert_eq!(rows(&others, sql).await, ["1|MG", "3|RJ"]);
    let unknown = customers(&[(NOT_CPF, Some("uf is null"))]);
    assert_eq!(rows(&unknown, sql).await, ["4|NULL"]);
}

#[tokio::test]
async fn two_filters_show_the_union_of_their_cells() {
    let session = customers(&[
        (&["id", "note"], Some("uf = 'SP'")),
        (&["id", "cpf_number"], Some("id >= 4 or uf = 'RJ'")),
    ]);
    assert_eq!(
        rows(&session, "select * from silver.crm_customers order by id").await,
        ["2|NULL|20", "3|c3|NULL", "4|c4|NULL", "5|c5|50"]
    );
    // A masked cell is NULL to predicates and aggregates too.
    let sql = "select count(*), count(note), count(cpf_number) from silver.crm_customers";
    assert_eq!(rows(&session, sql).await, ["4|2|3"]);
    let sql = "select id from silver.crm_customers where cpf_number = 'c2' or note = '30'";
    assert_eq!(rows(&session, sql).await, Vec::<String>::new());
    let (schema, _) = session.query("select note from silver.crm_customers").await.unwrap();
    assert!(schema.field(0).is_nullable());
}

#[tokio::test]
async fn a_plain_grant_returns_every_row_but_masks_the_columns_of_the_filtered_one() {
    let session = customers(&[(&["id"], None), (&["cpf_number"], Some("uf = 'SP'"))]);
    assert_eq!(
        rows(&session, "select * from silver.crm_customers order by id").await,
        ["1|NULL", "2|c2", "3|NULL", "4|NULL", "5|c5"]
    );
}

#[tokio::test]
async fn a_filter_may_read_columns_that_stay_hidden() {
    let session = customers(&[(&["id"], Some("uf = 'SP' and amount > 2.00"))]);
    assert_eq!(rows(&session, "select * from silver.crm_customers").await, ["5"]);
    let refused = error(&session, "select uf from silver.crm_customers").await;
    assert!(matches!(refused, QueryError::ColumnNotFound { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_forbidden_column_cannot_be_resolved_anywhere() {
    let session = customers(&[(NOT_CPF, None)]);
    for sql in [
        "select cpf_number from silver.crm_customers",
        "select c.cpf_number from silver.crm_customers c",
        "select \"cpf_number\" from silver.crm_customers",
        "select id from silver.crm_customers where cpf_number = 'c1'",
        "select id from silver.crm_customers order by cpf_number",
        "select count(*) from silver.crm_customers group by cpf_number",
        "select count(*) from silver.crm_customers having max(cpf_number) > 'c'",
        "select a.id from silver.crm_customers a join silver.crm_customers b on a.cpf_number = b.id",
        "select 1 from silver.crm_customers a join silver.crm_customers b using (cpf_number)",
        "select row_number() over (order by cpf_number) from silver.crm_customers",
        "select id from (select * from silver.crm_customers) where cpf_number is null",
        "with c as (select * from silver.crm_customers) select cpf_number from c",
        "select id from silver.crm_customers a where exists (select 1 where a.cpf_number = 'c1')",
        "explain select cpf_number from silver.crm_customers",
    ] {
        let hidden = error(&session, sql).await;
        let absent = error(&session, &sql.replace("cpf_number", "nosuchthing")).await;
        assert_eq!(hidden.to_string().replace("cpf_number", "nosuchthing"), absent.to_string());
        assert!(matches!(hidden, QueryError::ColumnNotFound { .. }), "{sql}: {hidden:?}");
    }
    let text = error(&session, "select cpf_number from silver.crm_customers").await.to_string();
    assert_eq!(
        text,
        "COLUMN_NOT_FOUND: Column 'cpf_number' cannot be resolved or requester is not authorized \
         to access requested resources"
    );
}

#[tokio::test]
async fn catalogue_questions_name_visible_things_only() {
    let session = customers(&[(NOT_CPF, Some("uf = 'SP'"))]);
    for sql in [
        "select * from silver.crm_customers",
        "describe silver.crm_customers",
        "show columns from silver.crm_customers",
        "select * from information_schema.columns",
        "select table_name, table_schema from information_schema.tables",
        "select * from information_schema.schemata",
        "select * from information_schema.views",
        "show tables",
    ] {
        let (schema, batches) = session.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        let text = format!("{schema:?}{:?}", lines(&batches));
        for hidden in ["cpf_number", "consents", "quarantine"] {
            assert!(!text.contains(hidden), "{sql}: {text}");
        }
        assert!(text.contains("crm_customers") || text.contains("note") || sql.contains("schema."));
    }
    let columns = "select column_name from information_schema.columns \
                   where table_schema = 'silver' order by ordinal_position";
    assert_eq!(rows(&session, columns).await, NOT_CPF);
    let described = rows(&session, "describe silver.crm_customers").await;
    assert_eq!(described.len(), NOT_CPF.len(), "{described:?}");
}

#[tokio::test]
async fn a_hidden_table_is_reported_like_an_absent_one() {
    let session = customers(&[(NOT_CPF, None)]);
    for (sql, table) in [
        ("select * from silver.crm_consents", "silver.crm_consents"),
        ("select * from silver.nothing", "silver.nothing"),
        ("select * from quarantine.crm_customers", "quarantine.crm_customers"),
        ("select * from nowhere.crm_customers", "nowhere.crm_customers"),
        ("select * from crm_consents", "gold.crm_consents"),
        ("describe silver.crm_consents", "silver.crm_consents"),
        ("show columns from silver.crm_consents", "silver.crm_consents"),
        ("explain select * from silver.crm_consents", "silver.crm_consents"),
        ("select (select max(id) from silver.crm_consents)", "silver.crm_consents"),
        ("with c as (select * from silver.crm_consents) select 1 from c", "silver.crm_consents"),
    ] {
        let refused = error(&session, sql).await;
        assert_eq!(
            refused.to_string(),
            format!("TABLE_NOT_FOUND: Table 'awsdatacatalog.{table}' does not exist"),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn near_misses_reveal_no_hidden_name() {
    let session = customers(&[(NOT_CPF, Some("uf = 'SP'"))]);
    for sql in [
        "select cpf_numbe from silver.crm_customers",
        "select c.cpf from silver.crm_customers c",
        "select * exclude (cpf_numbr) from silver.crm_customers",
        "select id from silver.crm_consent",
        "select id from silver.crm_customers group by note",
        "select cpf_numbe(id) from silver.crm_customers",
        "select id from silver.crm_customers union select id, note from silver.crm_customers",
        "select id + note + uf from silver.crm_customers where id = 'x' and nope(1)",
        "select from where",
    ] {
        let text = everything(&error(&session, sql).await);
        for hidden in ["cpf_number", "crm_consents", "quarantine", "SP"] {
            assert!(!text.contains(hidden), "{sql}: {text}");
        }
    }
}

#[tokio::test]
async fn layers_are_schemas_and_gold_is_the_default_one() {
    let batch = |name: &str| {
        let column: ArrayRef = Arc::new(StringArray::from(vec![name]));
        memory(RecordBatch::try_from_iter([("Op", column)]).unwrap())
    };
    let facts = |layer| table(layer, "t", &[("Op", LakeType::String)]);
    let session = session(
        vec![grant(Layer::Gold, "t", &[], None), grant(Layer::Bronze, "t", &["op"], None)],
        vec![(facts(Layer::Gold), batch("gold")), (facts(Layer::Bronze), batch("bronze"))],
        Limits::default(),
    );
    assert_eq!(rows(&session, "select OP from t").await, ["gold"]);
    assert_eq!(rows(&session, "select op from awsdatacatalog.bronze.t").await, ["bronze"]);
    assert_eq!(
        rows(&session, "select a.op, b.op from gold.t a cross join bronze.t b").await,
        ["gold|bronze"]
    );
}

#[tokio::test]
async fn a_filter_over_a_column_that_the_table_lacks_builds_no_session() {
    let mut facts = customers_facts();
    facts.columns.push(CatalogueColumn { name: "later".to_owned(), ..facts.columns[2].clone() });
    let build = |rows| {
        let policy = policy(vec![grant(Layer::Silver, "crm_customers", &["id", "later"], rows)]);
        let access = table_access(&policy, &ops(), &facts);
        let table = (facts.clone(), access, memory(customers_batch()));
        governed_session(vec![table], Limits::default())
    };
    let refused = build(Some("later = 'x'")).unwrap_err();
    assert!(refused.to_string().contains("no column `later`"), "{refused}");
    // A granted column that is not there yet does not exist, as in Glue.
    let session = build(None).unwrap();
    assert_eq!(rows(&session, "select * from silver.crm_customers limit 1").await, ["1"]);
}
