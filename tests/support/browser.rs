//! A headless Chromium, driven as a person would: looks, presses, types.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use kit::clock::Clock;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::http::Http;
use crate::processes::{Scratch, Signal, Written, signal, until};

/// What a page may take to show something.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);
/// What a command may take. One that is given while the page turns into another is never answered.
const COMMAND_WITHIN: Duration = Duration::from_secs(60);
/// What the driver may take to start.
const DRIVER_WITHIN: Duration = Duration::from_secs(20);
/// The driver says this, followed by its port.
const DRIVER_READY: &str = "started successfully on port ";
/// Where Debian and others put the programs.
const PLACES: [&str; 4] = ["/usr/bin", "/usr/local/bin", "/usr/lib/chromium", "/snap/bin"];
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// A driver with one browser.
pub struct Browser {
    client: Client,
    driver_url: String,
    profile: Scratch,
    driver: Child,
}

/// What the browser is like.
#[derive(Clone, Copy)]
pub struct Device {
    /// Width of the page in CSS pixels.
    pub width: u32,
    /// Height of the page.
    pub height: u32,
    /// A phone: narrow pages are not shrunk to fit.
    pub mobile: bool,
    /// The person prefers dark pages.
    pub dark: bool,
    /// Whether scripts run.
    pub scripts: bool,
}

impl Device {
    /// A window on a desk.
    pub const DESKTOP: Self =
        Self { width: 1280, height: 800, mobile: false, dark: false, scripts: true };
    /// The narrowest phone.
    pub const PHONE: Self =
        Self { width: 320, height: 640, mobile: true, dark: false, scripts: true };
}

/// A key that is pressed.
#[derive(Clone, Copy, Debug)]
pub enum Press {
    /// To the next element.
    Tab,
    /// To the one before.
    ShiftTab,
    /// Follows a link, sends a form.
    Enter,
    /// Presses a button, ticks a box.
    Space,
    /// To the next choice.
    Down,
    /// To the choice before.
    Up,
    /// Everything in a field.
    SelectAll,
    /// A character.
    Letter(char),
}

impl Press {
    /// Name, code, number, text and modifiers, as the DevTools protocol wants them.
    fn parts(self) -> (String, String, u32, String, u32) {
        let named = |name: &str, number, text: &str, modifiers| {
            (name.to_owned(), name.to_owned(), number, text.to_owned(), modifiers)
        };
        match self {
            Self::Tab => named("Tab", 9, "", 0),
            Self::ShiftTab => named("Tab", 9, "", 8),
            Self::Enter => named("Enter", 13, "\r", 0),
            Self::Space => (" ".into(), "Space".into(), 32, " ".into(), 0),
            Self::Down => named("ArrowDown", 40, "", 0),
            Self::Up => named("ArrowUp", 38, "", 0),
            Self::SelectAll => ("a".into(), "KeyA".into(), 65, String::new(), 2),
            Self::Letter(letter) => {
                // Only letters and digits have their own number: 46 is no full stop but "delete".
                let upper = letter.to_ascii_uppercase();
                let number = if upper.is_ascii_alphanumeric() { u32::from(upper) } else { 0 };
                (letter.to_string(), String::new(), number, letter.to_string(), 0)
            }
        }
    }
}

/// The element that has the focus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focused {
    /// Its kind, in capitals.
    pub tag: String,
    /// Its `data-testid`.
    pub testid: String,
    /// What it says.
    pub words: String,
    /// Why a person would not see it; empty when they do.
    pub trouble: String,
}

/// Looks at the element with the focus: it must be marked, in view, and not under something else.
const FOCUSED: &str = "(() => { const it = document.activeElement; \
    if (!it || it === document.body) return {tag: 'BODY'}; \
    const say = (trouble) => ({tag: it.tagName, testid: it.dataset.testid || '', \
      words: (it.textContent || it.value || '').trim().slice(0, 40), trouble}); \
    if (it.tagName === 'IFRAME' || it.id === 'content') return say(''); \
    const style = getComputedStyle(it), hit = it.querySelector('.hit'); \
    const marked = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) \
      || (hit && getComputedStyle(hit).stroke !== 'none'); \
    if (!marked) return say('no mark'); \
    const box = it.getBoundingClientRect(); \
    if (box.bottom <= 0 || box.top >= innerHeight) return say('out of view'); \
    const x = Math.max(box.left + Math.min(box.width, 40) / 2, 1); \
    const y = Math.min(Math.max(box.top + Math.min(box.height, 20) / 2, 1), innerHeight - 1); \
    const top = document.elementFromPoint(Math.min(x, innerWidth - 1), y); \
    return say(!top || it.contains(top) || top.contains(it) || top.closest('label') ? '' \
      : 'under ' + top.tagName); })()";

