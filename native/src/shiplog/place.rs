//! The accepted values of `spark.andiron.log.dir` and `--log-dir`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};

/// The directory of a path, or of a URI with the scheme `file`.
///
/// [`Code::BadSetting`] for URIs of other schemes, which name no directory of this machine, and for URIs with
/// another host.
pub fn local(named: &Path) -> Result<PathBuf> {
    let bytes = named.as_os_str().as_bytes();
    let Some((scheme, rest)) = scheme(bytes) else { return Ok(named.to_path_buf()) };
    if !scheme.eq_ignore_ascii_case("file") {
        let shown = without_password(&named.to_string_lossy());
        return Err(bad(format!(
            "{shown} is a URI of {scheme}, and the log is in a local directory (spark.andiron.log.dir). The \
             archive of spark.andiron.log.archive is read by the jar: spark-submit --class andiron.Report \
             <jar> apps --log-dir {shown}"
        )));
    }
    let path = match rest.strip_prefix(b"//") {
        Some(rest) => rest.strip_prefix(b"localhost").unwrap_or(rest),
        None => rest,
    };
    let whole = path.starts_with(b"/") && !path.iter().any(|byte| matches!(byte, b'?' | b'#'));
    match decoded(path).filter(|_| whole) {
        Some(path) => Ok(PathBuf::from(OsString::from_vec(path))),
        None => Err(bad(format!(
            "{} is not a directory: a file: URI reads file:///directory, with no host, and '?', '#' and '%' as %3F, \
             %23 and %25",
            named.display()
        ))),
    }
}

/// The scheme of a URI and the text after its colon. A path has no slash behind a scheme, except for `file:`.
fn scheme(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = (std::str::from_utf8(&bytes[..colon]).ok()?, &bytes[colon + 1..]);
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(letters);
    (is_scheme && (rest.starts_with(b"/") || scheme.eq_ignore_ascii_case("file"))).then_some((scheme, rest))
}

/// The bytes with percent escapes such as `%20` decoded; `None` if two hex digits are missing, or stand for
/// NUL.
fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::with_capacity(path.len()), path);
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = tail.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        let value =
            u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok().filter(|value| *value != 0)?;
        out.push(value);
        rest = &tail[2..];
    }
    Some(out)
}

fn without_password(uri: &str) -> String {
    match uri.split_once("//") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host =
                authority.rsplit_once('@').map_or(authority.to_string(), |(_, host)| format!("...@{host}"));
            format!("{scheme}//{host}{path}")
        }
        None => uri.to_string(),
    }
}

fn bad(message: String) -> Error {
    Error::new(Code::BadSetting, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_file_uris_name_directories() {
        for (named, path) in [
            ("/a/b c", "/a/b c"),
            ("/a%20b", "/a%20b"),
            ("file:/a/b", "/a/b"),
            ("file:///a%20b%25%C3%BC", "/a b%ü"),
            ("FILE://localhost/a", "/a"),
            ("a/b", "a/b"),
            ("a:b", "a:b"),
            ("./hdfs:/a", "./hdfs:/a"),
            ("", ""),
        ] {
            assert_eq!(local(Path::new(named)).unwrap(), Path::new(path), "{named}");
        }
    }

    #[test]
    fn other_uris_are_refused_and_told_of_the_archive() {
        for named in ["hdfs:///logs", "hdfs:/logs", "s3a://key:hunter2@bucket/logs", "dbfs:/logs"] {
            let error = local(Path::new(named)).unwrap_err();
            assert_eq!(error.code(), Code::BadSetting);
            assert!(error.message().contains("spark.andiron.log.archive"), "{error}");
            assert!(!error.message().contains("hunter2"), "{error}");
        }
        for named in [
            "file:logs",
            "file://host/logs",
            "file:///a?b",
            "file:///a#b",
            "file:///a%2",
            "file:///a%zz",
            "file:///a%00",
        ] {
            let error = local(Path::new(named)).unwrap_err();
            assert!(error.message().contains("file:///directory"), "{error}");
        }
    }
}
