//! Faults planted one at a time: each is caught by the scenario that `scenarios/MUTANTS.md` names.

use std::collections::{BTreeMap, BTreeSet};

use kit::mutants::Mutants;
use scenario::model::{Case, Scenario};
use scenario::runner::{CaseReport, Class, Options, play, seed_of};

use super::scenarios::{files, root, scenarios};

/// The fewest faults that prove anything.
const FEWEST: usize = 40;

/// What one fault may take on a busy machine.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(40);

/// A row of the table.
struct Row {
    program: String,
    fault: String,
    /// The file below `scenarios/`, without its ending.
    caught_by: String,
    case: Option<String>,
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("scenarios/MUTANTS.md")).unwrap();
    let lines = text.lines().filter(|line| line.contains("| `"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [program, fault, _, caught_by] = cells[..] else { panic!("not a row: {line}") };
            let (path, case) = caught_by.split_once(' ').unwrap_or((caught_by, ""));
            let case = case.strip_prefix('[').and_then(|case| case.strip_suffix(']'));
            Row {
                program: program.to_owned(),
                fault: fault.trim_matches('`').to_owned(),
                caught_by: path.trim_matches('`').to_owned(),
                case: case.map(str::to_owned),
            }
        })
        .collect()
}

async fn play_with(fault: &str, scenario: &Scenario, case: &Case) -> CaseReport {
    let seed = seed_of(scenario, case, None);
    let clock = kit::clock::Clock::virtual_at(scenario.start);
    let (settings, mutants) = (scenario.settings.clone(), Mutants::planted(fault));
    let beginning = payrig::world::Beginning { clock, seed, settings, mutants };
    let world = payrig::world::World::begin(beginning).await.unwrap();
    let options = Options { seed, ..Options::default() };
    let report = play(&world, scenario, case, options, &|_| {}).await;
    world.stop();
    report
}

/// Plants the faults of a program; every one that nobody notices is told.
async fn program(name: &str) {
    let all = scenarios();
    let mut unnoticed = Vec::new();
    for row in rows().iter().filter(|row| row.program == name) {
        let path = format!("scenarios/{}.scenario.yaml", row.caught_by);
        let scenario = all.iter().find(|it| it.path == path);
        let scenario = scenario.unwrap_or_else(|| panic!("there is no {path}"));
        let fits = |case: &&Case| row.case.as_ref().is_none_or(|name| *name == case.name);
        let case = scenario.cases.iter().find(fits).unwrap_or_else(|| panic!("{:?}", row.case));
        println!("{}: {}", row.fault, row.caught_by);
        let playing = play_with(&row.fault, scenario, case);
        let Ok(report) = kit::clock::real_timeout(LONGEST, playing).await else {
            unnoticed.push(format!("{}: {} does not end", row.fault, row.caught_by));
            continue;
        };
        match &report.trouble {
            Some(trouble) if trouble.class == Class::Check => {}
            Some(trouble) => unnoticed.push(format!("{}: {}", row.fault, trouble.message)),
            None => unnoticed.push(format!("{}: {} passed", row.fault, row.caught_by)),
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

#[actix_web::test]
async fn faults_in_the_gateway_are_caught() {
    program("gateway").await;
}

#[actix_web::test]
async fn faults_in_the_shop_are_caught() {
    program("merchant").await;
}

#[actix_web::test]
async fn faults_in_processor_networks_and_banks_are_caught() {
    program("processor-sim").await;
}

#[test]
fn every_fault_that_can_be_planted_is_in_the_table_once() {
    let mut planted: BTreeMap<String, String> = BTreeMap::new();
    for program in ["gateway", "merchant", "processor-sim"] {
        let mut sources = Vec::new();
        files(&root().join(program).join("src"), ".rs", &mut sources);
        for path in sources {
            let text = std::fs::read_to_string(&path).unwrap();
            for mark in ["planted(\"", "mutants.has(\"", "=> \"forget_"] {
                for rest in text.split(mark).skip(1) {
                    let name = rest.split('"').next().unwrap();
                    let start = if mark.starts_with("=>") { "forget_" } else { "" };
                    planted.insert(format!("{start}{name}"), program.to_owned());
                }
            }
        }
    }
    let rows = rows();
    let listed: BTreeMap<String, String> =
        rows.iter().map(|row| (row.fault.clone(), row.program.clone())).collect();
    assert_eq!(listed.len(), rows.len(), "a fault stands in the table twice");
    assert_eq!(planted, listed);
    assert!(rows.len() >= FEWEST, "{} faults prove little", rows.len());
    let scenarios: BTreeSet<&String> = rows.iter().map(|row| &row.caught_by).collect();
    assert!(scenarios.len() >= FEWEST / 2, "few scenarios catch everything");
}

#[actix_web::test]
#[ignore = "tells which scenarios catch a fault: PAYRIG_MUTANT, and PAYRIG_SCENARIOS for a part"]
async fn survey() {
    #[expect(clippy::disallowed_methods, reason = "settings of the survey, not of a program")]
    let setting = |name: &str| std::env::var(name).unwrap_or_default();
    let (faults, below) = (setting("PAYRIG_MUTANT"), setting("PAYRIG_SCENARIOS"));
    let all = scenarios();
    for fault in faults.split(',') {
        for scenario in all.iter().filter(|it| it.path.contains(&below)) {
            for case in &scenario.cases {
                let report = play_with(fault, scenario, case).await;
                if let Some(trouble) = report.trouble {
                    println!("{fault}: {} [{}]: {}", scenario.path, case.name, trouble.message);
                }
            }
        }
    }
}
