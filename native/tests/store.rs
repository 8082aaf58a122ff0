//! The store between processes: one download per host, take-over from dead writers, and sweeps that spare
//! live processes.
//!
//! A child is this test binary again, running only `child`, which reads its role from the environment. It
//! reports its actions in lines that begin with `@`, and continues after each line of input.

#![allow(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod again;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use andiron::cache::store::{Mapping, Store};

const PATIENCE: Duration = Duration::from_secs(30);
const ROLE: &str = "ANDIRON_STORE_TEST_ROLE";
const ROOT: &str = "ANDIRON_STORE_TEST_ROOT";
const APPLICATION: &str = "ANDIRON_STORE_TEST_APPLICATION";

/// Another process with a store; killed when dropped.
struct Other {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str, root: &Path, application: &str) -> Other {
        let mut process = again::this_binary()
            .args(["child", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(ROOT, root)
            .env(APPLICATION, application)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Other { process, input, output }
    }

    /// The next report of the child.
    fn says(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the child has ended");
            if let Some((_, said)) = line.split_once('@') {
                return said.trim().to_string();
            }
        }
    }

    fn go_on(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }

    /// Ends the child like `kill -9`.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn say(text: &str) {
    println!("@{text}");
}

fn wait_for_a_line() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// The inode that the kernel shows at a mapping's address.
fn inode_of(mapping: &Mapping) -> u64 {
    let start = format!("{:x}-", mapping.address());
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.starts_with(&start)).unwrap();
    line.split_whitespace().nth(4).unwrap().parse().unwrap()
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * index % 251) as u8).collect()
}

fn private_root() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn open(root: &Path, application: &str) -> Store {
    Store::open(root, application, 1 << 30).unwrap()
}

fn publish(store: &Store, digest: &str) -> Mapping {
    let mut writer = store.begin(digest, digest, None, None, PATIENCE).unwrap().unwrap();
    writer.write(&bytes(10_000)).unwrap();
    writer.publish().unwrap()
}

/// The entry of the other process; without a role, in the test run itself, it does nothing.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let root = PathBuf::from(std::env::var(ROOT).unwrap());
    let application = std::env::var(APPLICATION).unwrap();
    let store = open(&root, &application);
    match role.as_str() {
        "write-and-hang" => {
            let mut writer = store.begin("half", "half", Some(8 << 20), None, PATIENCE).unwrap().unwrap();
            writer.write(&vec![0xff; 5 << 20]).unwrap();
            say("writing");
            wait_for_a_line();
        }
        "load" => {
            say("open");
            wait_for_a_line();
            let (how, mapping) = match store.begin("d1", "d1", None, None, PATIENCE).unwrap() {
                Some(mut writer) => {
                    std::thread::sleep(Duration::from_millis(100));
                    writer.write(&bytes(3 << 20)).unwrap();
                    ("loaded", writer.publish().unwrap())
                }
                None => ("adopted", store.adopt("d1", "d1", Some(3 << 20)).unwrap()),
            };
            say(&format!("{how} {}", inode_of(&mapping)));
            wait_for_a_line();
            store.close();
            say("closed");
        }
        "publish-and-live" => {
            let _mapping = publish(&store, "d1");
            say("published");
            wait_for_a_line();
        }
        "come-and-go" => {
            for round in 0..20 {
                let store = open(&root, &application);
                let digest = format!("p{}r{round}", std::process::id());
                let _mapping = publish(&store, &digest);
                assert!(root.join(&application).join(format!("{digest}.bytes")).exists());
                drop(store.adopt(&digest, &digest, Some(10_000)).unwrap());
                store.close();
            }
            say("done");
            wait_for_a_line();
        }
        unknown => panic!("no such role: {unknown}"),
    }
}

