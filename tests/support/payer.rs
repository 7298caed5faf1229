//! A payer without a browser: keeps cookies, fills forms, follows redirects, reads pages.

use std::collections::BTreeMap;

use crate::http::{Answer, Http};

/// Somebody with a cookie jar.
#[derive(Clone)]
pub struct Payer {
    http: Http,
    /// Cookies by origin and name.
    cookies: BTreeMap<(String, String), String>,
    /// The fields of every form that was sent.
    forms: Vec<Vec<(String, String)>>,
}

/// A page and where it was found.
#[derive(Clone, Debug)]
pub struct PageSeen {
    /// Its address, after redirects.
    pub url: String,
    /// Its status code.
    pub status: u16,
    /// Its HTML.
    pub html: String,
    /// The last answer whole.
    pub answer: Answer,
}

impl PageSeen {
    /// The text of the element with this `data-testid`, tags removed; empty when there is none.
    pub fn text(&self, testid: &str) -> String {
        let mark = format!("data-testid=\"{testid}\"");
        let Some(at) = self.html.find(&mark) else { return String::new() };
        let open = self.html[..at].rfind('<').unwrap();
        let name: String =
            self.html[open + 1..].chars().take_while(char::is_ascii_alphanumeric).collect();
        let rest = &self.html[at..];
        let start = rest.find('>').unwrap() + 1;
        let close = format!("</{name}>");
        let end = rest[start..].find(&close).map_or(rest.len(), |end| start + end);
        plain(&rest[start..end])
    }

    /// Whether an element with this `data-testid` is there.
    pub fn has(&self, testid: &str) -> bool {
        self.html.contains(&format!("data-testid=\"{testid}\""))
    }

    /// The value of an attribute of the element with this `data-testid`.
    pub fn attribute(&self, testid: &str, name: &str) -> Option<String> {
        let at = self.html.find(&format!("data-testid=\"{testid}\""))?;
        let open = self.html[..at].rfind('<')?;
        let end = at + self.html[at..].find('>')?;
        let tag = &self.html[open..end];
        let mark = format!(" {name}=\"");
        let start = tag.find(&mark)? + mark.len();
        let value = &tag[start..];
        Some(unescape(&value[..value.find('"')?]))
    }

    /// The hidden and preset fields of the form whose tag contains `mark`, and its action.
    pub fn form(&self, mark: &str) -> (String, Vec<(String, String)>) {
        let at = self.html.find(mark).unwrap_or_else(|| panic!("no form {mark} in {}", self.html));
        let open = self.html[..at].rfind("<form").unwrap();
        let form = &self.html[open..];
        let form = &form[..form.find("</form>").unwrap()];
        let action = attribute_of(&form[..form.find('>').unwrap()], "action").unwrap_or_default();
        let mut fields = Vec::new();
        for input in form.split("<input").skip(1) {
            let tag = &input[..input.find('>').unwrap_or(input.len())];
            if let Some(name) = attribute_of(tag, "name") {
                let kind = attribute_of(tag, "type").unwrap_or_default();
                if !["checkbox", "radio", "submit"].contains(&&*kind) || tag.contains(" checked") {
                    fields.push((name, attribute_of(tag, "value").unwrap_or_default()));
                }
            }
        }
        (action, fields)
    }
}

fn attribute_of(tag: &str, name: &str) -> Option<String> {
    let mark = format!(" {name}=\"");
    let start = tag.find(&mark)? + mark.len();
    Some(unescape(&tag[start..start + tag[start..].find('"')?]))
}

fn unescape(text: &str) -> String {
    text.replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
}

fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            _ if !inside => text.push(letter),
            _ => {}
        }
    }
    unescape(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What is typed into the card form.
#[derive(Clone, Copy)]
pub struct CardTyped<'a> {
    /// Card number.
    pub number: &'a str,
    /// `MM / YY`.
    pub expiry: &'a str,
    /// Security code.
    pub code: &'a str,
}

impl<'a> CardTyped<'a> {
    /// A number with a fitting date and code.
    pub fn new(number: &'a str) -> Self {
        let code =
            if number.starts_with("34") || number.starts_with("37") { "1234" } else { "123" };
        Self { number, expiry: "12 / 30", code }
    }
}

impl Payer {
    /// A payer with an empty cookie jar.
    pub fn new(http: Http) -> Self {
        Self { http, cookies: BTreeMap::new(), forms: Vec::new() }
    }

    /// Opens an address.
    pub async fn open(&mut self, url: &str) -> PageSeen {
        self.try_open(url).await.unwrap()
    }

    /// Opens an address where nobody may answer.
    pub async fn try_open(&mut self, url: &str) -> anyhow::Result<PageSeen> {
        self.request("GET", url, None).await
    }

