//! A payer without a browser: keeps cookies, follows redirects, fills forms.

use std::collections::BTreeMap;

use super::http::{Http, NoAnswer, Outgoing, encode_form};
use super::page::Page;

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 10;

/// Somebody with a cookie jar.
#[derive(Clone)]
pub struct Payer {
    http: Http,
    /// Cookies by origin and name.
    cookies: BTreeMap<(String, String), String>,
}

impl Payer {
    /// A payer with an empty cookie jar.
    pub fn new(http: Http) -> Self {
        Self { http, cookies: BTreeMap::new() }
    }

    /// Opens an address.
    pub async fn open(&mut self, url: &str) -> Result<Page, NoAnswer> {
        self.request("GET", url, None, REDIRECTS_MAX).await
    }

    /// Sends a form that stands on a page.
    pub async fn submit(
        &mut self,
        page: &Page,
        action: &str,
        fields: &[(String, String)],
    ) -> Result<Page, NoAnswer> {
        let seen = self.post(page, action, fields).await?;
        if seen.leads_on() { self.open(&seen.url).await } else { Ok(seen) }
    }

    /// Sends a form that stands on a page and goes nowhere yet: where it is led to is the address
    /// of what comes back.
    pub async fn post(
        &mut self,
        page: &Page,
        action: &str,
        fields: &[(String, String)],
    ) -> Result<Page, NoAnswer> {
        let url = if action.is_empty() { page.url.clone() } else { absolute(&page.url, action) };
        self.request("POST", &url, Some(encode_form(fields)), 0).await
    }

    async fn request(
        &mut self,
        method: &str,
        url: &str,
        form: Option<String>,
        redirects_max: usize,
    ) -> Result<Page, NoAnswer> {
        let (mut method, mut url, mut form) = (method.to_owned(), url.to_owned(), form);
        for redirects in 0..REDIRECTS_MAX {
            let origin = origin(&url);
            let mut headers = vec![("accept".to_owned(), "text/html".to_owned())];
            let cookies = self.cookies.iter().filter(|((of, _), _)| *of == origin);
            let cookies: Vec<String> =
                cookies.map(|((_, name), value)| format!("{name}={value}")).collect();
            if !cookies.is_empty() {
                headers.push(("cookie".to_owned(), cookies.join("; ")));
            }
            if form.is_some() {
                let kind = "application/x-www-form-urlencoded";
                headers.push(("content-type".to_owned(), kind.to_owned()));
                headers.push(("origin".to_owned(), origin.clone()));
                headers.push(("sec-fetch-site".to_owned(), "same-origin".to_owned()));
            }
            let body = form.take().unwrap_or_default().into_bytes();
            let outgoing = Outgoing { method: method.clone(), url: url.clone(), headers, body };
            let answer = self.http.send(outgoing).await?;
            let set = answer.headers.get_all("set-cookie").iter();
            for cookie in set.filter_map(|value| value.to_str().ok()) {
                let pair = cookie.split(';').next().unwrap_or_default();
                if let Some((name, value)) = pair.split_once('=') {
                    self.cookies.insert((origin.clone(), name.to_owned()), value.to_owned());
                }
            }
            let location = absolute(&url, answer.header("location"));
            let seen = Page { html: answer.text(), status: answer.status, url };
            if !seen.leads_on() {
                return Ok(seen);
            }
            if redirects >= redirects_max {
                return Ok(Page { url: location, ..seen });
            }
            url = location;
            "GET".clone_into(&mut method);
        }
        Err(NoAnswer { url, reason: "more than ten redirects".to_owned() })
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    format!("http://{}", rest.split(['/', '?']).next().unwrap_or_default())
}

fn absolute(base: &str, to: &str) -> String {
    let path = base.split('?').next().unwrap_or_default();
    match to.chars().next() {
        _ if to.starts_with("http://") => to.to_owned(),
        Some('/') => format!("{}{to}", origin(base)),
        Some('?') | None => format!("{path}{to}"),
        Some(_) => format!("{}/{to}", path.rsplit_once('/').map_or(path, |(parent, _)| parent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_resolved_as_browsers_do() {
        let base = "http://h:1/pay/p1?x=1";
        assert_eq!(absolute(base, "/pay/p1/status"), "http://h:1/pay/p1/status");
        assert_eq!(absolute(base, "?y=2"), "http://h:1/pay/p1?y=2");
        assert_eq!(absolute(base, "p2"), "http://h:1/pay/p2");
        assert_eq!(absolute(base, "http://s:2/"), "http://s:2/");
    }
}
