//! Random models over two small tables: groups, joins, subqueries, windows, unions.

use medallion_definition::lake::SourceFile;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The contracts of the two tables that generated models read.
const PEOPLE: &str = r#"
version = 1
table = "crm.people"
description = "people"
key = ["id"]
buckets = 2
engine = "native"
column = [
    { name = "id", type = "bigint", nullable = false, sensitivity = "internal", description = "key" },
    { name = "region", type = "varchar(2)", nullable = true, sensitivity = "public", description = "where" },
    { name = "kind", type = "varchar(2)", nullable = true, sensitivity = "public", description = "what" },
    { name = "boss", type = "bigint", nullable = true, sensitivity = "internal", description = "another" },
    { name = "amount", type = "decimal(10,2)", nullable = true, sensitivity = "internal", description = "money" },
    { name = "noise", type = "int", nullable = true, sensitivity = "internal", description = "nothing reads it" },
]
"#;
const ORDERS: &str = r#"
version = 1
table = "crm.orders"
description = "orders"
key = ["person_id", "seq"]
buckets = 1
engine = "native"
column = [
    { name = "person_id", type = "bigint", nullable = false, sensitivity = "internal", description = "whose" },
    { name = "seq", type = "int", nullable = false, sensitivity = "internal", description = "which" },
    { name = "kind", type = "varchar(2)", nullable = true, sensitivity = "public", description = "what" },
    { name = "amount", type = "decimal(10,2)", nullable = true, sensitivity = "internal", description = "money" },
    { name = "noise", type = "int", nullable = true, sensitivity = "internal", description = "nothing reads it" },
]
"#;

/// A lake of the two tables with so many random models.
pub(super) fn lake(name: &str, models: usize, random: &mut ChaCha8Rng) -> Vec<SourceFile> {
    let head = format!("version = 1\nname = \"{name}\"\ndescription = \"random models\"\n");
    let mut files = vec![
        ("lake.toml".to_owned(), head),
        ("tables/people.toml".to_owned(), PEOPLE.to_owned()),
        ("tables/orders.toml".to_owned(), ORDERS.to_owned()),
        ("policy.toml".to_owned(), "version = 1\n".to_owned()),
    ];
    let mut types = Vec::new();
    for number in 0..models {
        let (key_type, sql) = model(random);
        files.push((format!("models/m{number}.sql"), with_header(key_type, &sql)));
        types.push(key_type);
    }
    files.push(("models/both.sql".to_owned(), of_both(random)));
    files.push(("models/lossy.sql".to_owned(), lossy()));
    // One that reads another, whatever that is: all have `k` and `n`.
    let reads = random.random_range(0..models.max(1));
    let key_type = types.get(reads).copied().unwrap_or("string");
    let sql = format!(
        "select m.k, m.n + 1 as n, cast(null as decimal(10,2)) as total \
                       from gold.m{reads} m where m.n > 0"
    );
    files.push((format!("models/m{models}.sql"), with_header(key_type, &sql)));
    files.into_iter().map(|(path, text)| SourceFile { path, text }).collect()
}

/// A model whose key is a column of each of the two tables.
fn of_both(random: &mut ChaCha8Rng) -> String {
    let on = one(&["", " and o.amount < p.amount"], random);
    let sql = format!(
        "select p.region as k, o.kind as kind, count(*) as n, sum(o.amount) as total \
         from silver.crm_people p join silver.crm_orders o on o.person_id = p.id{on} \
         where p.region is not null and o.kind is not null group by p.region, o.kind"
    );
    let kind = "    { name = \"kind\", type = \"string\", nullable = false, sensitivity = \"internal\" },\n";
    with_header("string", &sql).replace("[\"k\"]", "[\"k\", \"kind\"]").replacen(
        "    { name = \"n\"",
        &format!("{kind}    {{ name = \"n\""),
        1,
    )
}

/// A model in whose key several values of the input become one.
fn lossy() -> String {
    let sql = "select p.amount as k, p.id as kind, 1 as n, p.amount as total \
               from silver.crm_people p where p.amount is not null";
    let kind =
        "    { name = \"kind\", type = \"long\", nullable = false, sensitivity = \"internal\" },\n";
    with_header("long", sql).replace("grain = [\"k\"]", "grain = [\"k\", \"kind\"]").replacen(
        "    { name = \"n\"",
        &format!("{kind}    {{ name = \"n\""),
        1,
    )
}

fn with_header(key_type: &str, sql: &str) -> String {
    format!(
        r#"/*---
description = "random"
owner = "nobody"
grain = ["k"]
materialisation = {{ incremental = ["k"] }}
column = [
    {{ name = "k", type = "{key_type}", nullable = false, sensitivity = "internal" }},
    {{ name = "n", type = "long", sensitivity = "internal" }},
    {{ name = "total", type = "decimal(20,2)", sensitivity = "internal" }},
]
---*/
{sql}
"#
    )
}

fn one<'a>(of: &[&'a str], random: &mut ChaCha8Rng) -> &'a str {
    of[random.random_range(0..of.len())]
}

