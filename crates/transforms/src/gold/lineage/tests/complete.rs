//! Lineage names every source: what it does not name for a column can change without any effect on
//! that column. Shown by running queries, so that nothing of the walk has to be trusted.

use std::collections::BTreeSet;

use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::cases::CASES;
use super::worlds::{World, bag};
use super::{lake, model};
use crate::gold::lineage::{ColumnLineage, SourceColumn, lineage};

fn named(lineage: &ColumnLineage, column: usize, source: &SourceColumn) -> bool {
    lineage.columns[column].sources.contains(source) || lineage.rows.contains(source)
}

/// All sources that are not named for a column are drawn anew together.
async fn assert_unnamed_have_no_effect(lake: &LakeDefinition, model: &GoldModel, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let lineage = lineage(lake, model).await.unwrap();
    let world = World::new(lake, model, &mut rng);
    let before = world.run(model).await;
    for (i, column) in lineage.columns.iter().enumerate() {
        let mut changed = world.clone();
        for source in world.columns().iter().filter(|s| !named(&lineage, i, s)) {
            changed.redraw(lake, source, &mut rng);
        }
        let after = changed.run(model).await;
        assert!(
            bag(&before, &[i]) == bag(&after, &[i]),
            "seed {seed}: `{}` changes with a source that is not named\n{lineage}{}",
            column.name,
            model.sql
        );
    }
}

#[tokio::test]
async fn sources_that_are_not_named_have_no_effect_in_any_shape() {
    let lake = lake();
    for case in CASES {
        for seed in 0..2 {
            assert_unnamed_have_no_effect(&lake, &model(&[], case.sql), seed).await;
        }
    }
}

#[tokio::test]
async fn sources_that_are_not_named_have_no_effect_on_shipped_models() {
    let lake = lake();
    for model in &lake.models {
        assert_unnamed_have_no_effect(&lake, model, 7).await;
    }
}

/// One source after the other: rows without the columns that name it stay as they are, and every
/// source that is named makes a difference in some world, so that naming all would not pass.
#[tokio::test]
async fn the_shipped_models_change_with_the_sources_that_are_named_and_no_other() {
    let lake = lake();
    for model in &lake.models {
        let lineage = lineage(&lake, model).await.unwrap();
        let mut idle: BTreeSet<SourceColumn> = BTreeSet::new();
        for column in &lineage.columns {
            idle.extend(column.sources.iter().map(|(s, _)| s.clone()));
        }
        idle.extend(lineage.rows.iter().map(|(s, _)| s.clone()));
        assert!(!idle.is_empty());
        // Two worlds for all sources, more for those whose effect needs a rare one.
        for seed in 0..60 {
            if seed >= 2 && idle.is_empty() {
                break;
            }
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let world = World::new(&lake, model, &mut rng);
            let before = world.run(model).await;
            let every: Vec<usize> = (0..lineage.columns.len()).collect();
            let wanted = world.columns().into_iter().filter(|s| seed < 2 || idle.contains(s));
            for source in wanted.collect::<Vec<_>>() {
                let mut changed = world.clone();
                changed.redraw(&lake, &source, &mut rng);
                let after = changed.run(model).await;
                let others: Vec<usize> =
                    every.iter().copied().filter(|i| !named(&lineage, *i, &source)).collect();
                let same = others.is_empty() || bag(&before, &others) == bag(&after, &others);
                assert!(same, "seed {seed}: {source} has an effect\n{lineage}");
                if bag(&before, &every) != bag(&after, &every) {
                    idle.remove(&source);
                }
            }
        }
        assert!(idle.is_empty(), "no effect on `{}`: {idle:?}", model.name);
    }
}
