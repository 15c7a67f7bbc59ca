//! Links: they register a table of operations, and pins keep them.
//!
//! In: a table that [`operations`](crate::operations) made, a path in the kernel's file system for
//! such objects. Out: a descriptor; with the last one, and the pin, the registration goes.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::call::{bpf, create, number};

const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const LINK_CREATE: libc::c_int = 28;
const LINK_UPDATE: libc::c_int = 29;

/// `BPF_STRUCT_OPS`, how a link is attached.
const ATTACH_STRUCT_OPS: u32 = 44;

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    map_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkUpdate {
    link_fd: u32,
    new_map_fd: u32,
    flags: u32,
    old_map_fd: u32,
}

#[repr(C)]
#[derive(Default)]
struct Object {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// Registers a table of operations.
///
/// # Errors
/// A lack of privilege, the module's refusal, or that this is no such table.
pub fn link(map: &OwnedFd) -> io::Result<OwnedFd> {
    let mut attributes = LinkCreate {
        map_fd: number(map),
        attach_type: ATTACH_STRUCT_OPS,
        ..LinkCreate::default()
    };
    // SAFETY: the structure holds no address.
    unsafe { create(LINK_CREATE, &mut attributes) }
}

/// Puts another table in the place of the one that a link registers.
///
/// # Errors
/// A lack of privilege, the module's refusal, or that these are no link and no table.
pub fn update(link: &OwnedFd, map: &OwnedFd) -> io::Result<()> {
    let mut attributes = LinkUpdate {
        link_fd: number(link),
        new_map_fd: number(map),
        ..LinkUpdate::default()
    };
    // SAFETY: the structure holds no address.
    unsafe { bpf(LINK_UPDATE, &mut attributes) }.map(|_| ())
}

fn path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Pins a link, a program or a map.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when there is something at this path, or why it cannot be
/// pinned there.
pub fn pin(object: &OwnedFd, at: &Path) -> io::Result<()> {
    let at = path(at)?;
    let mut attributes = Object {
        pathname: at.as_ptr() as u64,
        bpf_fd: number(object),
        file_flags: 0,
    };
    // SAFETY: the address leads to a string with its end, which the kernel only reads.
    unsafe { bpf(OBJ_PIN, &mut attributes) }.map(|_| ())
}

/// Opens what is pinned.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] when nothing is, or a lack of privilege.
pub fn open_pin(at: &Path) -> io::Result<OwnedFd> {
    let at = path(at)?;
    let mut attributes = Object {
        pathname: at.as_ptr() as u64,
        ..Object::default()
    };
    // SAFETY: as in `pin`.
    unsafe { create(OBJ_GET, &mut attributes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernels_and_no_padding() {
        assert_eq!(size_of::<LinkCreate>(), 4 * 4);
        assert_eq!(size_of::<LinkUpdate>(), 4 * 4);
        assert_eq!(size_of::<Object>(), 8 + 2 * 4);
    }

    #[test]
    fn a_path_with_a_zero_in_it_is_refused_before_the_kernel_is_asked() {
        let error = open_pin(Path::new("a\0b")).expect_err("no path has a zero");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.raw_os_error(), None);
    }
}
