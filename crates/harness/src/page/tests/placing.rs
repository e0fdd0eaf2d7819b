//! Where tables and lines stand in a picture.

use super::{Graph, Node, NodeKind, graph, node};
use crate::page::layout::{HEIGHT, WIDTH, layout};

/// A lake of several tables whose models read Silver, Bronze, quarantine and each other.
fn large() -> Graph {
    let mut nodes: Vec<Node> = Vec::new();
    let mut edges = Vec::new();
    for table in 0..5 {
        let first = nodes.len();
        nodes.push(node(&format!("s{table}"), 0, NodeKind::Source));
        nodes.push(node(&format!("b{table}"), 1, NodeKind::Bronze));
        nodes.push(node(&format!("t{table}"), 2, NodeKind::Silver));
        nodes.push(node(&format!("q{table}"), 2, NodeKind::Quarantine));
        edges.extend([(first, first + 1), (first + 1, first + 2), (first + 1, first + 3)]);
    }
    let silver = |table: usize| 4 * table + 2;
    let gold = nodes.len();
    for (model, column) in [(0, 3), (1, 3), (2, 4), (3, 5)] {
        nodes.push(node(&format!("g{model}"), column, NodeKind::Gold));
    }
    edges.extend([(silver(4), gold), (silver(0), gold + 1), (silver(1), gold + 1)]);
    edges.extend([(gold, gold + 2), (gold + 1, gold + 2), (gold + 2, gold + 3)]);
    // Far ones: the feed of changes and the rejected rows of three tables.
    for table in 0..3 {
        edges.extend([(4 * table + 1, gold + 3), (4 * table + 3, gold + 3)]);
    }
    Graph { columns: (0..6).map(|c| c.to_string()).collect(), nodes, edges }
}

#[test]
fn tables_do_not_overlap_and_stand_inside() {
    for graph in [graph(), large()] {
        let placed = layout(&graph);
        for (i, (x, y)) in placed.corners.iter().enumerate() {
            assert!(*x >= 0.0 && *y >= 0.0, "{i}: {x} {y}");
            assert!(x + WIDTH <= placed.width && y + HEIGHT <= placed.height, "{i}: {x} {y}");
            for (other_x, other_y) in &placed.corners[..i] {
                let apart = (x - other_x).abs() >= WIDTH || (y - other_y).abs() >= HEIGHT + 8.0;
                assert!(apart, "table {i} at {x} {y} and another at {other_x} {other_y}");
            }
        }
    }
}

#[test]
fn no_line_runs_behind_a_table() {
    let placed = layout(&large());
    let passing: Vec<_> = placed.links.iter().filter(|link| link.passes).collect();
    assert!(passing.len() >= 10, "{} lines pass a column", passing.len());
    for link in passing {
        let [_, (x, y)] = link.ends;
        let behind = |(left, top): &(f64, f64)| {
            (left - x).abs() < 1.0 && y > top - 2.0 && y < top + HEIGHT + 2.0
        };
        assert!(!placed.corners.iter().any(behind), "a line of table {} at {y}", link.from);
    }
}

#[test]
fn every_edge_can_be_followed_and_the_way_of_many_is_drawn_once() {
    let graph = large();
    let placed = layout(&graph);
    for (from, to) in &graph.edges {
        let arrives = placed.links.iter().any(|link| (link.from, link.to) == (*from, Some(*to)));
        assert!(arrives, "{from} to {to}");
    }
    for (i, link) in placed.links.iter().enumerate() {
        assert!(!placed.links[..i].contains(link), "{link:?} is drawn twice");
    }
}

#[test]
fn order_follows_the_lines() {
    // The models stand in the wrong order: straight lines need them the other way round.
    let nodes = vec![
        node("t0", 0, NodeKind::Silver),
        node("t1", 0, NodeKind::Silver),
        node("of_t1", 1, NodeKind::Gold),
        node("of_t0", 1, NodeKind::Gold),
    ];
    let placed = layout(&Graph { columns: Vec::new(), nodes, edges: vec![(0, 3), (1, 2)] });
    assert!(placed.corners[3].1 < placed.corners[2].1, "{:?}", placed.corners);
    for link in &placed.links {
        assert!((link.ends[0].1 - link.ends[1].1).abs() < 0.5, "{link:?} is not straight");
    }
}

#[test]
fn edges_that_lead_nowhere_are_left_out() {
    let nodes = vec![node("a", 0, NodeKind::Silver), node("b", 0, NodeKind::Silver)];
    let placed = layout(&Graph { columns: Vec::new(), nodes, edges: vec![(0, 1), (1, 0), (0, 9)] });
    assert!(placed.links.is_empty());
    assert!(layout(&Graph::default()).corners.is_empty());
}
