//! Static files, compiled in: stylesheets, scripts, pictures.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use data_encoding::{BASE64, HEXLOWER};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::Problem;

/// Hexadecimal digits of a file's hash in its address.
const HASH_DIGITS: usize = 12;

#[derive(RustEmbed)]
#[folder = "../../templates/assets"]
struct Files;

/// The address of a file, for templates: `asset_url("shop/shop.css")`. Changes with its content,
/// so a browser may keep it for ever. A file that does not exist gets an address that is not found.
pub fn asset_url(path: &str) -> String {
    let hash = Files::get(path).map_or_else(|| "missing".to_owned(), |file| hash(&file));
    format!("/assets/{hash}/{path}")
}

/// The `integrity` of a script or stylesheet (Subresource Integrity): `sha256-…`.
pub fn integrity(path: &str) -> String {
    let hash = Files::get(path).map(|file| file.metadata.sha256_hash()).unwrap_or_default();
    format!("sha256-{}", BASE64.encode(&hash))
}

/// The content of a file, for tests and for inlining.
pub fn asset(path: &str) -> Option<Vec<u8>> {
    Files::get(path).map(|file| file.data.into_owned())
}

/// The paths of all files.
pub fn asset_paths() -> Vec<String> {
    Files::iter().map(std::borrow::Cow::into_owned).collect()
}

fn hash(file: &EmbeddedFile) -> String {
    let digest = HEXLOWER.encode(&file.metadata.sha256_hash());
    digest.get(..HASH_DIGITS).unwrap_or(&digest).to_owned()
}

/// `GET /assets/{hash}/{path}`: an old hash is served too, but not kept.
pub(crate) async fn serve(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = request.match_info().query("path");
    let file = Files::get(path).ok_or_else(Problem::not_found)?;
    let current = hash(&file);
    let kept = if request.match_info().query("hash") == current {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let tag = format!("\"{current}\"");
    let known = request.headers().get(header::IF_NONE_MATCH);
    let mut response = if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response.insert_header((header::CACHE_CONTROL, kept)).insert_header((header::ETAG, tag));
    response.insert_header((header::CONTENT_TYPE, content_type(path)));
    // Fonts and scripts of the embedded fields are loaded from the shop's page.
    response.insert_header(("cross-origin-resource-policy", "cross-origin"));
    Ok(match file.data {
        std::borrow::Cow::Borrowed(data) => response.body(bytes::Bytes::from_static(data)),
        std::borrow::Cow::Owned(data) => response.body(data),
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("webp") => "image/webp",
        Some("json") => "application/json",
        Some("txt" | "toml" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
