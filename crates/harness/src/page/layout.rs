//! Where the tables of a picture stand. Columns from left to right; an edge that passes a column
//! gets a place of its own there, which all edges from the same table share, so that no line runs
//! behind a table.

use std::collections::BTreeMap;

use super::data::Graph;

/// Width of a table.
pub(super) const WIDTH: f64 = 178.0;
/// Height of a table.
pub(super) const HEIGHT: f64 = 44.0;
/// Between columns.
const GAP: f64 = 56.0;
/// Between tables of a column.
const ROW_GAP: f64 = 14.0;
/// Height of the place of passing edges.
const PASS_HEIGHT: f64 = 6.0;
/// Around everything.
const MARGIN: f64 = 10.0;
/// For the titles of the columns.
const TITLE: f64 = 24.0;
/// How often order and height are improved.
const ROUNDS: usize = 8;

/// Something that stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    /// A table.
    Node(usize),
    /// Edges of this table on their way through the column.
    Pass(usize, usize),
}

/// A piece of an edge, from one column to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Link {
    /// The table from which it comes, though it may begin further right.
    pub(super) from: usize,
    /// The table to which it goes; nothing for a piece that several edges share.
    pub(super) to: Option<usize>,
    /// Where it begins and ends.
    pub(super) ends: [(f64, f64); 2],
    /// It goes on straight through the next column.
    pub(super) passes: bool,
}

/// The picture's measures, in pixels.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Upper left corners of the tables.
    pub(super) corners: Vec<(f64, f64)>,
    /// Left edges of the columns.
    pub(super) columns: Vec<f64>,
    pub(super) links: Vec<Link>,
}

type Columns = Vec<Vec<Slot>>;

/// Places the tables of a graph.
pub(super) fn layout(graph: &Graph) -> Layout {
    let (mut columns, links) = slots(graph);
    order(&mut columns, &links);
    let heights = heights(&columns, &links);
    let left = |column: usize| MARGIN + column as f64 * (WIDTH + GAP);
    let top = heights.values().copied().fold(f64::INFINITY, f64::min);
    let top = if top.is_finite() { top } else { 0.0 };
    // The middle of a slot.
    let middle = |slot: &Slot| {
        let half = size(*slot) / 2.0;
        heights.get(slot).copied().unwrap_or_default() - top + half + MARGIN + TITLE
    };
    let corners = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(i, node)| (left(node.column), middle(&Slot::Node(i)) - HEIGHT / 2.0));
    let corners: Vec<(f64, f64)> = corners.collect();
    let column_of = |slot: &Slot| match slot {
        Slot::Node(i) => graph.nodes.get(*i).map_or(0, |node| node.column),
        Slot::Pass(_, column) => *column,
    };
    let links = links.iter().map(|(a, b)| Link {
        from: match a {
            Slot::Node(i) | Slot::Pass(i, _) => *i,
        },
        to: match b {
            Slot::Node(i) => Some(*i),
            Slot::Pass(..) => None,
        },
        ends: [(left(column_of(a)) + WIDTH, middle(a)), (left(column_of(b)), middle(b))],
        passes: matches!(b, Slot::Pass(..)),
    });
    let bottom = heights.iter().map(|(slot, y)| y + size(*slot)).fold(top, f64::max);
    Layout {
        width: left(columns.len().max(1) - 1) + WIDTH + MARGIN,
        height: bottom - top + TITLE + 2.0 * MARGIN,
        links: links.collect(),
        corners,
        columns: (0..columns.len()).map(left).collect(),
    }
}

fn size(slot: Slot) -> f64 {
    match slot {
        Slot::Node(_) => HEIGHT,
        Slot::Pass(..) => PASS_HEIGHT,
    }
}

/// What stands in each column, and which of it is linked with which of the next. Edges that do not
/// go to the right have no place in the picture.
fn slots(graph: &Graph) -> (Columns, Vec<(Slot, Slot)>) {
    let last = graph.nodes.iter().map(|node| node.column).max().unwrap_or_default();
    let mut columns: Columns = vec![Vec::new(); last + 1];
    for (i, node) in graph.nodes.iter().enumerate() {
        columns[node.column].push(Slot::Node(i));
    }
    let mut links = Vec::new();
    for &(from, to) in &graph.edges {
        let (Some(a), Some(b)) = (graph.nodes.get(from), graph.nodes.get(to)) else { continue };
        if a.column >= b.column {
            continue;
        }
        let mut before = Slot::Node(from);
        let passing = (a.column + 1..b.column).map(|column| Slot::Pass(from, column));
        for slot in passing.chain([Slot::Node(to)]) {
            if let Slot::Pass(_, column) = slot
                && !columns[column].contains(&slot)
            {
                columns[column].push(slot);
            }
            if !links.contains(&(before, slot)) {
                links.push((before, slot));
            }
            before = slot;
        }
    }
    (columns, links)
}

