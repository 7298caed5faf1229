//! `payrig serve`: one program alone, exactly as its own binary runs it.

use crate::cli::{ServeFlags, ServeProgram};
use crate::failure::{Failure, Outcome};

pub(super) async fn run(flags: ServeFlags) -> Outcome {
    let ended = match flags.program {
        ServeProgram::Gateway(flags) => gateway::serve(*flags).await,
        ServeProgram::Merchant(flags) => merchant::serve(*flags).await,
        ServeProgram::ProcessorSim(flags) => processor_sim::serve(*flags).await,
    };
    ended.map_err(|error| in_lines(&format!("{error:#}")))
}

/// What a program says may end with advice: `…; help: run …`.
fn in_lines(text: &str) -> Failure {
    let (message, help) = text.split_once("; help: ").unwrap_or((text, ""));
    let failure = Failure::could_not_run(message);
    if help.is_empty() { failure } else { failure.help(help) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_of_a_program_gets_a_line_of_its_own() {
        let failure = in_lines("keys/gateway.json does not exist; help: run `payrig keys`");
        insta::assert_snapshot!(failure, @r"
        error: keys/gateway.json does not exist
        help: run `payrig keys`
        ");
    }
}
