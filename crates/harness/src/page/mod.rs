//! The report of a run as one HTML file: no script, nothing from elsewhere, readable on light and
//! dark screens and on paper.

mod data;
mod drawing;
mod element;
mod layout;
mod sections;
#[cfg(test)]
mod tests;

pub use data::{
    AccessCell, AccessMatrix, CheckRow, Graph, Node, NodeKind, NodeState, PageData, PageVerdict,
    RunRow, StepRow,
};
use element::{Element, element};

const STYLE: &str = include_str!("style.css");

/// The page.
pub fn page(data: &PageData) -> String {
    let head = element("head")
        .child(element("meta").with("charset", "utf-8"))
        .child(
            element("meta")
                .with("name", "viewport")
                .with("content", "width=device-width, initial-scale=1"),
        )
        .child(element("meta").with("name", "color-scheme").with("content", "light dark"))
        .child(element("title").text(format!("{}: {}", data.lake, word(&data.verdict))))
        .child(element("style").style(STYLE));
    let body = element("body")
        .child(header(data))
        .children(sections::differences(data))
        .child(sections::steps(data))
        .children(graph(data))
        .children(sections::runs(data))
        .children(sections::checks(data))
        .children(sections::access(data))
        .child(
            element("footer").text("Made by the Medallion harness; every value is from the run."),
        );
    let mut out = "<!DOCTYPE html>\n".to_owned();
    element("html").with("lang", "en").child(head).child(body).write(&mut out);
    out
}

fn word(verdict: &PageVerdict) -> &'static str {
    match verdict {
        PageVerdict::Equal => "OK",
        PageVerdict::Different => "NOT OK",
        PageVerdict::Failed(_) => "FAILED",
    }
}

fn header(data: &PageData) -> Element {
    let (class, said) = match &data.verdict {
        PageVerdict::Equal => ("good", "the lake equals its source".to_owned()),
        PageVerdict::Different => {
            let n = data.differences.len();
            ("bad", format!("{n} difference{}", if n == 1 { "" } else { "s" }))
        }
        PageVerdict::Failed(reason) => ("bad", reason.clone()),
    };
    let verdict = element("p")
        .class(format!("verdict {class}"))
        .child(element("b").text(word(&data.verdict)))
        .text(format!(" {said}"));
    let mut facts = vec![
        ("began".to_owned(), data.began.clone()),
        ("took".to_owned(), sections::seconds(data.seconds)),
    ];
    facts.extend(data.facts.iter().cloned());
    let facts = facts.into_iter().map(|(name, value)| {
        element("div").child(element("dt").text(name)).child(element("dd").text(value))
    });
    element("header")
        .child(element("h1").text(format!("Lake {}", data.lake)))
        .child(element("p").class("about").text(&data.about))
        .child(verdict)
        .child(element("dl").children(facts))
}

fn graph(data: &PageData) -> Option<Element> {
    if data.graph.nodes.is_empty() {
        return None;
    }
    let picture = element("div").class("picture").child(drawing::svg(&data.graph));
    let about = "Rows as they are; seconds of the run that wrote the table last. A dashed frame is \
                 quarantine. \u{2713} well, ! a check warns, \u{2717} failed, \u{2026} waiting.";
    let about = element("p").class("about").text(about);
    Some(sections::section("Tables").child(picture).child(about))
}
