//! Taken ports: found before anything starts, with the name of their holder where it is known.

use std::fs;
use std::net::TcpListener;

use crate::cli::loopback;
use crate::failure::{Failure, Outcome};
use crate::program::{Addresses, Program};

/// How far to move when the usual ports are taken.
const STEP: u16 = 1000;
/// Where `free_base` begins to look.
const SEARCH_FROM: u16 = 17_070;
/// How many places `free_base` looks at.
const SEARCHES_MAX: u16 = 400;

/// Claims the console's port and makes sure that the other three are free.
pub fn claim(addresses: Addresses) -> Outcome<TcpListener> {
    let console = TcpListener::bind(loopback(addresses.console_port()))
        .map_err(|error| taken(addresses, addresses.console_port(), "the console", &error))?;
    for program in Program::ALL {
        let port = addresses.port(program);
        TcpListener::bind(loopback(port))
            .map_err(|error| taken(addresses, port, program.spoken(), &error))?;
    }
    Ok(console)
}

/// Free ports, and the listener that keeps the first of them so that nobody else takes the rest.
pub fn claim_free() -> Outcome<(Addresses, TcpListener)> {
    let places =
        (0..SEARCHES_MAX).map(|place| SEARCH_FROM.saturating_add(place.saturating_mul(10)));
    let mut free = places.filter_map(|base| {
        let addresses = Addresses::from_base(base);
        claim(addresses).ok().map(|console| (addresses, console))
    });
    free.next().ok_or_else(|| Failure::could_not_run("no four free ports in a row were found"))
}

/// A base port with three free ports behind it.
pub fn free_base() -> Outcome<u16> {
    let places =
        (0..SEARCHES_MAX).map(|place| SEARCH_FROM.saturating_add(place.saturating_mul(10)));
    let mut free = places.filter(|&base| claim(Addresses::from_base(base)).is_ok());
    free.next().ok_or_else(|| {
        Failure::could_not_run("no four free ports in a row were found")
            .help("name a free place with `--port-base PORT`")
    })
}

fn taken(addresses: Addresses, port: u16, wanted_by: &str, error: &std::io::Error) -> Failure {
    if error.kind() != std::io::ErrorKind::AddrInUse {
        return Failure::could_not_run(format!("cannot listen on port {port}: {error}"))
            .help("choose other ports with `payrig up --port-base PORT`");
    }
    let holder = holder(port).map_or(String::new(), |holder| format!(" by {holder}"));
    let other = other_base(addresses.console_port());
    Failure::could_not_run(format!("port {port}, wanted by {wanted_by}, is in use{holder}"))
        .help(format!("stop it, or run `payrig up --port-base {other}`"))
}

fn other_base(base: u16) -> u16 {
    let next = base.saturating_add(STEP);
    if next > 65_532 { base.saturating_sub(STEP) } else { next }
}

/// `process 4121 (node)`, where the system tells.
fn holder(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).ok());
    let inode = tables.iter().flatten().find_map(|table| listening_inode(table, port))?;
    let link = format!("socket:[{inode}]");
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            continue;
        };
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else { continue };
        let holds = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.as_os_str() == link.as_str());
        if holds {
            let command = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("process {pid} ({})", command.trim_end()));
        }
    }
    None
}

/// The inode of the socket that listens on a port, from the system's table of sockets.
fn listening_inode(table: &str, port: u16) -> Option<&str> {
    const LISTENING: &str = "0A";
    let ending = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let (local, state) = (fields.nth(1)?, fields.nth(1)?);
        let inode = fields.nth(5)?;
        (local.ends_with(&ending) && state == LISTENING).then_some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_port_program_holder_and_the_way_out() {
        let base = free_base().unwrap();
        let addresses = Addresses::from_base(base);
        let gateway = TcpListener::bind(loopback(addresses.port(Program::Gateway))).unwrap();
        let message = claim(addresses).unwrap_err().to_string();
        let port = gateway.local_addr().unwrap().port();
        let pid = std::process::id();
        let start =
            format!("error: port {port}, wanted by the gateway, is in use by process {pid} (");
        assert!(message.starts_with(&start), "{message}");
        let help = format!("help: stop it, or run `payrig up --port-base {}`", base + 1000);
        assert!(message.ends_with(&help), "{message}");
        drop(gateway);
        claim(addresses).unwrap();
    }

    #[test]
    fn the_listening_socket_is_found_among_others() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1BA0 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 111 1
   1: 0100007F:1BA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 222 1
";
        assert_eq!(listening_inode(table, 7072), Some("222"));
        assert_eq!(listening_inode(table, 7073), None);
    }

    #[test]
    fn advice_stays_within_the_range_of_ports() {
        assert_eq!(other_base(7070), 8070);
        assert_eq!(other_base(65_000), 64_000);
    }
}
