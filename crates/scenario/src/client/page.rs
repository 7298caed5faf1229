//! A page as a browser without eyes reads it.

/// A page and where it was found.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its address, after redirects.
    pub url: String,
    /// Its status code.
    pub status: u16,
    /// Its HTML.
    pub html: String,
}

/// A form of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Where it is sent.
    pub action: String,
    /// Its hidden and preset fields.
    pub fields: Vec<(String, String)>,
}

impl Page {
    /// Whether it is an answer that leads to another address, which is `url`.
    pub const fn leads_on(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// What a person reads: the text of the body without tags.
    pub fn text(&self) -> String {
        let body = self.html.split_once("<body").map_or(self.html.as_str(), |(_, body)| body);
        let body = body.split_once('>').map_or("", |(_, rest)| rest);
        plain(body)
    }

    /// Whether an element with this `data-testid` is there.
    pub fn has(&self, testid: &str) -> bool {
        self.html.contains(&mark(testid))
    }

    /// An attribute of the element with this `data-testid`.
    pub fn attribute(&self, testid: &str, name: &str) -> Option<String> {
        let (before, after) = self.html.split_once(&mark(testid))?;
        let head = before.rsplit_once('<')?.1;
        let tail = after.split_once('>')?.0;
        attribute(head, name).or_else(|| attribute(tail, name))
    }

    /// The form whose tag contains `mark`.
    pub fn form(&self, mark: &str) -> Option<Form> {
        let (before, after) = self.html.split_once(mark)?;
        let head = before.rsplit_once("<form")?.1;
        let (tail, rest) = after.split_once('>')?;
        let action = attribute(head, "action").or_else(|| attribute(tail, "action"));
        let inputs = rest.split_once("</form>")?.0.split("<input").skip(1);
        let fields = inputs.filter_map(|input| preset(input.split('>').next()?));
        Some(Form { action: action.unwrap_or_default(), fields: fields.collect() })
    }
}

fn mark(testid: &str) -> String {
    format!("data-testid=\"{testid}\"")
}

/// What an input sends when nobody touches it.
fn preset(tag: &str) -> Option<(String, String)> {
    let name = attribute(tag, "name")?;
    let kind = attribute(tag, "type").unwrap_or_default();
    let chosen = !["checkbox", "radio", "submit"].contains(&kind.as_str());
    (chosen || tag.contains(" checked"))
        .then(|| (name, attribute(tag, "value").unwrap_or_default()))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescape(after.split_once('"')?.0))
}

fn unescape(text: &str) -> String {
    [
        ("&#38;", "&"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_a_browser_would() {
        let html = r#"<html><body class="x"><form method="post" action="/pay?a=1&amp;b=2"
            data-testid="card-form"><input type="hidden" name="key" value="k&#34;1">
            <input type="checkbox" name="save" value="1"></form>
            <section data-testid="outcome" data-outcome="paid"><p>Thank  you</p></section></body>"#;
        let page = Page { html: html.into(), ..Page::default() };
        let form = page.form("data-testid=\"card-form\"").unwrap();
        assert_eq!(form.action, "/pay?a=1&b=2");
        assert_eq!(form.fields, [("key".to_owned(), "k\"1".to_owned())]);
        assert_eq!(page.attribute("outcome", "data-outcome").as_deref(), Some("paid"));
        assert!(page.has("outcome") && !page.has("decline"));
        assert_eq!(page.text(), "Thank you");
    }
}
