//! The module itself: whether it fits the running kernel, and its insertion.
//!
//! In: the module's file, or the note of the module that is inserted. Out: the number of facts that
//! hold of the running kernel, or those that do not. Nothing is inserted that was not compared.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::btf::Btf;
use crate::error::Error;
use crate::layout;

/// The types of the running kernel.
const KERNEL: &str = "/sys/kernel/btf/vmlinux";
/// Where the kernel shows a module that is inserted.
const INSERTED: &str = "/sys/module/progmp";

/// Whether the module is inserted.
pub fn is_inserted() -> bool {
    Path::new(INSERTED).exists()
}

/// Compares the inserted module with the running kernel; gives how many facts hold.
///
/// # Errors
/// `layout-mismatch`, with each difference; `no-btf`.
pub fn compare_inserted() -> Result<usize, Error> {
    let note = fs::read(format!("{INSERTED}/notes/{}", layout::LAYOUT));
    compared(note.ok().as_deref())
}

/// Compares a module's file with the running kernel; gives how many facts hold.
///
/// # Errors
/// As [`compare_inserted()`]; `not-the-module`; what the system says of the file.
pub fn compare_file(path: &str) -> Result<usize, Error> {
    let bytes = fs::read(path).map_err(|error| no_file(path, error))?;
    let note = layout::section(&bytes, layout::LAYOUT);
    let note = note.ok_or_else(|| Error::NotTheModule(path.to_owned()))?;
    compared(Some(note))
}

/// Inserts a module's file, if its facts hold of the running kernel.
///
/// # Errors
/// As [`compare_file()`]; `no-privilege`; the kernel's answer, whose log says more.
pub fn insert(path: &str) -> Result<(), Error> {
    const NO_PARAMETERS: &CStr = c"";
    compare_file(path)?;
    let file = File::open(path).map_err(|error| no_file(path, error))?;
    rustix::system::finit_module(file, NO_PARAMETERS, 0).map_err(|error| {
        let error = io::Error::from(error);
        match error.kind() {
            io::ErrorKind::PermissionDenied => Error::NoPrivilege("inserting", "CAP_SYS_MODULE"),
            _ => Error::system(
                format!("inserting {path} (the kernel's log says more)"),
                error,
            ),
        }
    })
}

fn no_file(path: &str, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        Error::NoFile(path.to_owned())
    } else {
        Error::system(path, error)
    }
}

fn compared(note: Option<&[u8]>) -> Result<usize, Error> {
    let note = note.ok_or_else(|| Error::Layout("the module has no note".to_owned()))?;
    let facts = layout::note_text(note)?;
    let bytes = fs::read(KERNEL).map_err(|error| Error::NoBtf(format!("{KERNEL}: {error}")))?;
    let differences = layout::differences(&facts, &Btf::read(&bytes, None)?);
    if differences.is_empty() {
        Ok(facts.lines().count())
    } else {
        Err(Error::Layout(format!(
            "{}; build the module against the headers of the running kernel",
            differences.join("; ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_the_note_is_not_inserted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.ko");
        fs::write(&path, b"\x7fELF\x02\x01").unwrap();
        let path = path.to_str().unwrap();
        let error = insert(path).unwrap_err();
        assert_eq!(error.name(), "not-the-module");
        assert!(error.to_string().contains(path), "{error}");
        let missing = format!("{path}.not");
        assert!(insert(&missing).unwrap_err().to_string().contains(&missing));
    }
}