    /// The last form that was sent with a field of this name.
    pub fn last_form(&self, name: &str) -> Option<Vec<(String, String)>> {
        let has = |form: &&Vec<(String, String)>| form.iter().any(|(field, _)| field == name);
        self.forms.iter().rev().find(has).cloned()
    }

    /// Sends a form.
    pub async fn submit(&mut self, url: &str, fields: &[(String, String)]) -> PageSeen {
        self.forms.push(fields.to_vec());
        self.request("POST", url, Some(encode(fields))).await.unwrap()
    }

    /// Fills and sends the form of a page whose tag contains `mark`.
    pub async fn fill(&mut self, page: &PageSeen, mark: &str, typed: &[(&str, &str)]) -> PageSeen {
        self.try_fill(page, mark, typed).await.unwrap()
    }

    /// Fills and sends a form that nobody may answer.
    pub async fn try_fill(
        &mut self,
        page: &PageSeen,
        mark: &str,
        typed: &[(&str, &str)],
    ) -> anyhow::Result<PageSeen> {
        let (action, mut fields) = page.form(mark);
        for (name, value) in typed {
            match fields.iter_mut().find(|(field, _)| field == name) {
                Some((_, old)) => (*value).clone_into(old),
                None => fields.push(((*name).to_owned(), (*value).to_owned())),
            }
        }
        let url = if action.is_empty() { page.url.clone() } else { absolute(&page.url, &action) };
        self.forms.push(fields.clone());
        self.request("POST", &url, Some(encode(&fields))).await
    }

    /// Types a card into the hosted page, presses Pay, and waits for what the page then says.
    pub async fn pay(&mut self, page: &PageSeen, card: CardTyped<'_>) -> PageSeen {
        let typed = [("cc-number", card.number), ("cc-exp", card.expiry), ("cc-csc", card.code)];
        let mut seen = self.fill(page, "data-testid=\"card-form\"", &typed).await;
        for _ in 0..500 {
            let waiting = seen.attribute("outcome", "data-outcome");
            if waiting.as_deref() != Some("processing") || seen.has("method-form") {
                break;
            }
            tokio::task::yield_now().await;
            seen = self.open(&seen.url.clone()).await;
        }
        seen
    }

    /// One request with cookies, following redirects of pages.
    async fn request(
        &mut self,
        method: &str,
        url: &str,
        form: Option<String>,
    ) -> anyhow::Result<PageSeen> {
        let (mut method, mut url, mut form) = (method.to_owned(), url.to_owned(), form);
        for _ in 0..10 {
            let origin = origin(&url);
            let cookies: Vec<String> = self
                .cookies
                .iter()
                .filter(|((of, _), _)| *of == origin)
                .map(|((_, name), value)| format!("{name}={value}"))
                .collect();
            let cookies = cookies.join("; ");
            let mut headers = vec![("accept", "text/html")];
            if !cookies.is_empty() {
                headers.push(("cookie", cookies.as_str()));
            }
            if form.is_some() {
                headers.push(("content-type", "application/x-www-form-urlencoded"));
                headers.push(("origin", origin.as_str()));
                headers.push(("sec-fetch-site", "same-origin"));
            }
            let body = form.clone().unwrap_or_default();
            let answer = self.http.try_send(&method, &url, &headers, body).await?;
            for cookie in answer.headers.get_all("set-cookie") {
                let text = cookie.to_str().unwrap();
                let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert((origin.clone(), name.to_owned()), value.to_owned());
            }
            if matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                url = absolute(&url, &answer.header("location"));
                "GET".clone_into(&mut method);
                form = None;
                continue;
            }
            let html = answer.text();
            return Ok(PageSeen { url, status: answer.status, html, answer });
        }
        panic!("more than ten redirects at {url}");
    }
}

/// Scheme, host and port of an address.
pub fn origin(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    format!("http://{}", rest.split(['/', '?']).next().unwrap())
}

fn absolute(base: &str, to: &str) -> String {
    if to.starts_with("http://") {
        return to.to_owned();
    }
    if to.starts_with('/') {
        return format!("{}{to}", origin(base));
    }
    if to.starts_with('?') {
        return format!("{}{to}", base.split('?').next().unwrap());
    }
    let path = base.split('?').next().unwrap();
    format!("{}/{to}", &path[..path.rfind('/').unwrap()])
}

/// Form encoding.
pub fn encode(fields: &[(String, String)]) -> String {
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |mut all, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    all.push(char::from(byte));
                }
                b' ' => all.push('+'),
                _ => all.push_str(&format!("%{byte:02X}")),
            }
            all
        })
    };
    fields
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect::<Vec<_>>()
        .join("&")
}
