//! Creation, adoption, eviction and sweeping of versions whose files keep their names.

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;

use super::checksum::Checksum;
use super::testing::{begin, files, noise, root, store, PATIENCE};
use super::{tree, Store, Tree};
use crate::error::Code;

const LABEL: &str = "videos/v1";

fn write(store: &Store, digest: &str, parts: &[(&str, &[u8])]) -> Tree {
    let bytes = parts.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let mut writer = begin(store, digest, Some(bytes));
    for (path, bytes) in parts {
        writer.entry(path, bytes.len() as u64).unwrap();
        writer.write(bytes).unwrap();
    }
    writer.publish_tree().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_keep_their_names_and_are_read_only() {
    let (dir, store) = store(u64::MAX);
    let large = noise(1, (3 << 20) + 5);
    fs::write(dir.path().join("local"), &large).unwrap();
    let mut writer = begin(&store, "files-a", Some(large.len() as u64 + 5));
    writer.entry("b/c/streamed", 3).unwrap();
    writer.write(b"ab").unwrap();
    writer.write(b"c").unwrap();
    writer.entry("b/empty", 0).unwrap();
    writer.entry("copied.sst", large.len() as u64).unwrap();
    writer.copy_local(&dir.path().join("local")).unwrap();
    writer.entry("z", 2).unwrap();
    writer.write(b"zz").unwrap();
    let made = writer.publish_tree().unwrap();
    assert_eq!(made.bytes(), large.len() as u64 + 5);
    assert_eq!(store.disk_used(), made.bytes());
    assert_eq!(files(&store), ["files-a.bytes", "files-a.files"]);
    let at = |name: &str| made.path().join(name);
    assert_eq!(fs::read(at("b/c/streamed")).unwrap(), b"abc");
    assert_eq!(fs::read(at("b/empty")).unwrap(), b"");
    assert!(fs::read(at("copied.sst")).unwrap() == large);
    assert_eq!(fs::read(at("z")).unwrap(), b"zz");
    for (name, expected) in [("", 0o500), ("b", 0o500), ("b/c", 0o500), ("b/c/streamed", 0o400), ("z", 0o400)]
    {
        assert_eq!(mode(&at(name)), expected, "{name}");
    }
    made.drop_pages();
    made.read_ahead();
    assert!(store.begin("files-a", LABEL, None, None, PATIENCE).unwrap().is_none());
    let adopted = store.adopt_tree("files-a", LABEL, Some(made.bytes())).unwrap();
    assert_eq!((adopted.path(), adopted.bytes()), (made.path(), made.bytes()));
}

#[test]
fn one_file_is_a_path_of_its_own() {
    let (_dir, store) = store(u64::MAX);
    let made = write(&store, "file-a", &[("GeoLite2.mmdb", b"db")]);
    assert!(made.path().ends_with("file-a.files/GeoLite2.mmdb"));
    let adopted = store.adopt_tree("file-a", LABEL, None).unwrap();
    assert_eq!(fs::read(adopted.path()).unwrap(), b"db");
}

#[test]
fn the_checksum_of_a_directory_is_that_of_sha256sum_s_lines() {
    let (_dir, store) = store(u64::MAX);
    let lines = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a/abc\n\
                 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n";
    let sum: [u8; 32] = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(lines)).into();
    let attempt = |digest: &str, sum: Checksum| {
        let mut writer = store.begin(digest, LABEL, None, Some(sum), PATIENCE).unwrap().unwrap();
        writer.entry("b", 0).unwrap();
        writer.entry("a/abc", 3).unwrap();
        writer.write(b"abc").unwrap();
        writer.publish_tree()
    };
    attempt("files-a", Checksum::Sha256(sum)).unwrap();
    let error = attempt("files-b", Checksum::Sha256([0; 32])).err().unwrap();
    assert_eq!(error.code(), Code::ChecksumMismatch);
    assert_eq!(files(&store), ["files-a.bytes", "files-a.files"]);
    let abc =
        Checksum::parse("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
    let mut writer = store.begin("file-a", LABEL, None, Some(abc), PATIENCE).unwrap().unwrap();
    writer.entry("abc", 3).unwrap();
    writer.write(b"abc").unwrap();
    writer.publish_tree().unwrap();
}

#[test]
fn wrong_lengths_and_wrong_names_publish_nothing() {
    let (_dir, store) = store(u64::MAX);
    for path in ["", "/x", "a//b", "../x", "a/../b", ".", "a/", "x\0y", &"a/".repeat(80)] {
        let error = begin(&store, "files-a", None).entry(path, 1).unwrap_err();
        assert_eq!(error.code(), Code::BadArgument, "{path:?} {error}");
    }
    let mut writer = begin(&store, "files-a", None);
    writer.entry("twice", 0).unwrap();
    writer.entry("twice", 0).unwrap_err();
    drop(writer);
    let mut writer = begin(&store, "files-a", None);
    writer.entry("short", 5).unwrap();
    writer.write(b"abc").unwrap();
    let error = writer.publish_tree().err().unwrap();
    assert_eq!(error.code(), Code::SourceSizeMismatch);
    assert!(error.message().contains("short") && error.message().contains("gave 3 bytes"), "{error}");
    let mut bytes = begin(&store, "a", None);
    assert_eq!(bytes.entry("x", 1).unwrap_err().code(), Code::BadArgument);
    drop(bytes);
    assert_eq!(files(&store), [""; 0]);
    assert_eq!(store.disk_used(), 0);
}

#[test]
fn files_that_are_used_anywhere_on_the_host_stay_and_others_make_room() {
    let dir = root();
    let open = || Store::open(&dir.path().join("cache"), "app-1", 10).unwrap();
    let (one, other) = (open(), open());
    let used = write(&one, "files-a", &[("x", b"12345")]);
    let needs_six = || other.begin("b", LABEL, Some(6), None, PATIENCE);
    assert_eq!(needs_six().err().unwrap().code(), Code::DiskLimit);
    assert_eq!(fs::read(used.path().join("x")).unwrap(), b"12345");
    drop(used);
    let mut writer = needs_six().unwrap().unwrap();
    writer.write(b"123456").unwrap();
    drop(writer.publish().unwrap());
    assert_eq!(files(&one), ["b.bytes"]);
    let again = write(&one, "files-a", &[("x", b"12345678")]);
    assert_eq!(files(&one), ["files-a.bytes", "files-a.files"]);
    assert_eq!(fs::read(again.path().join("x")).unwrap(), b"12345678");
}

#[test]
fn what_was_given_up_or_left_over_is_out_of_the_next_writer_s_way() {
    let (_dir, store) = store(u64::MAX);
    let mut hung = begin(&store, "files-a", Some(5));
    hung.entry("x", 5).unwrap();
    hung.hold().give_up();
    let left = store.shared.directory.path().join("files-a.files");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("old"), "old").unwrap();
    let made = write(&store, "files-a", &[("x", b"new")]);
    assert_eq!(hung.write(b"12345").unwrap_err().code(), Code::CatalogClosed);
    assert_eq!(hung.publish_tree().err().unwrap().code(), Code::CatalogClosed);
    assert_eq!(files(&store), ["files-a.bytes", "files-a.files"]);
    assert_eq!(fs::read_dir(made.path()).unwrap().count(), 1);
}

