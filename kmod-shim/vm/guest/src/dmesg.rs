//! What the kernel complains of.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

/// Words of lines that fail a test.
const COMPLAINTS: [&str; 14] = [
    "WARNING:",
    "BUG:",
    "BUG ",
    "Oops",
    "refcount_t:",
    "general protection",
    "kernel panic",
    "Call Trace",
    "stack segment",
    "unregister_netdevice: waiting",
    "soft lockup",
    "hung_task",
    "blocked for more than",
    "leaked",
];

/// The kernel's log from where it was read last.
pub(crate) struct Dmesg {
    file: Option<File>,
}

impl Dmesg {
    /// Starts behind what was logged so far.
    pub(crate) fn open() -> Self {
        /// `O_NONBLOCK`: the end of the log is not waited at.
        const NONBLOCK: i32 = 0o4000;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(NONBLOCK)
            .open("/dev/kmsg");
        let mut dmesg = Self { file: file.ok() };
        dmesg.lines();
        dmesg
    }

    /// New lines, without the prefix.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(file) = &mut self.file else {
            return lines;
        };
        let mut record = [0; 8192];
        loop {
            match file.read(&mut record) {
                Ok(0) => return lines,
                Ok(length) => {
                    let text = String::from_utf8_lossy(&record[..length]);
                    let text = text.split_once(';').map_or("", |(_, text)| text);
                    lines.push(text.lines().next().unwrap_or_default().to_owned());
                }
                // Overwritten before it was read: go on with what is left.
                Err(error) if error.raw_os_error() == Some(32) => {}
                Err(_) => return lines,
            }
        }
    }

    /// The first new complaint.
    pub(crate) fn complaint(&mut self) -> Option<String> {
        let lines = self.lines();
        lines
            .into_iter()
            .find(|line| COMPLAINTS.iter().any(|word| line.contains(word)))
    }
}