#[test]
fn a_writer_that_is_killed_is_taken_over() {
    let root = private_root();
    let store = open(root.path(), "app");
    let mut other = Other::start("write-and-hang", root.path(), "app");
    assert_eq!(other.says(), "writing");
    assert_eq!(fs::metadata(root.path().join("app/half.tmp")).unwrap().len(), 8 << 20);
    std::thread::scope(|scope| {
        let waiter =
            scope.spawn(|| store.begin("half", "half", Some(10_000), None, PATIENCE).unwrap().unwrap());
        std::thread::sleep(Duration::from_millis(120));
        assert!(!waiter.is_finished());
        other.kill();
        let mut writer = waiter.join().unwrap();
        assert_eq!(store.disk_used(), 10_000);
        writer.write(&bytes(10_000)).unwrap();
        let mapping = writer.publish().unwrap();
        assert_eq!(mapping.len(), 10_000);
    });
    assert_eq!(fs::read(root.path().join("app/half.bytes")).unwrap(), bytes(10_000));
    assert!(!root.path().join("app/half.tmp").exists());
}

#[test]
fn two_processes_download_once_and_map_one_file() {
    let root = private_root();
    for round in 0..4 {
        let application = format!("app-{round}");
        let mut others: Vec<Other> =
            (0..3).map(|_| Other::start("load", root.path(), &application)).collect();
        for other in &mut others {
            assert_eq!(other.says(), "open");
        }
        others.iter_mut().for_each(Other::go_on);
        let said: Vec<String> = others.iter_mut().map(Other::says).collect();
        let loaded: Vec<&str> = said.iter().filter_map(|said| said.strip_prefix("loaded ")).collect();
        let adopted: Vec<&str> = said.iter().filter_map(|said| said.strip_prefix("adopted ")).collect();
        assert_eq!((loaded.len(), adopted.len()), (1, 2), "{said:?}");
        assert!(adopted.iter().all(|inode| *inode == loaded[0]), "{said:?}");
        let path = root.path().join(&application).join("d1.bytes");
        assert_eq!(fs::metadata(&path).unwrap().ino().to_string(), loaded[0]);
        assert_eq!(fs::read(&path).unwrap(), bytes(3 << 20));
        for other in &mut others {
            assert!(path.exists());
            other.go_on();
            assert_eq!(other.says(), "closed");
        }
        assert!(!root.path().join(&application).exists(), "the last process removes the directory");
    }
}

#[test]
fn a_sweep_removes_the_dead_and_leaves_the_living() {
    let root = private_root();
    let mut live = Other::start("publish-and-live", root.path(), "live");
    assert_eq!(live.says(), "published");
    let mut dead = Other::start("publish-and-live", root.path(), "dead");
    assert_eq!(dead.says(), "published");
    let mut half = Other::start("write-and-hang", root.path(), "live");
    assert_eq!(half.says(), "writing");
    let _mine = open(root.path(), "mine");
    assert!(root.path().join("dead/d1.bytes").exists());
    assert!(root.path().join("live/half.tmp").exists());
    dead.kill();
    half.kill();
    let _other = open(root.path(), "other");
    assert!(!root.path().join("dead").exists());
    assert!(!root.path().join("live/half.tmp").exists());
    assert_eq!(fs::read(root.path().join("live/d1.bytes")).unwrap(), bytes(10_000));
    live.kill();
    let _third = open(root.path(), "third");
    assert!(!root.path().join("live").exists());
}

#[test]
fn processes_that_start_and_stop_together_do_not_sweep_each_other() {
    let root = private_root();
    let mut others: Vec<Other> =
        (0..4).map(|index| Other::start("come-and-go", root.path(), ["app-a", "app-b"][index % 2])).collect();
    for other in &mut others {
        assert_eq!(other.says(), "done");
    }
    others.into_iter().for_each(Other::kill);
    let store = open(root.path(), "last");
    store.close();
    let left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".andiron.lock"]);
}

#[test]
fn a_process_that_dies_while_others_wait_delays_them_by_a_slice() {
    let root = private_root();
    let store = open(root.path(), "app");
    let mut other = Other::start("write-and-hang", root.path(), "app");
    assert_eq!(other.says(), "writing");
    other.kill();
    let start = Instant::now();
    let writer = store.begin("half", "half", None, None, PATIENCE).unwrap();
    assert!(writer.is_some());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
