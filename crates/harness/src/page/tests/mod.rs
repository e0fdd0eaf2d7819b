//! A page of made-up runs: well-formed, escaped, and as it was looked at.

mod placing;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::*;

fn node(name: &str, column: usize, kind: NodeKind) -> Node {
    let (rows, seconds) = (Some(1_234_567), Some(0.5));
    Node { name: name.to_owned(), column, kind, rows, seconds, state: NodeState::Good }
}

fn graph() -> Graph {
    let columns = ["Source", "Bronze", "Silver", "Gold"].map(str::to_owned).to_vec();
    let source = Node {
        rows: None,
        seconds: None,
        state: NodeState::Unknown,
        ..node("crm.t", 0, NodeKind::Source)
    };
    let rejected = Node { rows: Some(1), ..node("crm_t", 2, NodeKind::Quarantine) };
    let gold = Node { state: NodeState::Bad, ..node("g", 3, NodeKind::Gold) };
    let silver = node("crm_t", 2, NodeKind::Silver);
    let nodes = vec![source, node("crm_t", 1, NodeKind::Bronze), silver, rejected, gold];
    Graph { columns, nodes, edges: vec![(0, 1), (1, 2), (1, 3), (2, 4), (1, 4)] }
}

fn ran(job: &str, outcome: &str, began: &str) -> RunRow {
    RunRow {
        job: job.to_owned(),
        began: began.to_owned(),
        outcome: outcome.to_owned(),
        message: String::new(),
        mode: "full".to_owned(),
        rows: Some(12_345),
        inserted: Some(7),
        deleted: None,
        seconds: 0.25,
        snapshot: Some(7_919),
    }
}

fn sees(columns: usize, filtered: bool) -> AccessCell {
    AccessCell::Visible { columns, of: 3, filtered, masked: usize::from(filtered) }
}

fn data() -> PageData {
    let red = RunRow {
        message: "2 rows repeat the grain".to_owned(),
        ..ran("gold.g", "red", "10:00:02")
    };
    let check = CheckRow {
        job: "gold.g".to_owned(),
        name: "grain".to_owned(),
        kind: "unique".to_owned(),
        severity: "error".to_owned(),
        passed: false,
        failing: Some(2),
    };
    PageData {
        lake: "shop".to_owned(),
        about: "A shop".to_owned(),
        verdict: PageVerdict::Different,
        began: "2026-01-02T10:00:00Z".to_owned(),
        seconds: 21.46,
        facts: vec![("MySQL".to_owned(), "8.4".to_owned())],
        steps: vec![StepRow {
            name: "full load".to_owned(),
            rows: 1_600,
            files: 3,
            seconds: 1.5,
            about: "two tables".to_owned(),
        }],
        graph: graph(),
        runs: vec![
            ran("silver.crm_t", "committed", "10:00:01"),
            red,
            ran("silver.crm_t", "up_to_date", "10:00:03"),
        ],
        checks: vec![check],
        access: Some(AccessMatrix {
            tables: vec!["gold.g".to_owned()],
            personas: vec![
                ("marketing".to_owned(), vec![AccessCell::Hidden]),
                ("operations-RJ".to_owned(), vec![sees(3, true)]),
                ("operations-SP".to_owned(), vec![sees(3, true)]),
            ],
        }),
        differences: vec!["gold: gold.g row 1: expected 3, found 2".to_owned()],
    }
}

