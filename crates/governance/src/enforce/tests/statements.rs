//! Questions run; everything else is refused. Limits hold.

use super::*;

#[tokio::test]
async fn only_questions_are_allowed() {
    let session = customers(&[(&[], None)]);
    let file = std::env::temp_dir().join("medallion_governed_copy.csv");
    let copy = format!("copy silver.crm_customers to '{}' stored as csv", file.display());
    for sql in [
        copy.as_str(),
        "insert into silver.crm_customers values (9, 'x', 'SP', '1', 1.0)",
        "update silver.crm_customers set uf = 'SP'",
        "delete from silver.crm_customers",
        "truncate table silver.crm_customers",
        "create table gold.copy as select * from silver.crm_customers",
        "create view v as select 1",
        "create schema silver2",
        "create external table e stored as csv location '/etc/passwd'",
        "drop table silver.crm_customers",
        "set datafusion.catalog.information_schema = false",
        "reset datafusion.catalog.information_schema",
        "prepare p as select 1",
        "execute p",
        "begin",
        "explain insert into silver.crm_customers select * from silver.crm_customers",
        "explain analyze drop table silver.crm_customers",
        "select * into gold.copy from silver.crm_customers",
        "show all",
    ] {
        let refused = error(&session, sql).await;
        assert!(matches!(refused, QueryError::NotAllowed { .. }), "{sql}: {refused:?}");
        assert!(!refused.to_string().contains("crm_customers"), "{refused}");
    }
    assert!(!file.exists());
    let several = error(&session, "select 1; drop table silver.crm_customers").await;
    assert!(matches!(several, QueryError::Invalid { .. }), "{several:?}");
    let file = error(&session, "select * from '/etc/passwd'").await;
    assert!(matches!(file, QueryError::TableNotFound { .. }), "{file:?}");
    assert_eq!(rows(&session, "select count(*) from silver.crm_customers").await, ["5"]);
}

#[tokio::test]
async fn explanations_show_neither_filters_nor_hidden_columns() {
    let session = customers(&[
        (&["id", "note"], Some("uf = 'SP'")),
        (&["id"], Some("cpf_number like 'c%' and amount > 1.23")),
    ]);
    for explain in ["explain", "explain verbose", "explain analyze", "explain format tree"] {
        let sql =
            format!("{explain} select note, count(*) from silver.crm_customers group by note");
        let text = rows(&session, &sql).await.join("\n");
        for hidden in ["uf", "SP", "cpf_number", "amount", "1.23", "CASE", "LIKE", "DataSource"] {
            assert!(!text.contains(hidden), "{explain} shows {hidden}: {text}");
        }
        assert!(text.contains("GovernedExec"), "{text}");
    }
}

#[tokio::test]
async fn a_result_above_the_limit_is_refused() {
    let limits = Limits { result: 1000, ..Limits::default() };
    let session = session(vec![], vec![], limits);
    let refused = error(&session, "select * from generate_series(1, 10000)").await;
    assert!(matches!(refused, QueryError::ResultTooLarge { limit: 1000 }), "{refused:?}");
    assert_eq!(rows(&session, "select 1").await, ["1"]);
}

#[tokio::test]
async fn a_sort_above_the_memory_limit_is_refused_and_does_not_spill() {
    let limits = Limits { memory: 100_000, ..Limits::default() };
    let session = session(vec![], vec![], limits);
    let sql = "select value from generate_series(1, 1000000) order by -value";
    let refused = error(&session, sql).await;
    assert!(matches!(refused, QueryError::OutOfMemory { limit: 100_000 }), "{refused:?}");
    assert!(!session.context().runtime_env().disk_manager.tmp_files_enabled());
}