fn people_filter(alias: &str, random: &mut ChaCha8Rng) -> String {
    match random.random_range(0..7) {
        0 => String::new(),
        1 => format!(" where {alias}.region = 'SP'"),
        2 => format!(" where {alias}.amount > 3"),
        3 => format!(" where {alias}.kind is not null"),
        4 => format!(
            " where {alias}.id in (select o.person_id from silver.crm_orders o where o.kind = 'a')"
        ),
        5 => format!(
            " where not exists (select 1 from silver.crm_orders o where o.person_id = {alias}.id and o.amount > 5)"
        ),
        _ => format!(
            " where {alias}.amount > (select avg(o.amount) from silver.crm_orders o where o.person_id = {alias}.id)"
        ),
    }
}

/// The type of the key and the query, in which the key is never NULL.
fn model(random: &mut ChaCha8Rng) -> (&'static str, String) {
    let sql = match random.random_range(0..11) {
        shape @ 0..5 => grouped(shape, random),
        shape => nested(shape, random),
    };
    let of_people = ["p.id as k", "person_id as k"].iter().any(|key| sql.contains(key));
    (if of_people { "long" } else { "string" }, sql)
}

/// Groups, joins, windows and unions.
fn grouped(shape: u8, random: &mut ChaCha8Rng) -> String {
    match shape {
        0 => {
            let group = one(&["region", "kind"], random);
            let filter = people_filter("p", random);
            let and = if filter.is_empty() { "where" } else { "and" };
            let having = one(&["", " having count(*) > 1", " having sum(p.amount) > 4"], random);
            format!(
                "select p.{group} as k, count(*) as n, sum(p.amount) as total \
                 from silver.crm_people p{filter} {and} p.{group} is not null group by p.{group}{having}"
            )
        }
        1 => {
            let filter = people_filter("p", random);
            let join = one(&["left join", "join"], random);
            let kind = one(&["", " where kind = 'a'", " where amount is not null"], random);
            format!(
                "select p.id as k, coalesce(o.n, 0) as n, o.total \
                 from silver.crm_people p {join} (select person_id, count(*) as n, sum(amount) as total \
                 from silver.crm_orders{kind} group by person_id) o on o.person_id = p.id{filter}"
            )
        }
        2 => {
            let group = one(&["p.region", "o.kind", "p.kind"], random);
            let on = one(&["", " and o.amount < p.amount", " and o.kind = p.kind"], random);
            format!(
                "select {group} as k, count(*) as n, max(o.amount) as total from silver.crm_people p \
                 join silver.crm_orders o on o.person_id = p.id{on} where {group} is not null group by {group}"
            )
        }
        3 => {
            let order = one(&["seq", "amount desc nulls last, seq"], random);
            format!(
                "select o.person_id as k, cast(o.seq as bigint) as n, o.amount as total from \
                 (select person_id, seq, amount, row_number() over (partition by person_id order by {order}) as place \
                 from silver.crm_orders) o where o.place = 1"
            )
        }
        _ => "select u.k, sum(u.n) as n, sum(u.total) as total from (\
              select region as k, 1 as n, amount as total from silver.crm_people where region is not null \
              union all select kind, 10, amount from silver.crm_orders where kind is not null) u group by u.k"
            .to_owned(),
    }
}

/// Subqueries within others, and tables that are joined with themselves.
fn nested(shape: u8, random: &mut ChaCha8Rng) -> String {
    match shape {
        5 => "with distinct_kinds as (select distinct person_id, kind from silver.crm_orders) \
              select d.person_id as k, count(d.kind) as n, cast(null as decimal(10,2)) as total \
              from distinct_kinds d group by d.person_id"
            .to_owned(),
        6 => "select p.id as k, count(b.id) as n, sum(b.amount) as total from silver.crm_people p \
              left join silver.crm_people b on b.boss = p.id group by p.id"
            .to_owned(),
        7 => {
            let filter = people_filter("p", random);
            format!(
                "with busy as (select person_id, count(*) as n from silver.crm_orders group by person_id having count(*) > 1) \
                 select p.id as k, b.n, case when p.region = 'SP' then p.amount end as total \
                 from silver.crm_people p left join busy b on b.person_id = p.id{filter}"
            )
        }
        8 => "select p.region as k, count(distinct o.kind) as n, sum(o.amount) as total from silver.crm_people p \
              left join silver.crm_orders o on o.person_id = p.id and o.kind <> 'b' \
              where p.region is not null group by p.region"
            .to_owned(),
        9 => "select p.id as k, cast(null as bigint) as n, o.amount as total from silver.crm_people p \
              left join (select kind, max(amount) as amount from silver.crm_orders group by kind) o \
              on p.kind is not distinct from o.kind"
            .to_owned(),
        _ => "select p.id as k, count(*) over (partition by p.id) as n, p.amount as total \
              from silver.crm_people p join silver.crm_people b on p.boss = b.id \
              where b.kind in (select kind from silver.crm_orders where seq < 20)"
            .to_owned(),
    }
}