#[test]
fn files_that_something_else_removed_are_written_anew() {
    let (_dir, store) = store(u64::MAX);
    let made = write(&store, "files-a", &[("x", b"abc")]);
    let path = made.path().to_path_buf();
    drop(made);
    tree::remove(store.shared.directory.fd(), "files-a.files");
    assert!(!path.exists());
    let made = write(&store, "files-a", &[("x", b"abcd")]);
    assert_eq!(fs::read(made.path().join("x")).unwrap(), b"abcd");
}

#[test]
fn what_dead_processes_left_goes_and_links_lead_nowhere() {
    let (root, elsewhere) = (root(), root());
    let live = Store::open(root.path(), "live", u64::MAX).unwrap();
    let mut writing = begin(&live, "files-w", None);
    writing.entry("x", 1).unwrap();
    let made = write(&live, "files-a", &[("d/x", b"abc")]);
    let app = root.path().join("live");
    fs::write(elsewhere.path().join("letter"), "x").unwrap();
    for name in ["files-dead-0000000000000001.parts/d", "dead/files-b.files/d"] {
        let path = if name.starts_with("dead") { root.path().join(name) } else { app.join(name) };
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("x"), "x").unwrap();
        symlink(elsewhere.path(), path.join("link")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).unwrap();
    }
    let dead = root.path().join("dead");
    fs::set_permissions(&dead, fs::Permissions::from_mode(0o700)).unwrap();
    for name in ["process-1-00.lock", "files-b.bytes"] {
        fs::write(dead.join(name), "x").unwrap();
    }
    let _mine = Store::open(root.path(), "mine", u64::MAX).unwrap();
    assert!(!dead.exists());
    let left = files(&live);
    assert_eq!(left.iter().filter(|name| name.ends_with(".parts")).count(), 1, "{left:?}");
    assert!(!left.iter().any(|name| name.contains("dead")), "{left:?}");
    writing.write(b"1").unwrap();
    drop(writing.publish_tree().unwrap());
    assert_eq!(fs::read(made.path().join("d/x")).unwrap(), b"abc");
    assert!(elsewhere.path().join("letter").exists());
    drop(made);
    live.close();
    assert!(!app.exists());
}
