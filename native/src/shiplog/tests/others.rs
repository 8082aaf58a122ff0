//! Interference of other users and processes that exchange names below a log.

use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::sync::mpsc;

use rustix::fs::{FileType, Mode};

use super::super::folder::Folder;
use super::super::testing::{events, open, read_all, root, segments, PATIENCE};
use super::super::*;

/// A closed log of three events.
fn closed(root: &Path, application: &str) -> std::path::PathBuf {
    let log = open(root, application, Options::for_tests());
    for event in events(0..3) {
        log.append(event);
    }
    log.close(PATIENCE).unwrap();
    log.folder().to_path_buf()
}

fn private(path: &Path) {
    std::fs::create_dir(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

fn pipe(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

/// The result of `body`, unless it blocks for good.
fn in_time<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(body()));
    told.recv_timeout(PATIENCE).expect("it waits for a pipe")
}

#[test]
fn pipes_and_links_are_no_logs() {
    let (_dir, root) = root();
    let folder = closed(&root, "app-1");
    for (name, lock) in [("pipe", false), ("lock", true)] {
        let other = root.join(name);
        private(&other);
        if lock {
            pipe(&other.join("writer.lock"));
            std::fs::copy(&segments(&folder)[0], other.join("segment-0000000001.log")).unwrap();
        } else {
            pipe(&other.join("segment-0000000001.log"));
        }
    }
    let linked = root.join("linked");
    private(&linked);
    symlink(&segments(&folder)[0], linked.join("segment-0000000001.log")).unwrap();
    let found = in_time(move || applications(&root).unwrap());
    let mut names: Vec<&str> =
        found.iter().map(|found| found.folder.file_name().unwrap().to_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["app-1", "lock"]);
    let error = in_time(move || read(&linked).unwrap().next().unwrap().unwrap_err());
    assert!(error.message().contains("segment-0000000001.log"), "{error}");
}

#[test]
fn a_folder_that_is_exchanged_while_it_is_removed_stays() {
    let (_dir, root) = root();
    let folder = closed(&root, "app-1");
    let held = Folder::alone(&folder).unwrap().unwrap();
    let aside = root.join("aside");
    std::fs::rename(&folder, &aside).unwrap();
    private(&folder);
    held.remove().unwrap();
    assert!(folder.exists(), "another folder has the name");
    assert_eq!(std::fs::read_dir(&aside).unwrap().count(), 0, "the files of the log are gone");

    let kept = closed(&root, "app-2");
    let folder = closed(&root, "app-3");
    let held = Folder::alone(&folder).unwrap().unwrap();
    std::fs::rename(&folder, root.join("aside-3")).unwrap();
    symlink(&kept, &folder).unwrap();
    held.remove().unwrap();
    assert_eq!(read_all(&kept).0, events(0..3));
}

#[test]
fn a_position_that_is_a_link_is_not_followed() {
    let (dir, root) = root();
    let folder = closed(&root, "app-1");
    set_position(&folder, "kafka", Sequence(3)).unwrap();
    let letter = dir.path().join("letter");
    std::fs::write(&letter, "dear").unwrap();
    symlink(folder.join("position-kafka"), folder.join("position-hive")).unwrap();
    symlink(&letter, folder.join("position-atlas.new")).unwrap();
    assert_eq!(position(&folder, "hive"), None);
    assert!(set_position(&folder, "atlas", Sequence(3)).is_err());
    assert_eq!(std::fs::read_to_string(&letter).unwrap(), "dear");
    set_position(&folder, "hive", Sequence(2)).unwrap();
    assert_eq!(
        (position(&folder, "hive"), position(&folder, "kafka")),
        (Some(Sequence(2)), Some(Sequence(3)))
    );
}
