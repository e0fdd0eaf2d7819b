//! Snippets with the rule and the line that they raise, the shipped models, and the document.

use std::fs;
use std::path::Path;

use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::model::{GoldModel, Materialisation, ModelColumn, Partitioning};
use medallion_definition::types::LakeType;

use super::{RULES, Rule, allowed, findings};

fn files(folder: &Path, found: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("models/tests") {
            // Unit tests of models are no part of the definition.
        } else if path.is_dir() {
            files(&path, found);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            found.push(SourceFile { path: path.display().to_string(), text });
        }
    }
}

/// The lake in a folder.
pub(super) fn lake_of(folder: &Path) -> LakeDefinition {
    let mut found = Vec::new();
    files(folder, &mut found);
    LakeDefinition::read(&found).unwrap()
}

fn shipped() -> LakeDefinition {
    lake_of(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/lake")))
}

/// A model that declares no columns, whose query begins on line 10.
pub(super) fn model(name: &str, sql: &str) -> GoldModel {
    GoldModel {
        name: name.parse().unwrap(),
        description: String::new(),
        owner: String::new(),
        grain: Vec::new(),
        columns: Vec::new(),
        materialisation: Materialisation::default(),
        partitioning: Partitioning::default(),
        checks: Vec::new(),
        sql: sql.to_owned(),
        file: "models/case.sql".to_owned(),
        sql_line: 10,
    }
}

/// Rule and line of every finding, such as `order:12`.
async fn found(sql: &str) -> Vec<String> {
    let found = findings(&shipped(), &model("case", sql)).await;
    let short = |rule: &str| rule.trim_start_matches("portable/").to_owned();
    found.iter().map(|f| format!("{}:{}", short(f.rule.0), f.line)).collect()
}

/// One snippet per rule and more: the query, and what it raises, in full.
const SNIPPETS: &[(&str, &[&str])] = &[
    // What does not parse or plan.
    ("select id\nfrom silver.crm_customers )", &["plan:11"]),
    ("select 1 as a,\n  nobody\nfrom silver.crm_customers", &["plan:11"]),
    ("select id from silver.nothing", &["plan:10"]),
    ("select id from silver.crm_customers; select 1", &["plan:10", "statement:10"]),
    // Spelling.
    ("select\n  \"id\" from silver.crm_customers", &["identifier:11"]),
    ("select `id`\nfrom silver.crm_customers", &["identifier:10"]),
    ("select id as número from silver.crm_customers", &["identifier:10"]),
    ("select id as 'x' from silver.crm_customers", &["identifier:10"]),
    ("select semi.id from silver.crm_customers as semi", &["identifier:10"]),
    (
        "select 'it''s' as a,\n 'c:\\n' as b,\n '${x}' as c",
        &["literal:10", "literal:11", "literal:12"],
    ),
    ("select 1e3 as a,\n 10000000000000000000 as b, 'x' as c", &["literal:10", "literal:11"]),
    ("select x'00' as a", &["literal:10"]),
    ("select id /*+ broadcast */ from silver.crm_customers", &["comment:10"]),
    ("select id -- \\\n from silver.crm_customers", &["comment:10"]),
    ("select id::string as a from silver.crm_customers", &["operator:10"]),
    ("select id from silver.crm_customers where region == 'SP'", &["operator:10"]),
    ("select id,\nfrom silver.crm_customers", &["statement:10"]),
    // Structure.
    ("select id\nfrom silver.crm_customers\norder by id", &["order:12"]),
    ("select id\nfrom silver.crm_customers\nlimit 5", &["order:12"]),
    (
        "select t.id from (\n  select id from silver.crm_customers\n  order by id limit 5\n) t",
        &["order:12", "order:12"],
    ),
    ("select distinct on (region) region from silver.crm_customers", &["clause:10"]),
    (
        "select id from silver.crm_customers\nqualify row_number() over (order by id) = 1",
        &["clause:11"],
    ),
    (
        "select rank() over w as r from silver.crm_customers\nwindow w as (order by id)",
        &["window:10", "clause:11"],
    ),
    ("with recursive t as (select 1 as n) select n from t", &["clause:10"]),
    ("select * exclude (cpf) from silver.crm_customers", &["clause:10"]),
    ("select a.id from silver.crm_customers a, silver.crm_customers b", &["join:10"]),
    (
        "select a.seq from silver.crm_addresses a\njoin silver.crm_consents b using (customer_id)",
        &["join:11"],
    ),
    ("select a.seq from silver.crm_addresses a\nnatural join silver.crm_consents b", &["join:11"]),
    (
        "select a.id from silver.crm_customers a\nleft semi join silver.crm_consents b on b.customer_id = a.id",
        &["join:11"],
    ),
    ("select region from customers_by_region", &["table:10"]),
    ("select id from lake.silver.crm_customers", &["table:10"]),
    (
        "select id from silver.crm_customers\nexcept select customer_id from silver.crm_consents",
        &["set-operation:11"],
    ),
    ("select * from (values (1)) t (a)", &["statement:10"]),
    ("select region from silver.crm_customers group by 1", &["group-by:10"]),
    (
        "select region, count(*) as n from silver.crm_customers\ngroup by rollup(region)",
        &["group-by:11"],
    ),
    (
        "select upper(region) as region2, count(*) as n\nfrom silver.crm_customers\ngroup by region2",
        &["group-by:12"],
    ),
    // Subqueries.
    (
        "select id from silver.crm_customers\nwhere id not in (select customer_id from silver.crm_consents)",
        &["subquery:11"],
    ),
    (
        "select id,\n  exists (select 1 from silver.crm_consents) as x\nfrom silver.crm_customers",
        &["plan:10", "subquery:11"],
    ),
    (
        "select id,\n  (select k.source from silver.crm_consents k) as x\nfrom silver.crm_customers",
        &["subquery:11"],
    ),
    (
        "select c.id,\n  (select max(k.source) from silver.crm_consents k where k.customer_id = c.id) as x\nfrom silver.crm_customers c",
        &["subquery:11"],
    ),
    // Expressions.
    ("select id from silver.crm_customers where region ilike 's%'", &["expression:10"]),
    ("select id from silver.crm_customers where region similar to 's.'", &["expression:10"]),
    ("select birth_date + interval '1' day as d\nfrom silver.crm_customers", &["expression:10"]),
    ("select floor(credit_limit) as d from silver.crm_customers", &["expression:10"]),
    ("select loyalty_points & 1 as d from silver.crm_customers", &["operator:10"]),
    ("select try_cast(region as string) as d from silver.crm_customers", &["cast:10"]),
    ("select cast(region as varchar) as d from silver.crm_customers", &["type-name:10"]),
    (
        "select id from silver.crm_customers\nwhere created_at >= timestamp '2024-01-01 00:00:00'",
        &["literal:11"],
    ),
    (
        "select id from silver.crm_customers where birth_date = date '2024-1-5'",
        &["cast:10", "literal:10"],
    ),
    ("select id from silver.crm_customers\nwhere region like cpf", &["like:11"]),
    (
        "select id from silver.crm_customers\nwhere region like 'a!%' escape '!'",
        &["plan:10", "like:11"],
    ),
    // Functions.
    ("select concat(region, segment) as a\nfrom silver.crm_customers", &["function:10"]),
    ("select id,\n  now() as a from silver.crm_customers", &["not-deterministic:11"]),
    ("select id, current_date as a from silver.crm_customers", &["not-deterministic:10"]),
    ("select uuid() as a from silver.crm_customers", &["not-deterministic:10"]),
    ("select random() as a from silver.crm_customers", &["not-deterministic:10"]),
    ("select string_agg(region, ',') as a from silver.crm_customers", &["not-deterministic:10"]),
    ("select stddev(loyalty_points) as a from silver.crm_customers", &["float:10"]),
    ("select ltrim(region, 'S') as a from silver.crm_customers", &["function:10"]),
    ("select regexp_replace(region, 'S', '') as a from silver.crm_customers", &["function:10"]),
    (
        "select extract(dow from birth_date) as a from silver.crm_customers",
        &["argument:10", "function:10"],
    ),
    ("select strpos(region, 'S') as a from silver.crm_customers", &["function:10"]),
    ("select substring(region, 0, 1) as a from silver.crm_customers", &["argument:10"]),
    ("select replace(region, '', 'x') as a from silver.crm_customers", &["argument:10"]),
    ("select region || loyalty_points as a from silver.crm_customers", &["argument:10"]),
    ("select chr(233) as a from silver.crm_customers", &["argument:10"]),
    ("select count(distinct region, segment) as a from silver.crm_customers", &["function:10"]),
    ("select max(distinct region) as a from silver.crm_customers", &["function:10"]),
    ("select unix_micros(created_at) as a from silver.crm_customers", &["argument:10"]),
    ("select sum(score) as a from silver.crm_customers", &["float:10"]),
    ("select avg(credit_limit) as a from silver.crm_customers", &["argument:10"]),
    // Windows.
    (
        "select row_number() over (partition by region) as a\nfrom silver.crm_customers",
        &["window:10", "window-order:10"],
    ),
    (
        "select row_number() over (order by region nulls last) as a\nfrom silver.crm_customers",
        &["window-order:10"],
    ),
    (
        "select row_number() over (order by change_seq nulls last) as a\nfrom quarantine.crm_customers",
        &["window-order:10"],
    ),
    (
        "select id,\n  rank() over (order by cpf) as a\nfrom silver.crm_customers",
        &["nulls-order:11"],
    ),
    (
        "select sum(loyalty_points) over (order by id groups 1 preceding) as a\nfrom silver.crm_customers",
        &["window:10"],
    ),
    ("select count(distinct region) over () as a\nfrom silver.crm_customers", &["window:10"]),
    // Types.
    ("select loyalty_points / 2 as a\nfrom silver.crm_customers", &["int-division:10"]),
    ("select customer_since + 1 as a\nfrom silver.crm_customers", &["int-overflow:10"]),
    ("select credit_limit / 3 as a\nfrom silver.crm_customers", &["decimal-division:10"]),
    (
        "select cast(credit_limit / 3 as decimal(20, 8)) as a\nfrom silver.crm_customers",
        &["decimal-division:10"],
    ),
    (
        "select cast(credit_limit as decimal(30, 10)) * cast(credit_limit as decimal(20, 10)) as a\nfrom silver.crm_customers",
        &["decimal-precision:10"],
    ),
    (
        "select sum(cast(credit_limit as decimal(30, 2))) as a\nfrom silver.crm_customers",
        &["decimal-precision:10"],
    ),
    (
        "select cast(score as double) / loyalty_points as a\nfrom silver.crm_customers",
        &["double-division:10"],
    ),
    ("select score, count(*) as n from silver.crm_customers group by score", &["float:10"]),
    ("select distinct score\nfrom silver.crm_customers", &["float:10"]),
    ("select id from silver.crm_customers\nwhere score > 5", &["float:11"]),
    ("select -customer_since as a\nfrom silver.crm_customers", &["int-overflow:10"]),
    (
        "select extract(year from birth_date) * 100 + extract(month from birth_date) as a,\n  extract(year from birth_date) * 100000 as b\nfrom silver.crm_customers",
        &["int-overflow:11"],
    ),
    ("select score + 1 as a from silver.crm_customers", &["types:10"]),
    ("select id from silver.crm_customers\nwhere newsletter = 1", &["plan:10", "types:11"]),
    ("select id from silver.crm_customers\nwhere cpf = 5", &["types:11"]),
    ("select id from silver.crm_customers\nwhere birth_date > '2024-01-01'", &["types:11"]),
    ("select id from silver.crm_customers\nwhere created_at < updated_at", &["types:11"]),
    ("select coalesce(region, 5) as a from silver.crm_customers", &["types:10"]),
    (
        "select region as a from silver.crm_customers\nunion all select loyalty_points from silver.crm_customers",
        &["types:11"],
    ),
    ("select birth_date - last_purchase as a\nfrom silver.crm_customers", &["time:10"]),
    ("select date_trunc('month', created_at) as a\nfrom silver.crm_customers", &["time:10"]),
    ("select cast(score as decimal(10, 2)) as a\nfrom silver.crm_customers", &["cast:10"]),
    ("select cast(cpf as bigint) as a\nfrom silver.crm_customers", &["cast:10"]),
    ("select cast(created_at as string) as a\nfrom silver.crm_customers", &["cast:10"]),
    // Several at once, each on its line.
    (
        "select\n  now() as a,\n  loyalty_points / 2 as b,\n  concat(region, 'x') as c\nfrom silver.crm_customers\norder by 1",
        &["not-deterministic:11", "int-division:12", "function:13", "order:15"],
    ),
];

#[tokio::test]
async fn every_snippet_raises_its_rules_on_their_lines() {
    let mut wrong = Vec::new();
    for (sql, rules) in SNIPPETS {
        let found = found(sql).await;
        if found != *rules {
            wrong.push(format!("{sql}\n  raises {found:?}, not {rules:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_rule_has_a_snippet() {
    let raised: Vec<&str> = SNIPPETS
        .iter()
        .flat_map(|(_, rules)| rules.iter())
        .filter_map(|r| r.split_once(':').map(|(rule, _)| rule))
        .collect();
    for (rule, _) in RULES {
        let rule = rule.0.trim_start_matches("portable/");
        // Raised against declared columns, in a test of its own.
        assert!(rule == "column-type" || raised.contains(&rule), "no snippet raises {rule}");
    }
}

#[tokio::test]
async fn the_shipped_models_are_portable() {
    let lake = shipped();
    assert!(!lake.models.is_empty());
    for model in &lake.models {
        let found = findings(&lake, model).await;
        assert!(found.is_empty(), "{found}");
    }
}

#[tokio::test]
async fn declared_columns_hold_what_the_query_returns() {
    let lake = shipped();
    let column = |name: &str, lake_type: LakeType, line: usize| ModelColumn {
        name: name.parse().unwrap(),
        lake_type,
        line,
        ..lake.models[0].columns[0].clone()
    };
    let mut model =
        model("case", "select id, score, region, created_at, 1 as one\nfrom silver.crm_customers");
    model.columns = vec![
        column("id", LakeType::String, 2),
        column("score", LakeType::Decimal { precision: 10, scale: 2 }, 3),
        column("region", LakeType::Long, 4),
        column("created_at", LakeType::TimestampTz, 5),
        column("one", LakeType::Decimal { precision: 10, scale: 2 }, 6),
    ];
    let found = findings(&lake, &model).await;
    let lines: Vec<_> = found.iter().map(|f| (f.rule.0, f.line)).collect();
    assert_eq!(lines, [2, 3, 4, 5].map(|line| ("portable/column-type", line)));
}

/// Windows over joins and groups whose key can be told.
#[tokio::test]
async fn keys_are_told_through_joins_and_groups() {
    for sql in [
        "select row_number() over (partition by k.channel order by k.purpose, k.customer_id) as a\n\
         from silver.crm_consents k join silver.crm_customers c on c.id = k.customer_id",
        "select row_number() over (order by t.region nulls last) as a\n\
         from (select region, count(*) as n from silver.crm_customers group by region) t",
        "select lag(answers) over (partition by region, segment, channel order by purpose) as a\n\
         from gold.consent_coverage",
        "select last_value(granted) over (partition by customer_id, channel, purpose \
         order by _generation, _change_seq) as a\nfrom silver.crm_consents_history",
    ] {
        assert_eq!(found(sql).await, Vec::<String>::new(), "{sql}");
    }
}

#[tokio::test]
async fn findings_name_file_hint_and_no_more_than_the_query() {
    let found = findings(&shipped(), &model("case", "select now() as a")).await;
    let finding = found.iter().next().unwrap();
    assert_eq!(finding.file, "models/case.sql");
    assert!(!finding.hint.is_empty());
}

#[test]
fn the_document_holds_rules_and_functions() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/portable-sql.md");
    let document = fs::read_to_string(path).unwrap();
    let functions = allowed::functions_in_markdown();
    assert!(document.contains(&functions), "the table of functions should be:\n{functions}");
    let row = |(rule, about): &Rule| format!("| `{rule}` | {} |\n", about.replace('|', "\\|"));
    let rules: String = RULES.iter().map(row).collect();
    assert!(document.contains(&rules), "the table of rules should be:\n{rules}");
}