fn find(names: &[&str]) -> Option<PathBuf> {
    let places = PLACES.iter().map(Path::new);
    let mut candidates = places.flat_map(|place| names.iter().map(move |name| place.join(name)));
    candidates.find(|path| path.is_file())
}

impl Browser {
    /// Starts a browser. None when the machine has none, which continuous integration must not be.
    pub async fn start(device: Device) -> Option<Self> {
        let (Some(driver), Some(browser)) = (find(&["chromedriver"]), find(&BROWSERS)) else {
            #[expect(clippy::disallowed_methods, reason = "a setting of the test run")]
            let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!is_ci, "chromium or chromedriver is missing; tests/run installs them");
            eprintln!("SKIPPED: chromium or chromedriver is missing; ./tests/run installs them");
            return None;
        };
        let mut process = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let written = Written::by(process.stdout.take());
        let port: u16 = until("chromedriver is ready", DRIVER_WITHIN, async || {
            let text = written.text();
            let (_, rest) = text.split_once(DRIVER_READY)?;
            rest.split_once('.').and_then(|(port, _)| port.parse().ok())
        })
        .await;
        let driver_url = format!("http://127.0.0.1:{port}");
        let profile = Scratch::new("browser");
        let wanted = capabilities(&browser, &profile, device);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&driver_url)
            .await
            .unwrap();
        let browser = Self { client, driver_url, profile, driver: process };
        browser.become_device(device).await;
        Some(browser)
    }

    /// Takes the size and the taste of a device.
    pub async fn become_device(&self, device: Device) {
        let metrics = json!({
            "width": device.width, "height": device.height, "mobile": device.mobile,
            "deviceScaleFactor": if device.mobile { 2 } else { 1 },
        });
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if device.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", media).await;
    }

    /// A command of the DevTools protocol.
    async fn command(&self, name: &str, parameters: Value) -> Value {
        let session = self.client.session_id().await.unwrap().unwrap();
        let url = format!("{}/session/{session}/goog/cdp/execute", self.driver_url);
        let body = json!({"cmd": name, "params": parameters}).to_string();
        let headers = [("content-type", "application/json")];
        let http = Http::default();
        let sent = http.send("POST", &url, &headers, body);
        let answer = Clock::real().timeout(COMMAND_WITHIN, sent).await;
        let answer = answer.unwrap_or_else(|_| panic!("the browser does not answer {name}"));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        answer.json()["value"].clone()
    }

    /// Opens an address.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Goes into the first frame that fits a selector.
    pub async fn enter_frame(&self, selector: &str) {
        let found = async || self.client.find(Locator::Css(selector)).await.ok();
        let frame = until(&format!("{selector} is there"), SHOWN_WITHIN, found).await;
        frame.enter_frame().await.unwrap();
    }

    /// Goes back to the page around the frame.
    pub async fn leave_frame(&self) {
        self.client.enter_parent_frame().await.unwrap();
    }

    /// Goes back to the page before.
    pub async fn back(&self) {
        self.client.back().await.unwrap();
    }

    /// The address of the page.
    pub async fn address(&self) -> String {
        self.client.current_url().await.unwrap().to_string()
    }

    /// The page as the browser has it now.
    pub async fn source(&self) -> String {
        self.client.source().await.unwrap()
    }

    /// Waits for the element with this `data-testid`.
    pub async fn see(&self, testid: &str) -> Element {
        let mark = format!("[data-testid=\"{testid}\"]");
        until(&format!("{testid} is shown"), SHOWN_WITHIN, async || {
            let element = self.client.find(Locator::Css(&mark)).await.ok()?;
            element.is_displayed().await.ok()?.then_some(element)
        })
        .await
    }

    /// Whether an element with this `data-testid` is there now.
    pub async fn has(&self, testid: &str) -> bool {
        let mark = format!("[data-testid=\"{testid}\"]");
        self.client.find(Locator::Css(&mark)).await.is_ok()
    }

    /// The text of an element.
    pub async fn text(&self, testid: &str) -> String {
        // A live page may put a new element in its place between two questions.
        let shown = async || self.see(testid).await.text().await.ok();
        until(&format!("{testid} has a text"), SHOWN_WITHIN, shown).await
    }

    /// Waits until the text of an element has this in it; the page before may have said another.
    pub async fn says(&self, testid: &str, words: &str) {
        let said = async || self.text(testid).await.contains(words).then_some(());
        until(&format!("{testid} says {words}"), SHOWN_WITHIN, said).await;
    }

    /// An attribute of an element; empty when it has none.
    pub async fn attribute(&self, testid: &str, name: &str) -> String {
        let asked = async || self.see(testid).await.attr(name).await.ok();
        until(&format!("{testid} has {name}"), SHOWN_WITHIN, asked).await.unwrap_or_default()
    }

    /// What stands in a field.
    pub async fn value(&self, testid: &str) -> String {
        self.see(testid).await.prop("value").await.unwrap().unwrap_or_default()
    }

    /// Waits until an attribute of an element has a value, over reloads of the page.
    pub async fn wait_for(&self, testid: &str, attribute: &str, value: &str) {
        let mark = format!("[data-testid=\"{testid}\"][{attribute}=\"{value}\"]");
        until(&format!("{testid} has {attribute} {value}"), SHOWN_WITHIN, async || {
            self.client.find(Locator::Css(&mark)).await.ok()
        })
        .await;
    }

    /// Presses a button or a link.
    pub async fn press(&self, testid: &str) {
        let pressed = async || self.see(testid).await.click().await.ok();
        until(&format!("{testid} can be pressed"), SHOWN_WITHIN, pressed).await;
    }

    /// Presses what leads to another page, and waits for that page.
    pub async fn follow(&self, testid: &str) {
        self.turn(async || self.press(testid).await).await;
    }

    /// Writes into a field instead of what stands there.
    pub async fn fill(&self, testid: &str, text: &str) {
        let field = self.see(testid).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses an entry of a list by its text.
    pub async fn choose(&self, testid: &str, entry: &str) {
        self.see(testid).await.select_by_label(entry).await.unwrap();
    }

    /// Types where the cursor stands.
    pub async fn keys(&self, text: &str) {
        self.client.active_element().await.unwrap().send_keys(text).await.unwrap();
    }

    /// Presses the tabulator: to the next field.
    pub async fn tab(&self) {
        self.keys(&char::from(Key::Tab).to_string()).await;
    }

    /// Presses Enter.
    pub async fn enter(&self) {
        self.keys(&char::from(Key::Enter).to_string()).await;
    }

    /// Presses one key as the keyboard does, wherever the focus is, also within frames.
    pub async fn key(&self, key: Press) {
        let (name, code, number, text, modifiers) = key.parts();
        let mut down = json!({"type": "keyDown", "key": name, "code": code,
            "windowsVirtualKeyCode": number, "modifiers": modifiers});
        if !text.is_empty() {
            down["text"] = json!(text);
        }
        if matches!(key, Press::SelectAll) {
            down["commands"] = json!(["selectAll"]);
        }
        self.command("Input.dispatchKeyEvent", down.clone()).await;
        down["type"] = json!("keyUp");
        self.command("Input.dispatchKeyEvent", down).await;
    }

    /// Types a text key by key, as the keyboard does.
    pub async fn type_keys(&self, text: &str) {
        for letter in text.chars() {
            self.key(Press::Letter(letter)).await;
        }
    }

    /// Where the focus is, and whether a person sees that it is there.
    pub async fn focused(&self) -> Focused {
        let found = self.evaluate(FOCUSED).await;
        Focused {
            tag: found["tag"].as_str().unwrap_or_default().to_owned(),
            testid: found["testid"].as_str().unwrap_or_default().to_owned(),
            words: found["words"].as_str().unwrap_or_default().to_owned(),
            trouble: found["trouble"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// The `data-testid` of the element that has the focus.
    pub async fn focus(&self) -> String {
        let element = self.client.active_element().await.unwrap();
        element.attr("data-testid").await.unwrap().unwrap_or_default()
    }

    /// The value of an expression in the page.
    pub async fn evaluate(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression}"), Vec::new()).await.unwrap()
    }

    /// The value of an expression; none while one page goes and another comes.
    pub async fn glance(&self, expression: &str) -> Option<Value> {
        self.client.execute(&format!("return {expression}"), Vec::new()).await.ok()
    }

    /// Does what leads to another page, and waits for that page: it may look like the one before.
    pub async fn turn(&self, act: impl AsyncFnOnce()) {
        self.evaluate("(window.isOld = true)").await;
        act().await;
        let arrived = "!window.isOld && document.readyState === 'complete'";
        let look = async || (self.glance(arrived).await? == true).then_some(());
        until("another page is there", SHOWN_WITHIN, look).await;
    }

    /// Keeps scripts with these addresses from being loaded: `*auto-submit.js`.
    pub async fn block(&self, addresses: &[&str]) {
        self.command("Network.enable", json!({})).await;
        self.command("Network.setBlockedURLs", json!({"urls": addresses})).await;
    }

    /// Ends what the page would do by itself: it is not loaded again while it is looked at.
    pub async fn hold_still(&self) {
        self.evaluate("window.stop()").await;
    }

    /// What turns from one colour to another has arrived.
    pub async fn finish_transitions(&self) {
        let finish = "document.getAnimations().filter(each => each instanceof CSSTransition) \
            .map(each => each.finish()).length";
        self.evaluate(finish).await;
    }

    /// What axe-core finds serious or critical on the page as it is; `axe` is its script.
    pub async fn look_with_axe(&self, axe: &str) -> Vec<String> {
        if self.evaluate("typeof axe").await != "object" {
            self.client.execute(axe, Vec::new()).await.unwrap();
        }
        let found = self
            .client
            .execute_async(
                "const done = arguments[0]; \
                 axe.run(document, {resultTypes: ['violations']}).then(result => done( \
                   result.violations.filter(it => ['serious', 'critical'].includes(it.impact)) \
                     .map(it => it.id + ': ' + it.nodes.slice(0, 3).map(node => node.html.slice(0, 160) \
                       + ' ' + (node.any[0]?.message || '')).join(' | '))))",
                Vec::new(),
            )
            .await
            .unwrap();
        found.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    }

    /// The page must not have to be scrolled sideways; says what sticks out.
    pub async fn assert_fits(&self) {
        let address = self.address().await;
        let found = self.evaluate(
            "(() => { const page = document.scrollingElement; \
             if (page.scrollWidth <= page.clientWidth) return ''; \
             const wide = [...document.querySelectorAll('body *')] \
               .filter(each => each.getBoundingClientRect().right > page.clientWidth + 1 \
                 && !each.closest('.scroll')) \
               .slice(0, 5).map(each => each.outerHTML.slice(0, 120)); \
             return page.scrollWidth + ' > ' + page.clientWidth + ': ' + wide.join(' | '); })()",
        );
        assert_eq!(found.await, "", "{address}");
    }

    /// Saves one element as a picture.
    pub async fn picture_of(&self, testid: &str, name: &str) {
        self.see(testid).await;
        let place = self
            .evaluate(&format!(
                "(() => {{ const box = document.querySelector('[data-testid=\"{testid}\"]') \
                 .getBoundingClientRect(); return {{x: box.x + scrollX, y: box.y + scrollY, \
                 width: box.width, height: box.height, scale: 1}}; }})()"
            ))
            .await;
        self.save(json!({"format": "png", "captureBeyondViewport": true, "clip": place}), name)
            .await;
    }

    /// Saves the whole page as a picture; what it is to show has to be there already.
    pub async fn picture(&self, name: &str) {
        self.save(json!({"format": "png", "captureBeyondViewport": true}), name).await;
    }

    async fn save(&self, parameters: Value, name: &str) {
        let shot = self.command("Page.captureScreenshot", parameters).await;
        let bytes = data_encoding::BASE64.decode(shot["data"].as_str().unwrap().as_bytes());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".artifacts");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), bytes.unwrap()).unwrap();
    }

    /// Forgets cookies, as another person would have others.
    pub async fn forget_me(&self) {
        self.client.delete_all_cookies().await.unwrap();
    }
}

impl Drop for Browser {
    /// Ends the processes that belong to this browser, and only those.
    fn drop(&mut self) {
        let mine = self.profile.text().to_owned();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(pid) = pid
                && String::from_utf8_lossy(&line).contains(&mine)
            {
                signal(pid, Signal::KILL);
            }
        }
        self.driver.start_kill().ok();
    }
}

fn capabilities(
    browser: &Path,
    profile: &Scratch,
    device: Device,
) -> serde_json::Map<String, Value> {
    let size = format!("--window-size={},{}", device.width.max(500), device.height);
    let data = format!("--user-data-dir={}", profile.text());
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-breakpad",
        "--disable-crash-reporter",
        "--hide-scrollbars",
        &size,
        &data,
    ];
    let mut options = json!({"args": arguments, "binary": browser});
    if !device.scripts {
        options["prefs"] = json!({"profile.managed_default_content_settings.javascript": 2});
    }
    let mut wanted = serde_json::Map::new();
    wanted.insert("goog:chromeOptions".to_owned(), options);
    wanted
}
