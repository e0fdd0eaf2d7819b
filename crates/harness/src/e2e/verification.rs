//! All checks, one after the other; nothing stops at the first difference.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::rows_by_table;
use super::source::Source;
use crate::failure::HarnessError;
use crate::report::Report;
use crate::stack::Stack;
use crate::verify::access::{AccessCheck, Expected, unlisted};
use crate::verify::{
    Difference, Verdict, VerifyError, bronze, gold, plausible, quarantine, silver,
};
use crate::workload::expected;

pub(super) async fn everything(
    stack: &Stack,
    conn: &mut Conn,
    source: &Source,
    written: &[(String, u64)],
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    for statement in expected::create_sql(&stack.lake.tables, &source.poisoned) {
        conn.query_drop(statement).await.map_err(|source| VerifyError::MySql {
            what: "the expected state".to_owned(),
            source,
        })?;
    }
    let mut all = Vec::new();
    let mut done = |name: &str, verdict: Verdict, about: &str, report: &mut Report| {
        let result = match verdict.differences.len() {
            0 => format!("{} values equal: {about}", verdict.values),
            n => format!("{n} DIFFERENCES: {about}"),
        };
        report.step(name, verdict.rows, 0, &result);
        all.extend(verdict.differences);
    };
    let verdict = bronze::verify(stack.warehouse.bucket(), written).await?;
    done("verify Bronze", verdict, "every acknowledged file is there", report);
    done("verify Silver", silver_tables(stack, conn, source).await?, "MySQL row by row", report);
    let (verdict, about) = gold_tables(stack, conn, source).await?;
    done("verify Gold", verdict, &about, report);
    let (verdict, groups) = access(stack, conn, source, written).await?;
    done("verify access", verdict, &format!("{groups} personas see what they must"), report);
    Ok(all)
}

async fn silver_tables(
    stack: &Stack,
    conn: &mut Conn,
    source: &Source,
) -> Result<Verdict, HarnessError> {
    let (lake, warehouse) = (&stack.lake, &stack.warehouse);
    let mut verdict = Verdict::default();
    for contract in &lake.tables {
        verdict.add(silver::verify(lake, contract, warehouse, conn).await?);
        verdict.add(quarantine::verify(lake, contract, warehouse, &source.poisoned).await?);
    }
    Ok(verdict)
}

/// Every model against MySQL, and what MySQL cannot know against what can be.
async fn gold_tables(
    stack: &Stack,
    conn: &mut Conn,
    source: &Source,
) -> Result<(Verdict, String), HarnessError> {
    let (lake, warehouse) = (&stack.lake, &stack.warehouse);
    let oracle = stack.paths.fixtures.join("oracle");
    let mut verdict = plausible::verify(lake, warehouse, &source.facts).await?;
    let mut skipped = Vec::new();
    for model in &lake.models {
        match gold::verify(lake, model, &oracle, warehouse, &source.facts, conn).await? {
            Some(compared) => verdict.add(compared),
            None => skipped.push(model.name.to_string()),
        }
    }
    let about = match skipped.is_empty() {
        true => "the same questions asked of MySQL".to_owned(),
        false => format!("asked of MySQL; SKIPPED for want of a journal: {}", skipped.join(", ")),
    };
    Ok((verdict, about))
}

async fn access(
    stack: &Stack,
    conn: &mut Conn,
    source: &Source,
    written: &[(String, u64)],
) -> Result<(Verdict, usize), HarnessError> {
    let expected = Expected::read(&stack.paths.fixtures)?;
    let bronze_rows = rows_by_table(written, stack);
    let check = AccessCheck {
        lake: &stack.lake,
        warehouse: &stack.warehouse,
        fixtures: &stack.paths.fixtures,
        bronze_rows: &bronze_rows,
        facts: &source.facts,
    };
    let mut verdict = unlisted(&expected, &stack.lake.policy);
    for group in &expected.group {
        verdict.add(check.verify(group, conn).await?);
    }
    Ok((verdict, expected.group.len()))
}
