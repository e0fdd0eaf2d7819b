//! The tables of the page.

use super::data::{AccessCell, AccessMatrix, CheckRow, PageData, RunRow};
use super::element::{Element, element};

/// How many differences are told.
const SHOWN: usize = 200;
/// Up to so many runs are shown without being asked for.
const OPEN_RUNS: usize = 40;

/// A part of the page with a heading.
pub(super) fn section(title: &str) -> Element {
    element("section").child(element("h2").text(title))
}

/// A number with its digits in groups.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time for people.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 9.95 => format!("{s:.2} s"),
        s if s < 600.0 => format!("{s:.1} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

fn count(number: Option<u64>) -> String {
    number.map(grouped).unwrap_or_default()
}

fn cell(text: impl ToString) -> Element {
    element("td").text(text)
}

fn figure(text: impl ToString) -> Element {
    cell(text).class("n")
}

/// A table; the heads that begin with `#` stand over numbers.
fn table(heads: &[&str], rows: impl IntoIterator<Item = Element>) -> Element {
    let heads = heads.iter().map(|head| match head.strip_prefix('#') {
        Some(head) => element("th").class("n").text(head),
        None => element("th").text(head),
    });
    let head = element("thead").child(element("tr").children(heads));
    let table = element("table").child(head).child(element("tbody").children(rows));
    element("div").class("scroll").child(table)
}

/// What is not as it must be.
pub(super) fn differences(data: &PageData) -> Option<Element> {
    if data.differences.is_empty() {
        return None;
    }
    let shown = data.differences.iter().take(SHOWN);
    let list = element("ul").class("differences").children(shown.map(|d| element("li").text(d)));
    let more = data.differences.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| element("p").text(format!("and {} more", grouped(more as u64))));
    Some(section("Differences").child(list).children(more))
}

/// The steps of the run.
pub(super) fn steps(data: &PageData) -> Element {
    let some = |number: u64| if number == 0 { String::new() } else { grouped(number) };
    let rows = data.steps.iter().map(|step| {
        element("tr")
            .child(cell(&step.name))
            .child(figure(some(step.rows)))
            .child(figure(some(step.files)))
            .child(figure(seconds(step.seconds)))
            .child(cell(&step.about))
    });
    section("Steps").child(table(&["step", "#rows", "#files", "#time", ""], rows))
}

/// The runs of the jobs: the last one of each that did something, then all.
pub(super) fn runs(data: &PageData) -> Option<Element> {
    if data.runs.is_empty() {
        return None;
    }
    let mut last: Vec<&RunRow> = Vec::new();
    for run in &data.runs {
        let telling = run.wrote() || run.is_bad();
        match last.iter_mut().find(|other| other.job == run.job) {
            Some(other) if telling => *other = run,
            Some(_) => {}
            None => last.push(run),
        }
    }
    let all = element("details");
    let all = if data.runs.len() <= OPEN_RUNS { all.with("open", "open") } else { all };
    let said = format!("All {} runs, in the order in which they began", data.runs.len());
    let all = all.child(element("summary").text(said)).child(run_table(&data.runs));
    let about = "For every job the last run that wrote or failed.";
    let about = element("p").class("about").text(about);
    Some(section("Runs").child(about).child(run_table(last)).child(all))
}

fn run_table<'a>(runs: impl IntoIterator<Item = &'a RunRow>) -> Element {
    let heads =
        ["job", "began", "outcome", "mode", "#rows", "#added", "#removed", "#time", "#snapshot"];
    let rows = runs.into_iter().map(|run| {
        let class = match run {
            run if run.is_bad() => "bad",
            run if run.wrote() => "good",
            _ => "quiet",
        };
        let outcome = element("td");
        let outcome = outcome.child(element("span").class(class).text(&run.outcome));
        let outcome = if run.message.is_empty() {
            outcome
        } else {
            outcome.child(element("br")).text(&run.message)
        };
        element("tr")
            .child(cell("").child(element("code").text(&run.job)))
            .child(cell(&run.began).class("t"))
            .child(outcome)
            .child(cell(&run.mode))
            .child(figure(count(run.rows)))
            .child(figure(count(run.inserted)))
            .child(figure(count(run.deleted)))
            .child(figure(seconds(run.seconds)))
            .child(figure(run.snapshot.map(|id| id.to_string()).unwrap_or_default()).class("id"))
    });
    table(&heads, rows)
}

/// The checks.
pub(super) fn checks(data: &PageData) -> Option<Element> {
    if data.checks.is_empty() {
        return None;
    }
    let failed = data.checks.iter().filter(|check| !check.passed).count();
    let about = format!("{} checks, {failed} with failing rows.", data.checks.len());
    let heads = ["job", "check", "kind", "severity", "verdict", "#failing rows"];
    let rows = data.checks.iter().map(check);
    let about = element("p").class("about").text(about);
    Some(section("Checks").child(about).child(table(&heads, rows)))
}

fn check(check: &CheckRow) -> Element {
    let (class, verdict) = match (check.passed, check.severity.as_str()) {
        (true, _) => ("good", "passed"),
        (false, "error") => ("bad", "failed"),
        (false, _) => ("warned", "told"),
    };
    element("tr")
        .child(cell("").child(element("code").text(&check.job)))
        .child(cell(&check.name))
        .child(cell(&check.kind))
        .child(cell(&check.severity))
        .child(element("td").child(element("span").class(class).text(verdict)))
        .child(figure(count(check.failing)))
}

/// Who sees what: one row per table; personas who see the same share a column.
pub(super) fn access(data: &PageData) -> Option<Element> {
    let matrix = data.access.as_ref().filter(|matrix| !matrix.personas.is_empty())?;
    let groups = alike(matrix);
    let names: Vec<String> = groups.iter().map(|(names, _)| together(names)).collect();
    let heads: Vec<&str> =
        std::iter::once("table").chain(names.iter().map(String::as_str)).collect();
    let rows = matrix.tables.iter().enumerate().map(|(i, name)| {
        let cells = groups.iter().map(|(_, cells)| access_cell(cells.get(i)));
        let name = cell("").child(element("code").text(name));
        element("tr").child(name).children(cells)
    });
    let about = "Columns that exist for each persona, of all columns; which rows are returned.";
    let about = element("p").class("about").text(about);
    Some(section("Access").child(about).child(table(&heads, rows)))
}

/// Personas with the same cells, in the order of the first of them.
fn alike(matrix: &AccessMatrix) -> Vec<(Vec<&str>, &[AccessCell])> {
    let mut groups: Vec<(Vec<&str>, &[AccessCell])> = Vec::new();
    for (name, cells) in &matrix.personas {
        match groups.iter_mut().find(|(_, other)| *other == cells.as_slice()) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], cells)),
        }
    }
    groups
}

fn together(names: &[&str]) -> String {
    match names {
        [first, .., last] if names.len() > 3 => {
            format!("{first} \u{2026} {last} ({})", names.len())
        }
        names => names.join(", "),
    }
}

fn access_cell(access: Option<&AccessCell>) -> Element {
    let Some(AccessCell::Visible { columns, of, filtered, masked }) = access else {
        return cell("hidden").class("hidden");
    };
    let rows = if *filtered { "filtered rows" } else { "all rows" };
    let masked = if *masked > 0 { format!(", {masked} masked") } else { String::new() };
    let class = if columns == of && !filtered { "open" } else { "part" };
    cell(format!("{columns} of {of}, {rows}{masked}")).class(class)
}
