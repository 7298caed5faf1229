//! Tests of the command line.

use super::*;

fn read(line: &str) -> CommandLine {
    match parse(words(line)).unwrap() {
        Parsed::Run(line) => *line,
        Parsed::Text(text) => panic!("{text}"),
    }
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn refused(line: &str) -> String {
    parse(words(line)).unwrap_err().to_string()
}

fn up(line: &str) -> UpFlags {
    match read(line).command {
        Some(Command::Up(flags)) => *flags,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    CommandLine::command().debug_assert();
}

#[test]
fn plain_payrig_and_leading_flags_mean_up() {
    assert_eq!(up("payrig").port_base, 7070);
    assert_eq!(up("payrig --port-base 8070").port_base, 8070);
    assert_eq!(up("payrig --color never --seed 7").seed, 7);
    assert_eq!(up("payrig --color=never").seed, 42);
    assert_eq!(up("payrig up --clock virtual").clock, ClockMode::Virtual);
    assert!(matches!(read("payrig --color never env").command, Some(Command::Env(_))));
    assert!(read("payrig fault clear --state /tmp/world --json").command.is_some());
}

#[test]
fn help_and_version_are_texts() {
    for line in ["payrig --help", "payrig -V", "payrig up --help", "payrig client --help"] {
        assert!(matches!(parse(words(line)), Ok(Parsed::Text(_))), "{line}");
    }
}

#[test]
fn the_overview_names_every_command() {
    for command in CommandLine::command().get_subcommands() {
        assert!(
            OVERVIEW.contains(&format!("\n  {} ", command.get_name())),
            "{}",
            command.get_name()
        );
    }
}

#[test]
fn every_command_shows_two_examples() {
    for command in CommandLine::command().get_subcommands() {
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let count = examples.matches("\n  ").count();
        assert!(count == 2 || command.get_name() == "serve", "{}", command.get_name());
    }
}

#[test]
fn a_typo_gets_a_suggestion() {
    insta::assert_snapshot!(refused("payrig trcae pay_1"), @r"
    error: unrecognized subcommand `trcae`
    help: did you mean `trace`?
    help: usage: payrig [COMMAND]
    ");
    insta::assert_snapshot!(refused("payrig up --prot-base 8070"), @r"
    error: unexpected argument `--prot-base` found
    help: did you mean `--port-base`?
    help: usage: payrig up --port-base <PORT>
    ");
}

#[test]
fn a_wrong_value_names_the_setting_the_value_and_what_is_expected() {
    insta::assert_snapshot!(refused("payrig up --port-base 70000"), @r"
    error: invalid value `70000` for `--port-base <PORT>`: 70000 is not in 1..=65532
    help: `payrig --help` lists the commands
    ");
    insta::assert_snapshot!(refused("payrig up --clock lunar"), @r"
    error: invalid value `lunar` for `--clock <CLOCK>` [possible values: real, virtual]
    help: `payrig --help` lists the commands
    ");
    insta::assert_snapshot!(refused("payrig call GET"), @r"
    error: the following required arguments were not provided: <PATH>
    help: usage: payrig call <METHOD> <PATH> [JSON]
    ");
}
