//! The part of a mapping that is in memory, according to the kernel, through `c/residency.c`.

use std::io;

extern "C" {
    /// Bytes of `[address, address + length)` in the page cache, or `-errno`. Defined in `c/residency.c`.
    fn andiron_resident_bytes(address: u64, length: u64) -> i64;
}

/// Bytes of the page-aligned range whose pages are in the page cache. No page is touched.
///
/// The kernel answers "all" for a file that this user neither owns nor may write. An address range that is not
/// mapped is an error, never a crash.
pub(super) fn resident_bytes(address: u64, length: u64) -> io::Result<u64> {
    // SAFETY: the probe only passes the range to mincore(2), which validates it and writes to the probe's own
    // array.
    let answer = unsafe { andiron_resident_bytes(address, length) };
    u64::try_from(answer).map_err(|_| io::Error::from_raw_os_error(answer.unsigned_abs() as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_mapped_is_an_error() {
        assert_eq!(resident_bytes(4096, 4096).unwrap_err().raw_os_error(), Some(libc::ENOMEM));
        assert_eq!(resident_bytes(1, 4096).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn nothing_is_resident_in_nothing() {
        assert_eq!(resident_bytes(0, 0).unwrap(), 0);
    }
}
