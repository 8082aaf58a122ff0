//! One set of statics for all copies of the library in a process.
//!
//! Each class loader that finds Andiron's jar unpacks and links its own copy (the JVM does not load one file
//! for two loaders), and each copy would have its own statics: two caches, two budgets. Every copy therefore
//! exports a versioned table of its natives, and a newly loaded copy binds
//! its classes to the table of the *first* copy in the dynamic linker's list. The list is in loading order
//! and copies are never unmapped (`-z nodelete`), so all copies agree.

use std::ffi::{c_char, c_void};
#[cfg(target_os = "linux")]
use std::ffi::{CStr, CString};

/// The version of the table's layout, and of the names, signatures and meaning of natives.
pub(super) const ABI: u32 = 8;

const MAGIC: u64 = 0x4e4f_5249_444e_4131;

/// One native: its class, name and JNI signature, all NUL-terminated, and its function.
#[repr(C)]
pub(super) struct Native {
    pub(super) class: *const c_char,
    pub(super) name: *const c_char,
    pub(super) signature: *const c_char,
    pub(super) function: *const c_void,
}

// SAFETY: the pointers are to constants and functions of a library that is never unmapped.
unsafe impl Sync for Native {}

/// The exported table of a copy.
#[repr(C)]
pub(super) struct Table {
    magic: u64,
    pub(super) abi: u32,
    pub(super) count: u32,
    natives: *const Native,
}

// SAFETY: as for `Native`; a table is never written.
unsafe impl Sync for Table {}

impl Table {
    pub(super) const fn new(natives: &'static [Native]) -> Table {
        Table { magic: MAGIC, abi: ABI, count: natives.len() as u32, natives: natives.as_ptr() }
    }

    pub(super) fn natives(&self) -> &'static [Native] {
        // SAFETY: `new` took both fields from one static slice, and the layout is that of this `ABI` (`first`
        // has checked it).
        unsafe { std::slice::from_raw_parts(self.natives, self.count as usize) }
    }
}

/// The table of the copy that was loaded first, or `own` if there is no other.
#[cfg(target_os = "linux")]
pub(super) fn first(own: &'static Table) -> &'static Table {
    let mut copies: Vec<CString> = Vec::new();
    // SAFETY: the callback matches the signature and gets the pointer to `copies`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(note_copy), std::ptr::from_mut(&mut copies).cast()) };
    copies.iter().find_map(|copy| table_of(copy)).unwrap_or(own)
}

/// On other systems a second class loader has its own cache.
#[cfg(not(target_os = "linux"))]
pub(super) fn first(own: &'static Table) -> &'static Table {
    own
}

/// Records the name of a library that may be a copy. The linker holds the lock of its list during the call,
/// and `dlopen` takes that lock after another one: no function of the linker may be called here.
#[cfg(target_os = "linux")]
extern "C" fn note_copy(info: *mut libc::dl_phdr_info, _size: usize, data: *mut c_void) -> i32 {
    // SAFETY: the linker passes a valid record, and `data` is the list that `first` passed, used by this thread only.
    let (name, copies) = unsafe { ((*info).dlpi_name, &mut *data.cast::<Vec<CString>>()) };
    if name.is_null() {
        return 0;
    }
    // SAFETY: `name` is a NUL-terminated string owned by the linker.
    let name = unsafe { CStr::from_ptr(name) };
    let path = name.to_bytes();
    let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    if file.starts_with(b"libandiron") {
        copies.push(name.to_owned());
    }
    0
}

/// The table of a loaded library, if it exports one.
#[cfg(target_os = "linux")]
fn table_of(library: &CStr) -> Option<&'static Table> {
    // SAFETY: NOLOAD only finds libraries that are loaded already, under the name that the linker gave.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOLOAD | libc::RTLD_LAZY) };
    if handle.is_null() {
        return None;
    }
    // SAFETY: `handle` comes from `dlopen` and is not closed: it pins the copy.
    let symbol = unsafe { libc::dlsym(handle, c"andiron_anchor_1".as_ptr()) }.cast::<Table>();
    // SAFETY: a symbol of this name is a `Table` in every copy; it is null or lives as long as the process.
    unsafe { symbol.as_ref() }.filter(|table| table.magic == MAGIC)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    static OWN: Table = Table::new(&[]);

    /// A shared library without any of Andiron's symbols.
    fn library(folder: &Path, name: &str) -> CString {
        let path = folder.join(name);
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_string());
        let built =
            Command::new(compiler).args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(&path).status();
        assert!(built.unwrap().success());
        CString::new(path.to_str().unwrap()).unwrap()
    }

    fn open(library: &CStr) -> *mut c_void {
        // SAFETY: the name is NUL-terminated, and an empty library runs no initialiser.
        unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW) }
    }

    #[test]
    fn the_search_goes_on_while_other_threads_load_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let (named, other) =
            (library(folder.path(), "libandiron-none.so"), library(folder.path(), "libother.so"));
        assert!(!open(&named).is_null());
        let done = AtomicBool::new(false);
        let (tell, told) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let handle = open(&other);
                    assert!(!handle.is_null());
                    // SAFETY: the handle comes from `dlopen`, and no symbol of the library is used.
                    unsafe { libc::dlclose(handle) };
                }
            });
            scope.spawn(|| {
                let own = |_| std::ptr::eq(first(&OWN), &OWN);
                tell.send((0..5_000).all(own)).unwrap();
                done.store(true, Ordering::SeqCst);
            });
            match told.recv_timeout(Duration::from_secs(60)) {
                Ok(own) => assert!(own, "a library without a table is not a copy"),
                Err(_) => {
                    eprintln!("the search and the loading of a library deadlock");
                    std::process::abort();
                }
            }
        });
    }
}
