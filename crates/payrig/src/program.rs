//! The three programs of a world, and where each of them listens.

use serde::{Deserialize, Serialize};

/// A program of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// The shop.
    Merchant,
    /// The payment gateway.
    Gateway,
    /// Processor, networks and issuers.
    ProcessorSim,
}

impl Program {
    /// All of them, in the order of their ports.
    pub const ALL: [Self; 3] = [Self::Merchant, Self::Gateway, Self::ProcessorSim];

    /// The name on the command line and of its files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Merchant => "merchant",
            Self::Gateway => "gateway",
            Self::ProcessorSim => "processor-sim",
        }
    }

    /// The name in a sentence.
    pub const fn spoken(self) -> &'static str {
        match self {
            Self::Merchant => "the shop",
            Self::Gateway => "the gateway",
            Self::ProcessorSim => "the processor",
        }
    }

    /// The program that sends on a link, such as `gateway->processor`.
    pub fn sending_on(link: &str) -> Option<Self> {
        match link.split_once("->")?.0 {
            "merchant" => Some(Self::Merchant),
            "gateway" => Some(Self::Gateway),
            "processor" | "network" | "issuer" | "directory" | "acs" => Some(Self::ProcessorSim),
            _ => None,
        }
    }
}

impl std::fmt::Display for Program {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Where a world listens: four ports on the loopback interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    console: u16,
    merchant: u16,
    gateway: u16,
    processor: u16,
}

impl Addresses {
    /// The console at `port_base`, the programs behind it.
    pub const fn from_base(port_base: u16) -> Self {
        Self {
            console: port_base,
            merchant: port_base.saturating_add(1),
            gateway: port_base.saturating_add(2),
            processor: port_base.saturating_add(3),
        }
    }

    /// Ports that the system chose: of shop, gateway and processor, and of the console that
    /// started them.
    pub const fn scattered(console: u16, [merchant, gateway, processor]: [u16; 3]) -> Self {
        Self { console, merchant, gateway, processor }
    }

    /// Port of the console.
    pub const fn console_port(self) -> u16 {
        self.console
    }

    /// Port of a program.
    pub const fn port(self, program: Program) -> u16 {
        match program {
            Program::Merchant => self.merchant,
            Program::Gateway => self.gateway,
            Program::ProcessorSim => self.processor,
        }
    }

    /// Address of the console.
    pub fn console(self) -> String {
        url(self.console_port())
    }

    /// Address of a program.
    pub fn of(self, program: Program) -> String {
        url(self.port(program))
    }

    /// Address of the gateway's API.
    pub fn api(self) -> String {
        format!("{}/api", self.of(Program::Gateway))
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_listen_behind_the_console() {
        let addresses = Addresses::from_base(8070);
        assert_eq!(addresses.console(), "http://127.0.0.1:8070");
        assert_eq!(addresses.of(Program::Merchant), "http://127.0.0.1:8071");
        assert_eq!(addresses.api(), "http://127.0.0.1:8072/api");
        assert_eq!(addresses.port(Program::ProcessorSim), 8073);
    }

    #[test]
    fn a_link_belongs_to_the_program_that_sends_on_it() {
        assert_eq!(Program::sending_on("gateway->processor"), Some(Program::Gateway));
        assert_eq!(Program::sending_on("network->issuer"), Some(Program::ProcessorSim));
        assert_eq!(Program::sending_on("browser->merchant"), None);
        assert_eq!(Program::sending_on("gateway"), None);
    }
}
