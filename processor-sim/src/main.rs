//! The processor as a program of its own.

use clap::Parser;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    processor_sim::serve(processor_sim::CommandLine::parse().flags).await
}
