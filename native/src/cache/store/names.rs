//! The names of the store's files and directories.
//!
//! Names come from outside (an application id, a digest), so each is checked to be one path component before
//! it is used, and only files with a name of the store's forms are ever removed.

use sha2::Digest as _;

use crate::error::{Code, Error, Result};
use crate::private_dir::Purpose;

/// The purpose of the root and of the directories of applications.
pub(super) const CACHE_DIRECTORY: Purpose =
    Purpose { name: "cache directory", setting: "spark.andiron.cache.dir" };

/// The lock of a root directory.
pub(super) const ROOT_LOCK: &str = ".andiron.lock";
/// The lock under which disk space is made and reserved.
pub(super) const DISK_LOCK: &str = "disk.lock";
/// Begins the name of an application directory that is being deleted.
pub(super) const REMOVED: &str = ".andiron-removed-";
/// The longest application id that is used unchanged, and the longest digest.
const LONGEST: usize = 128;

/// The kind of a file in an application directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileKind<'a> {
    /// `process-<pid>-<nonce>.lock`: locked as long as its process uses the application.
    Process,
    /// [`DISK_LOCK`].
    Disk,
    /// `<digest>.tmp`: locked by the process that writes it.
    Temporary,
    /// `<digest>.bytes`: complete, never written again.
    Published(&'a str),
    /// `<digest>.files`: a directory of complete files, never written again.
    Tree,
    /// `<digest>-<nonce>.parts`: such a directory while it is written or removed.
    Parts,
    /// Not a file of the store: never touched.
    Foreign,
}

/// The kind of file with this name.
pub(super) fn kind(name: &str) -> FileKind<'_> {
    if name == DISK_LOCK {
        return FileKind::Disk;
    }
    match name.rsplit_once('.') {
        Some((stem, "lock")) if stem.starts_with("process-") => FileKind::Process,
        Some((digest, "tmp")) if is_digest(digest) => FileKind::Temporary,
        Some((digest, "bytes")) if is_digest(digest) => FileKind::Published(digest),
        Some((digest, "files")) if is_tree(digest) => FileKind::Tree,
        Some((stem, "parts")) if is_tree(stem) => FileKind::Parts,
        _ => FileKind::Foreign,
    }
}

/// The name of a published file.
pub(super) fn published(digest: &str) -> String {
    format!("{digest}.bytes")
}

/// The name of a file that is being written.
pub(super) fn temporary(digest: &str) -> String {
    format!("{digest}.tmp")
}

/// The form of a version, as its digest shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One file without a name for users, to be mapped.
    Bytes,
    /// `file-…`: one file that keeps its name, in a directory of its own.
    File,
    /// `files-…`: a directory.
    Directory,
}

/// The form of a digest.
pub(super) fn form(digest: &str) -> Form {
    match digest.split_once('-') {
        Some(("file", _)) => Form::File,
        Some(("files", _)) => Form::Directory,
        _ => Form::Bytes,
    }
}

/// The directory of a digest whose files keep their names.
pub(super) fn tree(digest: &str) -> String {
    format!("{digest}.files")
}

/// The name of such a directory while it is written or removed; `nonce` distinguishes its users.
pub(super) fn parts(digest: &str, nonce: u64) -> String {
    format!("{digest}-{nonce:016x}.parts")
}

/// The directory of an application: its id, or a hash of a long id.
///
/// Ids that are empty, contain `/` or NUL, or begin with a dot are [`Code::BadSetting`].
pub(super) fn application(id: &str) -> Result<String> {
    let bad = |why: &str| {
        let shown: String = id.chars().take(80).collect();
        let message = format!("the application id {shown:?} cannot name a cache directory: {why}");
        Err(Error::new(Code::BadSetting, message))
    };
    if id.is_empty() {
        return bad("it is empty");
    }
    if id.starts_with('.') {
        return bad("it begins with a dot");
    }
    if id.contains(['/', '\0']) {
        return bad("it contains a slash or a NUL");
    }
    if id.len() > LONGEST {
        let hash = sha2::Sha256::digest(id.as_bytes());
        return Ok(hash.iter().fold(String::from("application-"), |name, byte| format!("{name}{byte:02x}")));
    }
    Ok(id.to_string())
}

/// Checks that a digest is one path component: 1 to 128 letters, digits, `-` or `_`.
pub(super) fn digest(digest: &str) -> Result<()> {
    if is_digest(digest) {
        return Ok(());
    }
    let shown: String = digest.chars().take(80).collect();
    let message = format!("the digest {shown:?} is not 1 to {LONGEST} letters, digits, '-' or '_'");
    Err(Error::new(Code::BadArgument, message))
}

fn is_tree(text: &str) -> bool {
    is_digest(text) && form(text) != Form::Bytes
}

fn is_digest(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Noise;
    use super::*;
    use std::path::{Component, Path};

    #[test]
    fn spark_s_own_ids_are_kept() {
        for id in ["local-1700000000000", "app-20240101000000-0001", "application_1_2", "spark-é name"] {
            assert_eq!(application(id).unwrap(), id);
        }
    }

    #[test]
    fn what_is_not_one_component_is_refused() {
        for id in ["", ".", "..", "a/b", "/", "../x", "a\0b", ".hidden", ".andiron-removed-1"] {
            assert_eq!(application(id).unwrap_err().code(), Code::BadSetting, "{id:?}");
        }
        for bad in ["", "a.b", "a/b", "..", "é", "a b", &"x".repeat(129)] {
            assert_eq!(digest(bad).unwrap_err().code(), Code::BadArgument, "{bad:?}");
        }
    }

    #[test]
    fn long_ids_are_hashed_apart() {
        let name = application(&"x".repeat(5_000)).unwrap();
        assert_eq!(name.len(), 76);
        assert_ne!(name, application(&"x".repeat(5_001)).unwrap());
    }

    #[test]
    fn random_ids_never_panic_and_never_leave_the_directory() {
        let mut random = Noise::new(3);
        let alphabet: Vec<char> = "ab./\\\0 ~é\u{0}\u{202e}\n".chars().collect();
        for _ in 0..10_000 {
            let length = random.below(160) as usize;
            let id: String =
                (0..length).map(|_| alphabet[random.below(alphabet.len() as u64) as usize]).collect();
            if let Ok(name) = application(&id) {
                let parts: Vec<Component<'_>> = Path::new(&name).components().collect();
                assert!(matches!(parts[..], [Component::Normal(_)]), "{id:?}");
                assert!(name.len() <= 255 && !name.contains('\0'), "{id:?}");
            }
            if digest(&id).is_ok() {
                assert_eq!(kind(&published(&id)), FileKind::Published(&id));
                assert_eq!(kind(&temporary(&id)), FileKind::Temporary);
            }
        }
    }

    #[test]
    fn only_our_own_names_are_ours() {
        assert_eq!(kind("process-12-ab.lock"), FileKind::Process);
        assert_eq!(kind("disk.lock"), FileKind::Disk);
        assert_eq!(kind(&tree("files-0a")), FileKind::Tree);
        assert_eq!(kind(&parts("file-0a", 7)), FileKind::Parts);
        for name in ["notes.txt", "0a.files", "0a.parts", "a b.bytes", ".bytes", "Cargo.lock", "x.tmp.gz", ""]
        {
            assert_eq!(kind(name), FileKind::Foreign, "{name}");
        }
    }
}
