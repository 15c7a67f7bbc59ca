//! Files in and out: bounded reads, and writes that are whole or not there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::levels::closest;

/// What stands for standard input on the command line.
pub const STDIN: &str = "-";

/// The name under which reports speak of an argument.
pub fn display_name(argument: &str) -> String {
    if argument == STDIN {
        "<stdin>".to_owned()
    } else {
        argument.to_owned()
    }
}

/// Reads a file, or standard input for `-`, but never more than `limit` + 1 bytes: one byte too
/// many is enough to see that it is too large.
///
/// # Errors
/// Why it cannot be read, as a sentence without the file's name.
pub fn read(argument: &str, limit: usize) -> Result<Vec<u8>, String> {
    if argument == STDIN {
        return read_bounded(&mut io::stdin().lock(), limit)
            .map_err(|error| format!("standard input cannot be read: {}", reason(&error)));
    }
    let path = Path::new(argument);
    if path.is_dir() {
        return Err("this is a directory".to_owned());
    }
    let file = File::open(path).map_err(|error| reason(&error))?;
    read_bounded(&mut &file, limit).map_err(|error| reason(&error))
}

/// What to do about a file that cannot be read.
pub fn advice(argument: &str) -> String {
    let path = Path::new(argument);
    if path.is_dir() {
        return format!("name the files in it: {}", path.join("*.progmp").display());
    }
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let others = names
        .iter()
        .map(String::as_str)
        .filter(|name| *name != wanted);
    match closest(&wanted, others) {
        Some(close) => format!("did you mean {}?", path.with_file_name(close).display()),
        None => "check the name and its permissions; `-` stands for standard input".to_owned(),
    }
}

fn read_bounded(source: &mut dyn Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A system error without its number.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => {
            let text = error.to_string();
            match text.split_once(" (os error") {
                Some((text, _)) => text.to_lowercase(),
                None => text,
            }
        }
    }
}

/// Replaces (or creates) a file: it has either its old or its new content, never a part of one.
///
/// A symbolic link keeps pointing where it points, and an existing file keeps its permissions. What is
/// no file, as a device or a pipe, is written to and not replaced.
///
/// # Errors
/// Why it cannot be written, with the file's name.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    write_beside(path, bytes).map_err(|error| {
        let why = match error.kind() {
            // It is about to be created: what is missing is where it goes.
            io::ErrorKind::NotFound => "there is no such folder".to_owned(),
            _ => reason(&error),
        };
        format!("{} cannot be written: {why}", path.display())
    })
}

fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::symlink_metadata(&target) {
        Ok(data) if data.is_symlink() => return Err(io::ErrorKind::NotFound.into()),
        Ok(data) if !data.is_file() && !data.is_dir() => {
            return fs::OpenOptions::new()
                .write(true)
                .open(&target)?
                .write_all(bytes);
        }
        _ => {}
    }
    let folder = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".progmp-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&target).map_or(0o666, |data| data.permissions().mode());
        builder.permissions(fs::Permissions::from_mode(mode & 0o7777));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    Ok(())
}

/// Creates a folder and its parents.
///
/// # Errors
/// Why it cannot be, with its name.
pub fn create_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| {
        format!(
            "the folder {} cannot be created: {}",
            path.display(),
            reason(&error)
        )
    })
}

/// Writes to standard output. A reader that went away is no mistake.
///
/// # Errors
/// Why it cannot be written.
pub fn print(text: &str) -> Result<(), String> {
    print_bytes(text.as_bytes())
}

/// Writes bytes to standard output. A reader that went away is no mistake.
///
/// # Errors
/// Why they cannot be written.
pub fn print_bytes(bytes: &[u8]) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!(
            "standard output cannot be written: {}",
            reason(&error)
        )),
        _ => Ok(()),
    }
}

/// Writes to standard error; nobody is left to be told if that fails.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A name that is safe in every file system: letters, digits, `_`, `-` and `.`.
pub fn safe_stem(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let stem: String = name
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .take(80)
        .collect();
    let stem = stem.trim_start_matches('.');
    if stem.is_empty() {
        "scheduler".to_owned()
    } else {
        stem.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_stops_one_byte_past_the_limit() {
        let text = [b'x'; 100];
        assert_eq!(read_bounded(&mut &text[..], 10).unwrap().len(), 11);
        assert_eq!(read_bounded(&mut &text[..], 100).unwrap().len(), 100);
    }

    #[test]
    fn a_write_replaces_the_whole_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        write(&path, b"a longer text").unwrap();
        write(&path, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_write_keeps_permissions_and_links() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    #[cfg(unix)]
    fn a_device_stays_a_device_and_a_link_to_nowhere_is_no_place() {
        use std::os::unix::fs::FileTypeExt;
        let error = write(Path::new("/dev/full"), b"x").unwrap_err();
        assert!(error.starts_with("/dev/full cannot be written"), "{error}");
        let kind = fs::metadata("/dev/full").unwrap().file_type();
        assert!(kind.is_char_device());
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/nonexistent/target", &link).unwrap();
        write(&link, b"x").unwrap_err();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_write_into_a_missing_folder_fails_and_names_the_file() {
        let error = write(Path::new("/nonexistent/x.json"), b"").unwrap_err();
        assert!(error.starts_with("/nonexistent/x.json cannot be written"));
    }

    #[test]
    fn a_misspelt_file_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("min_rtt.progmp"), "").unwrap();
        let wrong = folder.path().join("min_rt.progmp");
        let advice = super::advice(&wrong.display().to_string());
        assert!(advice.ends_with("min_rtt.progmp?"), "{advice}");
        let nowhere = super::advice("/nonexistent/folder/x");
        assert!(nowhere.contains("standard input"), "{nowhere}");
    }

    #[test]
    fn stems_hold_no_separators() {
        assert_eq!(safe_stem("../a b/ü"), "_a_b__");
        assert_eq!(safe_stem(""), "scheduler");
        assert_eq!(safe_stem(".."), "scheduler");
        assert_eq!(safe_stem("min_rtt"), "min_rtt");
    }
}
