//! A crash point kills the process, and only when it is hit.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use kit::crash_points::{Boundary, CrashPoint, CrashPoints};
use kit::settings;

const CHILD: &str = "PAYRIG_TEST_CRASH_CHILD";

/// The other half of the test below: does nothing unless that one starts it.
#[test]
fn a_child_that_reaches_its_crash_point() {
    if settings::variable(CHILD).is_none() {
        return;
    }
    let points = CrashPoints::default();
    let at = Boundary::AnswerStored;
    points.arm(CrashPoint { message: "authorization".into(), at, nth: 2 }).unwrap();
    points.reached("authorization", at);
    std::fs::write(settings::variable(CHILD).unwrap(), "still alive").unwrap();
    points.reached("authorization", at);
    std::fs::write(settings::variable(CHILD).unwrap(), "survived").unwrap();
}

#[test]
fn a_process_dies_at_its_crash_point_as_if_the_power_failed() {
    let note = std::env::temp_dir().join(format!("payrig-crash-{}", std::process::id()));
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::a_child_that_reaches_its_crash_point"])
        .env(CHILD, &note)
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(9), "{status:?}");
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "still alive");
    std::fs::remove_file(note).unwrap();
}
