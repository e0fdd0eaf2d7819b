//! The picture of the tables, as SVG.

use super::data::{Graph, Node, NodeKind, NodeState};
use super::element::{Element, element};
use super::layout::{HEIGHT, Layout, Link, WIDTH, layout};
use super::sections;

/// As many characters of a name as fit.
const NAME: usize = 24;

/// The picture.
pub(super) fn svg(graph: &Graph) -> Element {
    let placed = layout(graph);
    let (width, height) = (placed.width.ceil(), placed.height.ceil());
    let titles = placed.columns.iter().zip(&graph.columns);
    let titles = titles.map(|(x, title)| {
        let x = number(x + WIDTH / 2.0);
        element("text").class("column").with("x", x).with("y", 18).text(title)
    });
    let links = placed.links.iter().map(|link| path(graph, link));
    let nodes = graph.nodes.iter().zip(&placed.corners).map(|(node, corner)| table(node, *corner));
    element("svg")
        .with("xmlns", "http://www.w3.org/2000/svg")
        .with("viewBox", format!("0 0 {width} {height}"))
        .with("width", width)
        .with("height", height)
        .with("role", "img")
        .child(element("title").text(alternative(graph, &placed)))
        .children(titles)
        .child(element("g").class("links").children(links))
        .children(nodes)
}

fn alternative(graph: &Graph, placed: &Layout) -> String {
    let (tables, columns) = (graph.nodes.len(), placed.columns.len());
    format!("{tables} tables in {columns} columns, from the source to Gold")
}

fn path(graph: &Graph, link: &Link) -> Element {
    let [(x1, y1), (x2, y2)] = link.ends;
    let middle = (x1 + x2) / 2.0;
    let [x1, y1, x2, y2, middle] = [x1, y1, x2, y2, middle].map(number);
    let mut d = format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}");
    if link.passes {
        d.push_str(&format!("h{}", number(WIDTH)));
    }
    let name = |i: usize| graph.nodes.get(i).map_or("", |node| node.name.as_str());
    let said = match link.to {
        Some(to) => format!("{} \u{2192} {}", name(link.from), name(to)),
        None => format!("{} \u{2192}", name(link.from)),
    };
    element("path").with("d", d).child(element("title").text(said))
}

fn table(node: &Node, (x, y): (f64, f64)) -> Element {
    let kind = match node.kind {
        NodeKind::Source => "source",
        NodeKind::Bronze => "bronze",
        NodeKind::Silver => "silver",
        NodeKind::Quarantine => "quarantine",
        NodeKind::Gold => "gold",
    };
    let (state, sign) = match node.state {
        NodeState::Unknown => ("unknown", ""),
        NodeState::Good => ("good", "\u{2713}"),
        NodeState::Warned => ("warned", "!"),
        NodeState::Waiting => ("waiting", "\u{2026}"),
        NodeState::Bad => ("bad", "\u{2717}"),
    };
    let told = figures(node);
    let frame = |width: f64| {
        let rect = element("rect").with("width", number(width));
        rect.with("height", number(HEIGHT)).with("rx", 4)
    };
    element("g")
        .class(format!("table {kind} {state}"))
        .with("transform", format!("translate({} {})", number(x), number(y)))
        .child(element("title").text(format!("{}: {told}", node.name)))
        .child(frame(WIDTH).class("frame"))
        .child(frame(4.0).class("bar"))
        .child(element("text").class("name").with("x", 12).with("y", 18).text(short(&node.name)))
        .child(element("text").class("figures").with("x", 12).with("y", 34).text(told))
        .child(
            element("text").class("sign").with("x", number(WIDTH - 10.0)).with("y", 34).text(sign),
        )
}

/// Rows and seconds, as far as they are known.
fn figures(node: &Node) -> String {
    let kind = match node.kind {
        NodeKind::Source => Some("at the source".to_owned()),
        NodeKind::Quarantine => Some("rejected".to_owned()),
        NodeKind::Bronze | NodeKind::Silver | NodeKind::Gold => None,
    };
    let rows = node.rows.map(|rows| {
        let plural = if rows == 1 { "" } else { "s" };
        format!("{} row{plural}", sections::grouped(rows))
    });
    // Rejected rows are written by the run of the Silver table, which tells how long it took.
    let seconds = node.seconds.filter(|_| node.kind != NodeKind::Quarantine);
    let parts = kind.into_iter().chain(rows).chain(seconds.map(sections::seconds));
    let told: Vec<String> = parts.collect();
    if told.is_empty() { "never written".to_owned() } else { told.join(" \u{b7} ") }
}

/// Names that are too long lose their middle: they differ at their ends.
fn short(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME {
        return name.to_owned();
    }
    let (head, tail) = (NAME - NAME / 2, NAME / 2 - 1);
    let end = name.chars().skip(length - tail);
    name.chars().take(head).chain(['\u{2026}']).chain(end).collect()
}

/// A measure, to the tenth of a pixel.
fn number(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
