//! Every page is looked at by axe-core in every state: light and dark, on a desk and on the
//! narrowest phone.

mod bank;
mod console;
mod desks;
mod office;
mod paying;
mod shop;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use payrig_tests::browser::Device;

use super::customer::Customer;

/// The pages that each test looks at; it fails when it does not see all of them.
const LOOKED_AT: [&[&str]; 6] =
    [&bank::PAGES, &console::PAGES, &desks::PAGES, &office::PAGES, &paying::PAGES, &shop::PAGES];
/// It lives in a hidden frame and sends itself on.
const NEVER_SEEN: [&str; 1] = ["processor-sim/method"];

/// Somebody who looks at pages, and remembers which.
struct Look<'a> {
    customer: &'a Customer,
    axe: String,
    problems: Vec<String>,
    pages: BTreeSet<String>,
}

/// The script of axe-core, a test asset that `tests/run` installs. None on a machine without it,
/// which continuous integration must not be.
fn axe() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a setting of the test run")]
    let modules = std::env::var("PAYRIG_TEST_NODE_MODULES").ok().map(PathBuf::from);
    let found = modules.and_then(|it| fs::read_to_string(it.join("axe-core/axe.min.js")).ok());
    if found.is_none() {
        #[expect(clippy::disallowed_methods, reason = "a setting of the test run")]
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "axe-core is missing; tests/run installs it");
        eprintln!("SKIPPED: axe-core is missing; ./tests/run installs it");
    }
    found
}

impl<'a> Look<'a> {
    fn new(customer: &'a Customer, axe: String) -> Self {
        Self { customer, axe, problems: Vec::new(), pages: BTreeSet::new() }
    }

    /// Opens an address in every size, and looks at it in every light.
    async fn at(&mut self, url: &str) {
        for device in devices() {
            self.customer.browser.become_device(device).await;
            if !device.dark {
                self.customer.browser.open(url).await;
            }
            self.judge(url, device).await;
        }
        self.customer.browser.become_device(Device::DESKTOP).await;
    }

    /// Looks in every light and size at the page as it stands: what a form has led to.
    async fn here(&mut self, state: &str) {
        self.customer.browser.hold_still().await;
        for device in devices() {
            self.customer.browser.become_device(device).await;
            self.judge(state, device).await;
        }
        self.customer.browser.become_device(Device::DESKTOP).await;
    }

    async fn judge(&mut self, what: &str, device: Device) {
        let browser = &self.customer.browser;
        browser.finish_transitions().await;
        let found = browser.look_with_axe(&self.axe).await;
        let light = if device.dark { " dark" } else { "" };
        let place = format!("{what} {} px{light}", device.width);
        self.problems.extend(found.into_iter().map(|problem| format!("{place}: {problem}")));
        browser.assert_fits().await;
        let page = browser.evaluate("document.documentElement.dataset.page || ''").await;
        let page = page.as_str().unwrap().to_owned();
        assert!(!page.is_empty(), "{what} is no page of ours: {}", browser.address().await);
        self.pages.insert(page);
    }

    /// Nothing was found, and every page was seen that this test is there for.
    fn finish(self, expected: &[&str]) {
        let problems = &self.problems;
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
        let seen: BTreeSet<&str> = self.pages.iter().map(String::as_str).collect();
        assert_eq!(seen, expected.iter().copied().collect());
    }
}

fn devices() -> [Device; 4] {
    [Device::DESKTOP, Device::PHONE]
        .map(|size| [false, true].map(|dark| Device { dark, ..size }))
        .concat()
        .try_into()
        .unwrap_or_else(|_| panic!("two sizes in two lights"))
}

/// Files below a folder, by their path in it without the ending.
fn templates(folder: &Path, below: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() {
            templates(&path, &format!("{below}{stem}/"), found);
        } else if path.extension().is_some_and(|it| it == "html") {
            found.push((format!("{below}{stem}"), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn no_page_is_forgotten() {
    let mut files = Vec::new();
    templates(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates"), "", &mut files);
    let is_layout = |name: &str| {
        let mark = format!("{{% extends \"{name}.html\" %}}");
        files.iter().any(|(_, text)| text.contains(&mark))
    };
    let mut pages = BTreeSet::new();
    for (name, text) in &files {
        let word = if text.contains("{% extends") {
            format!("{{% block this %}}{name}{{% endblock %}}")
        } else if text.starts_with("<!doctype") {
            format!(" data-page=\"{name}\"")
        } else {
            continue;
        };
        if !is_layout(name) {
            assert!(text.contains(&word), "templates/{name}.html does not say `{word}`");
            pages.insert(name.as_str());
        }
    }
    let listed: BTreeSet<&str> = LOOKED_AT.concat().into_iter().chain(NEVER_SEEN).collect();
    assert_eq!(pages, listed, "a page is not looked at, or a list names one that is gone");
}
