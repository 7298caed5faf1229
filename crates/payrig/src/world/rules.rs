//! `program.key: value`: the settings of a world's programs, by the names of their flags.

use clap::{CommandFactory, FromArgMatches};
use serde_json::{Map, Value};

use crate::failure::{Failure, Outcome};
use crate::program::Program;

/// The settings of all three programs, read but not yet applied.
pub struct Rules {
    gateway: gateway::Flags,
    merchant: merchant::Flags,
    timers: processor_sim::Timers,
}

impl Rules {
    /// The same as flags of programs in processes of their own.
    pub fn as_flags(settings: &Map<String, Value>) -> Outcome<Vec<(Program, String)>> {
        Self::read(settings)?;
        let [merchant, gateway, processor] = arguments(settings)?;
        let of = |program: Program, words: Vec<String>| {
            words.into_iter().skip(1).map(move |word| (program, word))
        };
        let all = of(Program::Merchant, merchant)
            .chain(of(Program::Gateway, gateway))
            .chain(of(Program::ProcessorSim, processor));
        Ok(all.collect())
    }

    /// Reads `gateway.processor_deadline: 5s` and the like; a wrong one is named.
    pub fn read(settings: &Map<String, Value>) -> Outcome<Self> {
        let [merchant, gateway, processor] = arguments(settings)?;
        let processor = parsed::<processor_sim::CommandLine>(processor)?.flags;
        let timers = processor.timers().map_err(|error| refused(&error))?;
        Ok(Self {
            gateway: parsed::<gateway::CommandLine>(gateway)?.flags,
            merchant: parsed::<merchant::CommandLine>(merchant)?.flags,
            timers,
        })
    }

    pub(super) fn for_gateway(&self, settings: &mut gateway::settings::Settings) -> Outcome {
        self.gateway.rules(settings).map_err(|error| refused(&error))
    }

    pub(super) fn for_merchant(&self, settings: &mut merchant::Settings) {
        self.merchant.rules(settings);
    }

    pub(super) fn for_processor(&self, settings: &mut processor_sim::Settings) {
        settings.timers = self.timers;
    }
}

/// The command lines of shop, gateway and processor.
fn arguments(settings: &Map<String, Value>) -> Outcome<[Vec<String>; 3]> {
    let mut arguments = Program::ALL.map(|program| vec![program.as_str().to_owned()]);
    for (name, value) in settings {
        let (program, key) = name.split_once('.').unwrap_or((name, ""));
        let place = Program::ALL.iter().position(|known| known.as_str() == program);
        let Some(words) = place.and_then(|place| arguments.get_mut(place)) else {
            return Err(Failure::unreadable(format!("the setting `{name}` names no program"))
                .help("write `gateway.processor_deadline: 5s`"));
        };
        let flag = format!("--{}", key.replace('_', "-"));
        match value {
            Value::Bool(true) => words.push(flag),
            Value::Bool(false) | Value::Null => {}
            Value::String(text) => words.push(format!("{flag}={text}")),
            other => words.push(format!("{flag}={other}")),
        }
    }
    Ok(arguments)
}

/// Flags alone: what stands in the environment is meant for programs, not for worlds.
fn parsed<T: CommandFactory + FromArgMatches>(arguments: Vec<String>) -> Outcome<T> {
    let command = T::command().mut_args(|argument| argument.env(clap::builder::Resettable::Reset));
    let matches = command.try_get_matches_from(arguments).map_err(|error| refused(&error))?;
    T::from_arg_matches(&matches).map_err(|error| refused(&error))
}

fn refused(error: &dyn std::fmt::Display) -> Failure {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    Failure::unreadable(format!("a setting of the world is refused: {first}"))
}
