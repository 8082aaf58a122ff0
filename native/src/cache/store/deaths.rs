//! Deaths of processes between the last byte and the naming of a file, as a user other than root, whom no
//! file mode stops.
//!
//! A child is this test binary again, running only `child`, which reads its role from the environment and
//! drops root rights.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::testing::again::this_binary;
use super::testing::{begin, noise, root};
use super::{names, Store};

const ROLE: &str = "ANDIRON_DEATHS_ROLE";
const ROOT: &str = "ANDIRON_DEATHS_ROOT";
const SOMEBODY: u32 = 54_321;
const LENGTH: u64 = 1 << 20;

fn start(role: &str, root: &Path) -> Child {
    this_binary()
        .args(["cache::store::deaths::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(ROOT, root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads the child's output until this text; false if the output ends before.
fn says(child: &mut Child, wanted: &str) -> bool {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    lines.map_while(Result::ok).any(|line| line.contains(wanted))
}

fn wait_for_a_byte() {
    std::io::stdin().read_exact(&mut [0]).unwrap();
}

#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    if rustix::process::geteuid().is_root() {
        // SAFETY: only this process's own rights change; glibc changes them for all of its threads.
        assert_eq!(unsafe { libc::setuid(SOMEBODY) }, 0);
    }
    let root = std::env::var(ROOT).unwrap();
    let store = Store::open(Path::new(&root), "app-1", LENGTH).unwrap();
    println!("@open");
    match role.as_str() {
        "die" => {
            let mut writer = begin(&store, "half", Some(LENGTH));
            writer.write(&noise(1, LENGTH as usize)).unwrap();
            let _mapping = writer.before_its_name().unwrap();
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
        "take-over" => {
            wait_for_a_byte();
            let taken = store.begin("half", "half", Some(3), None, Duration::from_secs(2)).unwrap();
            let mut writer = taken.unwrap();
            writer.write(b"new").unwrap();
            assert_eq!(writer.publish().unwrap().len(), 3);
            assert_eq!(std::fs::read(Path::new(&root).join("app-1/half.bytes")).unwrap(), b"new");
        }
        "need-its-room" => {
            wait_for_a_byte();
            drop(store.begin("other", "other", Some(LENGTH), None, Duration::from_secs(2)).unwrap().unwrap());
        }
        "come-after" => store.close(),
        unknown => panic!("no such role: {unknown}"),
    }
}

#[test]
fn who_dies_before_a_file_has_its_name_blocks_nobody() {
    for survivor in ["take-over", "need-its-room", "come-after"] {
        let root = root();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(root.path(), Some(SOMEBODY), None).unwrap();
        }
        let left = root.path().join("app-1").join(names::temporary("half"));
        let live = (survivor != "come-after").then(|| start(survivor, root.path())).map(|mut live| {
            assert!(says(&mut live, "@open"));
            live
        });
        let mut dying = start("die", root.path());
        assert!(says(&mut dying, "@open"));
        assert!(!dying.wait().unwrap().success());
        assert_eq!(std::fs::metadata(&left).unwrap().len(), LENGTH, "the unpublished file remains");
        let mut live = live.unwrap_or_else(|| start(survivor, root.path()));
        // A process that comes after may have ended already, and does not read.
        drop(live.stdin.as_mut().unwrap().write_all(b"\n"));
        assert!(live.wait().unwrap().success(), "{survivor}");
        assert!(!left.exists(), "{survivor}");
        assert!(survivor != "come-after" || !root.path().join("app-1").exists());
    }
}
