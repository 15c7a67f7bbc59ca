//! A `cpio` archive in the form that kernels unpack (Linux,
//! `Documentation/driver-api/early-userspace/buffer-format.rst`): equal trees give equal bytes.

use std::collections::BTreeMap;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A folder.
    Folder,
    /// A file, and whether it can be run.
    File(Vec<u8>, bool),
    /// A character device.
    Device(u32, u32),
}

/// A file system to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Adds an entry, and the folders above it. The path has no leading slash.
    pub(crate) fn add(&mut self, path: &str, entry: Entry) {
        for (at, _) in path.match_indices('/') {
            let folder = path[..at].to_owned();
            self.entries.entry(folder).or_insert(Entry::Folder);
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A folder comes before what is in it: its path is shorter, so it sorts first.
        for (number, (path, entry)) in (1..).zip(&self.entries) {
            put(&mut bytes, number, path, entry);
        }
        put(&mut bytes, 0, "TRAILER!!!", &Entry::File(Vec::new(), false));
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, inode: u32, path: &str, entry: &Entry) {
    let none = Vec::new();
    let (mode, data, device) = match entry {
        Entry::Folder => (0o040_755, &none, (0, 0)),
        Entry::File(data, true) => (0o100_755, data, (0, 0)),
        Entry::File(data, false) => (0o100_644, data, (0, 0)),
        Entry::Device(major, minor) => (0o020_600, &none, (*major, *minor)),
    };
    let size = u32::try_from(data.len()).expect("files in a guest are small");
    let name = u32::try_from(path.len() + 1).expect("paths are short");
    bytes.extend(b"070701");
    for field in [
        inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name, 0,
    ] {
        bytes.extend(format!("{field:08x}").bytes());
    }
    bytes.extend(path.bytes());
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut archive = Archive::default();
        archive.add("a/b/c", Entry::File(b"text".to_vec(), false));
        archive.add("a/b", Entry::Folder);
        archive.add("a-b", Entry::Device(1, 3));
        let bytes = archive.bytes();
        assert_eq!(bytes, archive.bytes());
        assert_eq!(bytes.len() % 4, 0);
        let at = |text: &[u8]| bytes.windows(text.len()).position(|window| window == text);
        let places = [
            at(b"a\0"),
            at(b"a/b\0"),
            at(b"a/b/c\0"),
            at(b"TRAILER!!!\0"),
        ];
        assert!(
            places.is_sorted() && places.iter().all(Option::is_some),
            "{places:?}"
        );
    }
}