/// Every text of a page, after checking that it is well-formed XML.
fn texts(page: &str) -> Vec<String> {
    let page = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_end_names = true;
    let (mut found, mut depth, mut text) = (Vec::new(), 0, String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Text(part) => text.push_str(&part.decode().unwrap()),
            Event::GeneralRef(name) => text.push(match &*name.decode().unwrap() {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "#39" => '\'',
                other => panic!("&{other};"),
            }),
            Event::Eof => break,
            tag => {
                found.push(std::mem::take(&mut text));
                match tag {
                    Event::Start(tag) => {
                        tag.attributes().for_each(|attribute| drop(attribute.unwrap()));
                        depth += 1;
                    }
                    Event::Empty(tag) => tag.attributes().for_each(|a| drop(a.unwrap())),
                    Event::End(_) => depth -= 1,
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert_eq!(depth, 0);
    found
}

#[test]
fn a_small_page_is_as_it_was_looked_at() {
    let page = page(&data());
    texts(&page);
    if page != include_str!("small.html") {
        let path = std::env::temp_dir().join("small.html");
        std::fs::write(&path, &page).unwrap();
        panic!("the page has changed: look at {} and keep it", path.display());
    }
}

#[test]
fn nothing_gets_on_the_page_unescaped() {
    let hostile = "</td><script>alert(\"1\" & '2')</script>\u{0}\u{1b}";
    let mut all = data();
    let text = || hostile.to_owned();
    (all.lake, all.about, all.began) = (text(), text(), text());
    all.verdict = PageVerdict::Failed(text());
    all.facts = vec![(text(), text())];
    (all.steps[0].name, all.steps[0].about) = (text(), text());
    (all.graph.nodes[0].name, all.graph.columns[0]) = (text(), text());
    let run = &mut all.runs[1];
    (run.job, run.began, run.message, run.mode) = (text(), text(), text(), text());
    run.outcome = text();
    let check = &mut all.checks[0];
    (check.job, check.name, check.kind, check.severity) = (text(), text(), text(), text());
    let access = all.access.as_mut().unwrap();
    (access.tables[0], access.personas[0].0) = (text(), text());
    all.differences = vec![text()];
    let page = page(&all);
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{0}'));
    let shown = "</td><script>alert(\"1\" & '2')</script>\u{fffd}\u{fffd}";
    let whole = texts(&page).iter().filter(|text| text.contains(shown)).count();
    assert!(whole >= 18, "only {whole} places show the text as it is");
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let page = page(&data());
    for part in ["src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(part), "{part}");
    }
    assert_eq!(page.matches("http").count(), page.matches("http://www.w3.org/2000/svg").count());
}

#[test]
fn the_verdict_stands_at_the_top() {
    let said = |verdict: PageVerdict, differences: &[&str]| {
        let differences = differences.iter().map(|d| (*d).to_owned()).collect();
        let page = page(&PageData { verdict, differences, ..data() });
        let at = page.find("class=\"verdict").unwrap();
        let end = page[at..].find("</p>").unwrap();
        page[at..at + end].to_owned()
    };
    assert!(said(PageVerdict::Equal, &[]).ends_with("<b>OK</b> the lake equals its source"));
    assert!(said(PageVerdict::Different, &["a"]).ends_with("<b>NOT OK</b> 1 difference"));
    assert!(said(PageVerdict::Different, &["a", "b"]).ends_with("2 differences"));
    let failed = said(PageVerdict::Failed("no MySQL".to_owned()), &[]);
    assert!(failed.ends_with("<b>FAILED</b> no MySQL"), "{failed}");
}

#[test]
fn the_first_table_of_runs_has_what_each_job_did_last() {
    let page = page(&data());
    let (first, all) = page.split_once("<details").unwrap();
    let first = first.split_once("<h2>Runs</h2>").unwrap().1;
    assert!(first.contains("10:00:01") && first.contains("10:00:02"), "{first}");
    assert!(!first.contains("10:00:03") && all.contains("10:00:03"), "a run without work is below");
    assert!(first.contains("12,345"));
}

#[test]
fn personas_who_see_the_same_share_a_column() {
    let page = page(&data());
    assert!(page.contains("<th>operations-RJ, operations-SP</th>"));
    assert!(page.contains("3 of 3, filtered rows, 1 masked") && page.contains(">hidden<"));
    let mut many = data();
    let access = many.access.as_mut().unwrap();
    access.personas = (1..=27).map(|i| (format!("o-{i}"), vec![sees(2, true)])).collect();
    assert!(super::page(&many).contains("<th>o-1 \u{2026} o-27 (27)</th>"));
}

#[test]
fn a_run_that_failed_early_makes_a_page_too() {
    let verdict = PageVerdict::Failed("no MySQL".to_owned());
    let empty = PageData {
        verdict,
        steps: Vec::new(),
        graph: Graph::default(),
        runs: Vec::new(),
        checks: Vec::new(),
        access: None,
        differences: Vec::new(),
        ..data()
    };
    let page = page(&empty);
    texts(&page);
    assert!(!page.contains("<svg") && !page.contains("<h2>Runs"));
}

#[test]
fn numbers_and_times_are_for_people() {
    let numbers = [0, 999, 1_000, 1_234_567].map(sections::grouped);
    assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
    let times = [0.034, 9.94, 9.96, 59.0, 600.0].map(sections::seconds);
    assert_eq!(times, ["0.03 s", "9.94 s", "10.0 s", "59.0 s", "10 min"]);
}
