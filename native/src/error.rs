//! The typed errors of the core, with codes that never change their meaning.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// The result of every fallible operation of the core.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)+) => {
        /// The kind of an error, as a number that is stable across releases and selects the exception's
        /// class.
        ///
        /// 1xx belong to the cache, 2xx to the metrics, 3xx to the ship log and its sinks, 4xx to the boundary, 5xx to
        /// tables.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Code {
            $($(#[$doc])* $name = $number,)+
        }

        impl Code {
            /// Every code, in ascending order.
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            /// The code with this number.
            pub fn from_number(number: i32) -> Option<Code> {
                match number {
                    $($number => Some(Code::$name),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The catalog has no such version.
    UnknownVersion = 100,
    /// A row has no version.
    NullVersion = 101,
    /// One version, or a set requested together, exceeds the whole budget.
    VersionLargerThanBudget = 102,
    /// The source does not exist or cannot be opened.
    SourceMissing = 103,
    /// The source is shorter or longer than the catalog declares.
    SourceSizeMismatch = 104,
    /// The source was rewritten while it was being loaded.
    SourceChanged = 105,
    /// The bytes do not have the checksum that the catalog declares.
    ChecksumMismatch = 106,
    /// The user's loader failed; the cause is the loader's exception.
    LoadFailed = 107,
    /// A load took longer than `spark.andiron.cache.loadTimeout`, measured from its start on a loader thread.
    LoadTimedOut = 108,
    /// A task waited longer than `spark.andiron.cache.waitTimeout`.
    WaitTimedOut = 109,
    /// A task that holds versions waits for another version that would exceed the hard limit.
    BudgetDeadlock = 110,
    /// The local disk is full.
    DiskFull = 111,
    /// The version does not fit `spark.andiron.cache.diskBytes`.
    DiskLimit = 112,
    /// The catalog was closed, or its application has ended.
    CatalogClosed = 113,
    /// The lease, cursor or view was released before the call.
    Released = 114,
    /// No application has configured the cache in this process.
    NotConfigured = 115,
    /// A setting cannot be read or contradicts another.
    BadSetting = 116,
    /// File payloads are rejected while `spark.io.encryption.enabled` is set.
    EncryptionRefused = 117,
    /// Other users could read or replace the cache directory.
    DirectoryUnsafe = 118,
    /// A file operation of the operating system failed.
    Io = 119,
    /// A step has dropped more rows than its gate allows.
    GateFailed = 200,
    /// The counts of a gated step are not known.
    GateUnknown = 201,
    /// A gated write's committer publishes before the job's commit.
    DirectCommitter = 202,
    /// A step has dropped all of its rows.
    AllDropped = 203,
    /// An operation was rejected because no gate would check it.
    Unguarded = 204,
    /// Another process writes the log.
    LogInUse = 300,
    /// The log was written by a later release.
    LogVersion = 301,
    /// An event did not become durable, or a log was not closed, in time.
    LogTimedOut = 302,
    /// An event was not accepted.
    LogLost = 303,
    /// A log cannot be continued, since its end is impossible.
    LogDamaged = 304,
    /// A handle that was never issued, or whose object no longer exists.
    BadHandle = 400,
    /// Native code panicked; the process continues.
    Panic = 401,
    /// Two builds of Andiron with different tables of natives are in one process.
    AbiMismatch = 402,
    /// An argument is outside the range of the native.
    BadArgument = 403,
    /// A description, manifest, segment or record of a table is in another form than its writer gives.
    TableDamaged = 500,
    /// A file of a table was written by a later release.
    TableFormat = 501,
    /// A table would exceed a limit of its format.
    TableLimit = 502,
    /// Rows, columns or a key that a table cannot have, or a change of them that older rows do not allow.
    TableSchema = 503,
    /// A published version has a key more than once.
    DuplicateKeys = 504,
    /// A published row has no value in a key column.
    NullKey = 505,
    /// The newest version cannot be dropped, since it is leased.
    TableInUse = 506,
    /// A version exists already, or another publisher was faster.
    TableConflict = 507,
}

/// An error of the core. Cheap to clone, since all waiters of a load share one.
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

struct Inner {
    code: Code,
    message: String,
    cause: Option<Box<dyn Any + Send + Sync>>,
}

impl Error {
    /// An error whose message gives the failure, its reason, and the correction.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { inner: Arc::new(Inner { code, message: message.into(), cause: None }) }
    }

    /// An error with a cause that only the boundary can interpret (a Java exception).
    pub fn with_cause(code: Code, message: impl Into<String>, cause: Box<dyn Any + Send + Sync>) -> Error {
        Error { inner: Arc::new(Inner { code, message: message.into(), cause: Some(cause) }) }
    }

    /// An error of the operating system, with the operation and path that failed.
    pub fn io(action: &str, error: &std::io::Error) -> Error {
        let code = if error.raw_os_error() == Some(libc::ENOSPC) { Code::DiskFull } else { Code::Io };
        Error::new(code, format!("{action}: {error}"))
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.inner.code
    }

    /// The message: the failure, its reason, and the correction.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The cause given to [`Error::with_cause`].
    pub fn cause(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.inner.cause.as_deref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({}): {}", self.inner.code, self.inner.code as i32, self.inner.message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_its_number() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(*code as i32), Some(*code));
        }
        assert_eq!(Code::from_number(0), None);
    }

    #[test]
    fn a_full_disk_has_a_code_of_its_own() {
        let full = std::io::Error::from_raw_os_error(libc::ENOSPC);
        assert_eq!(Error::io("write", &full).code(), Code::DiskFull);
        let other = std::io::Error::from_raw_os_error(libc::EACCES);
        assert_eq!(Error::io("write", &other).code(), Code::Io);
    }
}
