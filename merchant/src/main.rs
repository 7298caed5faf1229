//! The shop as a program of its own; `payrig up` starts the same.

use clap::Parser;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    merchant::serve(merchant::CommandLine::parse().flags).await
}
