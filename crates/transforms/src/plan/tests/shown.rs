//! The plan as people and other engines see it.

use serde_json::json;

use super::*;

fn busy() -> World {
    let mut world = World::new();
    world.put(10, &load(1), "l1");
    world.change(20);
    world.change(hours(60));
    world.step();
    world.change(hours(61));
    world.put(hours(61), &changes(hours(59)), "late");
    world.change(hours(62));
    world.put(5, &changes(5), "old");
    world.put(hours(61), "bronze/crm/customers/notes.txt", "x");
    world.options.batch_bytes = 20;
    world.applied.base = Some(812);
    world
}

#[test]
fn people_see_what_is_applied_and_what_is_not() {
    let expected = "\
silver plan for crm.customers
  mode           merge: the generation goes on
  base snapshot  812
  generation     1 since 2026-01-02T00:00:10Z, 1 LOAD file
  watermark      bronze/crm/customers/2026/01/04/20260104-120000000.parquet
  sequence       20260104120000000000000000000000001
  look-back      from 2026-01-02T12:00:00Z
  to apply       2 files, 20 B
    changes  bronze/crm/customers/2026/01/04/20260104-110000000.parquet  10 B  late
    changes  bronze/crm/customers/2026/01/04/20260104-130000000.parquet  10 B
  left           1 file for further batches
  ignored        3 applied, 1 of an earlier generation, 1 not named as Bronze files are
";
    assert_eq!(busy().plan().to_string(), expected);
}

#[test]
fn people_see_why_a_table_waits() {
    let mut world = busy();
    world.put(hours(63), &load(1), "m1");
    let text = world.plan().to_string();
    let expected = [
        "mode           replace: a new full load: `bronze/crm/customers/LOAD00000001.parquet` has \
         another content than was applied",
        "generation     2 since 2026-01-04T15:00:00Z, 1 LOAD file",
        "look-back      everything",
        "to apply       none, 0 B",
        "left           1 file for further batches",
        "waiting        nothing is applied until 2026-01-04T15:05:00Z, unless a change file \
         follows the newest LOAD file of 2026-01-04T15:00:00Z",
    ];
    for line in expected {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn an_engine_gets_everything_that_it_needs() {
    let plan = busy().plan();
    let file = |second: i64, etag: &str, late: bool| json!({"key": changes(second), "etag": etag, "size": 10, "kind": "changes", "late": late});
    let known = |second: i64| json!({"key": changes(second), "etag": format!("c{second}"), "size": 10, "max_seq": seq(second)});
    let expected = json!({
        "version": 1,
        "table": "crm.customers",
        "base": 812,
        "mode": "merge",
        "reason": "the generation goes on",
        "generation": {"number": 1, "since": "2026-01-02T00:00:10Z", "loads": 1},
        "watermark": changes(hours(60)),
        "watermark_seq": seq(hours(60)),
        "look_back": "2026-01-02T12:00:00Z",
        "batch_id": plan.batch_id(),
        "files": [
            file(hours(59), "late", true),
            file(hours(61), &format!("c{}", hours(61)), false),
        ],
        "left": 1,
        "ignored": {
            "applied": 3, "earlier_generation": 1, "before_look_back": 0, "no_bronze_key": 1
        },
        "waiting": null,
        "applied": [known(20), known(hours(60))],
    });
    assert_eq!(plan.to_json(), expected);
}
