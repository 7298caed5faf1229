//! What `payrig up` says once everything runs.

use std::fmt::Write;
use std::path::Path;

use crate::cli::UpFlags;
use crate::keys::Account;
use crate::program::{Addresses, Program};
use crate::terminal::Look;

/// The banner: addresses, a card to pay with, and how to connect.
pub fn text(flags: &UpFlags, addresses: Addresses, faults: usize, look: Look) -> String {
    let place = if flags.ephemeral { "in memory".into() } else { shown(&flags.state.state) };
    let faults = match faults {
        0 => "no faults".to_owned(),
        1 => look.wait("1 fault armed"),
        count => look.wait(&format!("{count} faults armed")),
    };
    let dot = look.sign("·", "-");
    let facts = format!(
        "state {place} {dot} seed {} {dot} clock {} {dot} {faults}",
        flags.seed,
        flags.clock.as_str()
    );
    let mut text =
        format!("  {}     {facts}     Ctrl-C stops everything\n\n", look.strong("Payrig is up"));
    let rows = [
        ("Shop", addresses.of(Program::Merchant), CARD.to_owned()),
        ("Console", addresses.console(), "programs, payments, messages".to_owned()),
        ("Gateway", addresses.api(), format!("docs /api/docs {dot} dashboard /dashboard")),
        ("Processor", addresses.of(Program::ProcessorSim), "networks and issuing banks".to_owned()),
    ];
    for (name, address, words) in rows {
        let padding = " ".repeat(33_usize.saturating_sub(address.len()));
        let address = look.strong(&address);
        writeln!(text, "  {name:<9}  {address}{padding}  {}", look.faint(&words)).ok();
    }
    let state = state_option(&flags.state.state);
    write!(text, "\n  Point your own shop here:  eval \"$(payrig env{state})\"\n").ok();
    text
}

const CARD: &str = "pay with 4242 4242 4242 4242, any future date, any code";

/// Said once, when the keys are new: who may sign in.
pub fn accounts(accounts: &[Account], addresses: Addresses, state: &Path, look: Look) -> String {
    let mut text = format!(
        "\n  {}  (said once; later by `payrig env{}`)\n",
        look.strong("Sign in"),
        state_option(state)
    );
    for account in accounts {
        let place = sign_in_place(&account.program, addresses);
        writeln!(text, "  {place}  {:<6} {}", account.name, account.password).ok();
    }
    text
}

/// Where the people of a program sign in.
pub fn sign_in_place(program: &str, addresses: Addresses) -> String {
    if program == Program::Gateway.as_str() {
        format!("{}/dashboard", addresses.of(Program::Gateway))
    } else {
        format!("{}/office", addresses.of(Program::Merchant))
    }
}

fn shown(path: &Path) -> String {
    if path.is_relative() && !path.starts_with(".") && !path.starts_with("..") {
        format!("./{}", path.display())
    } else {
        path.display().to_string()
    }
}

fn state_option(path: &Path) -> String {
    if path == Path::new(".payrig") {
        String::new()
    } else {
        format!(" --state {}", path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{ClockMode, StateFlag};

    fn flags() -> UpFlags {
        UpFlags {
            state: StateFlag { state: ".payrig".into() },
            ephemeral: false,
            port_base: 7070,
            seed: 42,
            clock: ClockMode::Real,
            limits: None,
            open: false,
            faults: None,
            log_dir: None,
            log_level: "warn".into(),
            json: false,
        }
    }

    #[test]
    fn the_banner_says_where_things_are_and_what_to_do_next() {
        let addresses = Addresses::from_base(7070);
        insta::assert_snapshot!(text(&flags(), addresses, 0, Look::PLAIN), @r#"
        Payrig is up     state ./.payrig · seed 42 · clock real · no faults     Ctrl-C stops everything

        Shop       http://127.0.0.1:7071              pay with 4242 4242 4242 4242, any future date, any code
        Console    http://127.0.0.1:7070              programs, payments, messages
        Gateway    http://127.0.0.1:7072/api          docs /api/docs · dashboard /dashboard
        Processor  http://127.0.0.1:7073              networks and issuing banks

        Point your own shop here:  eval "$(payrig env)"
        "#);
    }

    #[test]
    fn another_state_directory_is_part_of_every_command_that_is_shown() {
        let mut flags = flags();
        flags.state.state = "/tmp/world".into();
        let addresses = Addresses::from_base(8070);
        let text = text(&flags, addresses, 1, Look { unicode: false, ..Look::PLAIN });
        assert!(text.contains("eval \"$(payrig env --state /tmp/world)\""), "{text}");
        assert!(text.contains("state /tmp/world - seed 42 - clock real - 1 fault armed"), "{text}");
    }

    #[test]
    fn accounts_are_named_with_the_place_to_sign_in() {
        let ada = Account {
            program: "merchant".into(),
            name: "ada".into(),
            role: "operator".into(),
            password: "aaaaa-bbbbb-ccccc-ddddd".into(),
        };
        let text = accounts(&[ada], Addresses::from_base(7070), Path::new(".payrig"), Look::PLAIN);
        insta::assert_snapshot!(text, @r"
        Sign in  (said once; later by `payrig env`)
        http://127.0.0.1:7071/office  ada    aaaaa-bbbbb-ccccc-ddddd
        ");
    }
}
