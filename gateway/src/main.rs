//! The gateway as a program of its own.

use clap::Parser;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let command_line = gateway::CommandLine::parse();
    gateway::serve(command_line.flags).await
}