/// Orders the columns so that few links cross: by the mean place of what each slot is linked with,
/// to the right and back; the best order that was seen is kept.
fn order(columns: &mut Columns, links: &[(Slot, Slot)]) {
    let mut best = (crossings(columns, links), columns.clone());
    for round in 0..ROUNDS {
        let forward = round % 2 == 0;
        let n = columns.len();
        for step in 1..n {
            let (fixed, moved) = if forward { (step - 1, step) } else { (n - step, n - step - 1) };
            let places = places(&columns[fixed]);
            let mean = |slot: &Slot| {
                let linked = neighbours(*slot, links, forward);
                mean(linked.filter_map(|other| places.get(&other).copied()))
            };
            let old: BTreeMap<Slot, f64> = self::places(&columns[moved]);
            let key = |slot: &Slot| mean(slot).or_else(|| old.get(slot).copied()).unwrap_or(0.0);
            columns[moved].sort_by(|a, b| key(a).total_cmp(&key(b)));
        }
        let crossed = crossings(columns, links);
        if crossed < best.0 {
            best = (crossed, columns.clone());
        }
    }
    *columns = best.1;
}

fn places(column: &[Slot]) -> BTreeMap<Slot, f64> {
    let count = column.len().max(1) as f64;
    column.iter().enumerate().map(|(i, slot)| (*slot, (i as f64 + 0.5) / count)).collect()
}

/// What a slot is linked with on its left, or on its right.
fn neighbours(
    slot: Slot,
    links: &[(Slot, Slot)],
    left: bool,
) -> impl Iterator<Item = Slot> + use<'_> {
    links.iter().filter_map(move |&(a, b)| match left {
        true => (b == slot).then_some(a),
        false => (a == slot).then_some(b),
    })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// How many pairs of links cross.
fn crossings(columns: &Columns, links: &[(Slot, Slot)]) -> usize {
    let place: BTreeMap<Slot, (usize, usize)> = columns
        .iter()
        .enumerate()
        .flat_map(|(c, slots)| slots.iter().enumerate().map(move |(i, slot)| (*slot, (c, i))))
        .collect();
    let ends: Vec<(usize, usize, usize)> = links
        .iter()
        .filter_map(|(a, b)| Some((place.get(a)?.0, place.get(a)?.1, place.get(b)?.1)))
        .collect();
    let crossed = |x: &(usize, usize, usize), y: &(usize, usize, usize)| {
        x.0 == y.0 && ((x.1 < y.1 && x.2 > y.2) || (x.1 > y.1 && x.2 < y.2))
    };
    let later = |i: usize| ends.iter().skip(i + 1);
    ends.iter().enumerate().map(|(i, x)| later(i).filter(|y| crossed(x, y)).count()).sum()
}

/// The upper edge of each slot: near the middle of what it is linked with, in order, not too close.
fn heights(columns: &Columns, links: &[(Slot, Slot)]) -> BTreeMap<Slot, f64> {
    let mut found: BTreeMap<Slot, f64> = BTreeMap::new();
    for column in columns {
        let mut y = 0.0;
        for slot in column {
            found.insert(*slot, y);
            y += size(*slot) + ROW_GAP;
        }
    }
    for round in 0..ROUNDS {
        let forward = round % 2 == 0;
        let indices: Vec<usize> = match forward {
            true => (0..columns.len()).collect(),
            false => (0..columns.len()).rev().collect(),
        };
        for column in indices.iter().filter_map(|i| columns.get(*i)) {
            let wanted: Vec<f64> = column
                .iter()
                .map(|slot| {
                    let linked = neighbours(*slot, links, forward);
                    let middles =
                        linked.filter_map(|other| Some(found.get(&other)? + size(other) / 2.0));
                    let middle = mean(middles).map(|middle| middle - size(*slot) / 2.0);
                    middle.or_else(|| found.get(slot).copied()).unwrap_or(0.0)
                })
                .collect();
            found.extend(column.iter().copied().zip(apart(&wanted, column)));
        }
    }
    found
}

/// The heights nearest to the wanted ones (least squares) at which no slot comes too close to the
/// one above: isotonic regression by pooling adjacent violators.
fn apart(wanted: &[f64], column: &[Slot]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(column.len());
    // Each pool: the sum of its members' wanted heights without their offsets, and their number.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wanted, slot) in wanted.iter().zip(column) {
        offsets.push(offset);
        let mut pool = (wanted - offset, 1);
        offset += size(*slot) + ROW_GAP;
        while let Some(above) = pools.last().copied()
            && above.0 / above.1 as f64 >= pool.0 / pool.1 as f64
        {
            pool = (pool.0 + above.0, pool.1 + above.1);
            pools.pop();
        }
        pools.push(pool);
    }
    let bases = pools.iter().flat_map(|(sum, n)| std::iter::repeat_n(sum / *n as f64, *n));
    bases.zip(offsets).map(|(base, offset)| base + offset).collect()
}
