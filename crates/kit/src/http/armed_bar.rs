//! The bar that tells on every page of a program that faults are armed.

use actix_web::http::header::{self, HeaderMap};
use bytes::Bytes;

use super::serve::Served;

/// Where the bar goes: at the end of the header that every page has.
const PLACE: &[u8] = b"</header>";

/// The page with the bar in it, while a fault is armed; anything else as it is.
pub(super) fn shown(served: &Served, headers: &HeaderMap, body: Bytes) -> Bytes {
    let count = served.plumbing.faults.acting();
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if count == 0 || !kind.starts_with(b"text/html") {
        return body;
    }
    with_bar(&body, count, &served.links.docs)
}

fn with_bar(body: &Bytes, count: usize, docs: &str) -> Bytes {
    let found = body.windows(PLACE.len()).position(|window| window == PLACE);
    let Some((before, after)) = found.and_then(|place| body.split_at_checked(place)) else {
        return body.clone();
    };
    let mut page = before.to_vec();
    page.extend_from_slice(bar(count, docs).as_bytes());
    page.extend_from_slice(after);
    page.into()
}

fn bar(count: usize, docs: &str) -> String {
    let words =
        if count == 1 { "1 fault is armed".into() } else { format!("{count} faults are armed") };
    let console = docs.split_once("/docs/").map(|(console, _)| console);
    let link = console.map_or_else(String::new, |it| format!(" <a href=\"{it}/faults\">Look</a>"));
    format!(
        "<div class=\"bar armed\" role=\"status\" lang=\"en\" dir=\"ltr\" data-testid=\"armed-bar\">\
         <div class=\"wrap\"><p><b>{words}:</b> something goes wrong here on purpose.{link}</p>\
         </div></div>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_stands_at_the_end_of_the_first_header() {
        let page = Bytes::from_static(b"<header>a</header><main><header>b</header></main>");
        let shown = with_bar(&page, 2, "http://127.0.0.1:7070/docs/reference/errors");
        let shown = String::from_utf8(shown.to_vec()).unwrap();
        assert!(shown.starts_with("<header>a<div class=\"bar armed\""), "{shown}");
        assert!(shown.contains("2 faults are armed"), "{shown}");
        assert!(shown.contains("href=\"http://127.0.0.1:7070/faults\""), "{shown}");
        assert!(shown.ends_with("</header><main><header>b</header></main>"), "{shown}");
    }

    #[test]
    fn a_page_without_a_header_stays_as_it_is() {
        let page = Bytes::from_static(b"<main>fields</main>");
        assert_eq!(with_bar(&page, 1, ""), page);
        assert!(!bar(1, "").contains("href"));
    }
}
