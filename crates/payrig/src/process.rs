//! What the system tells about a process: memory and processor time.

use std::fs;
use std::time::Duration;

/// Resident memory of a process, in KiB, where the system tells.
pub fn resident_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field_kib(&status, "VmRSS:")
}

fn field_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time that a process has used so far, in its own code and in the system's.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = ticks(&stat)?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let micros = ticks.saturating_mul(1_000_000).checked_div(per_second)?;
    Some(Duration::from_micros(micros))
}

/// User and system ticks: the 12th and 13th field after the name, which may hold blanks itself.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user.saturating_add(system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_does_not_shift_the_fields() {
        let stat = "4121 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1 0 100 0";
        assert_eq!(ticks(stat), Some(175));
    }

    #[test]
    fn this_process_has_memory_and_a_dead_one_has_none() {
        assert!(resident_kib(std::process::id()).is_some_and(|kib| kib > 1000));
        assert!(processor_time(std::process::id()).is_some());
        assert_eq!(resident_kib(u32::MAX), None);
        assert_eq!(field_kib("Name:\tx\nVmRSS:\t  5120 kB\n", "VmRSS:"), Some(5120));
    }
}
