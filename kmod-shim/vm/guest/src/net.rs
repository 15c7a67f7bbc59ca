//! Two network namespaces, client `c` and server `s`, and links between them.
//!
//! Link i has the addresses 10.0.i.1 at the client and 10.0.i.2 at the server. The client opens a
//! subflow over each link; packets leave by the link of their source address.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::Tried;

/// How a link behaves, in both directions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// One way, ms.
    pub(crate) delay_ms: u32,
    /// Variation of the delay, ms; more than between two packets reorders them.
    pub(crate) jitter_ms: u32,
    /// Mbit/s; 0: no limit and no queueing discipline at all.
    pub(crate) mbit: u32,
    /// Packets that wait at most for the link; what comes beyond them is lost.
    pub(crate) queue: u32,
    /// Segments that a link takes at once; 0: as many as the kernel likes.
    pub(crate) segments: u32,
    /// Loss from client to server, per mille.
    pub(crate) loss_per_mille: u32,
    /// Whether the client's subflow over it is a backup.
    pub(crate) backup: bool,
}

impl Link {
    /// 100 Mbit/s without faults.
    pub(crate) const fn with_delay(delay_ms: u32) -> Self {
        Self {
            delay_ms,
            jitter_ms: 0,
            mbit: 100,
            queue: 10_000,
            segments: 0,
            loss_per_mille: 0,
            backup: false,
        }
    }

    /// A link that one flow fills, so that others are needed: 40 Mbit/s, and a queue of 30 packets.
    pub(crate) const fn narrow(delay_ms: u32) -> Self {
        Self {
            mbit: 40,
            queue: 30,
            ..Self::with_delay(delay_ms)
        }
    }

    fn netem(&self) -> String {
        let mut text = format!("delay {}ms", self.delay_ms);
        if self.jitter_ms > 0 {
            let _ = write!(text, " {}ms", self.jitter_ms);
        }
        let _ = write!(text, " rate {}mbit limit {}", self.mbit, self.queue);
        text
    }
}

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It connects.
    Client,
    /// It listens.
    Server,
}

impl End {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => "c",
            Self::Server => "s",
        }
    }
}

/// The two namespaces; they go with it.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) links: usize,
}

impl Net {
    /// Two links: 10 and 40 ms of RTT.
    pub(crate) fn usual() -> Result<Self, String> {
        Self::new(&[Link::with_delay(5), Link::with_delay(20)])
    }

    /// Makes them.
    pub(crate) fn new(links: &[Link]) -> Result<Self, String> {
        let mut make = String::from("netns add c\nnetns add s\n");
        let mut ends = [const { String::new() }; 2];
        for (index, link) in (1..).zip(links) {
            let _ = writeln!(
                make,
                "link add v{index} netns c type veth peer name v{index} netns s"
            );
            for (end, host) in ends.iter_mut().zip([1, 2]) {
                let _ = writeln!(end, "addr add 10.0.{index}.{host}/24 dev v{index}");
                if link.segments > 0 {
                    let segments = link.segments;
                    let _ = writeln!(end, "link set v{index} gso_max_segs {segments}");
                }
                let _ = writeln!(end, "link set v{index} up");
            }
            let client = &mut ends[0];
            let table = 100 + index;
            for line in [
                format!("rule add from 10.0.{index}.1 table {table}"),
                format!("route add 10.0.{index}.0/24 dev v{index} table {table}"),
                format!("route add default via 10.0.{index}.2 dev v{index} table {table}"),
            ] {
                let _ = writeln!(client, "{line}");
            }
            if index > 1 {
                let backup = if link.backup { " backup" } else { "" };
                let _ = writeln!(
                    client,
                    "mptcp endpoint add 10.0.{index}.1 dev v{index} id {index} subflow{backup}"
                );
            }
        }
        for end in &mut ends {
            end.insert_str(
                0,
                "link set lo up\nmptcp limits set subflows 8 add_addr_accepted 8\n",
            );
        }
        let net = Self { links: links.len() };
        // What an earlier test left must not be in the way.
        for end in [End::Client, End::Server] {
            if fs::exists(format!("/run/netns/{}", end.name())).unwrap_or(false) {
                batch("ip", &[], &format!("netns del {}\n", end.name()))?;
            }
        }
        batch("ip", &[], &make)?;
        for (end, lines) in [End::Client, End::Server].into_iter().zip(&ends) {
            batch("ip", &["-n", end.name()], lines)?;
        }
        for (index, link) in (1..).zip(links) {
            net.shape(index, link)?;
        }
        Ok(net)
    }

    /// Gives a link another behaviour.
    #[allow(
        clippy::unused_self,
        reason = "it speaks of these namespaces, which live as long"
    )]
    pub(crate) fn shape(&self, index: usize, link: &Link) -> Result<(), String> {
        if link.mbit == 0 {
            return Ok(());
        }
        let netem = link.netem();
        for end in [End::Client, End::Server] {
            let loss = match end {
                End::Client if link.loss_per_mille > 0 => {
                    format!(
                        " loss {}.{}%",
                        link.loss_per_mille / 10,
                        link.loss_per_mille % 10
                    )
                }
                _ => String::new(),
            };
            let line = format!("qdisc replace dev v{index} root netem {netem}{loss}\n");
            batch("tc", &["-n", end.name()], &line)?;
        }
        Ok(())
    }

    /// Lines for `ip` in one of the namespaces.
    #[allow(clippy::unused_self, reason = "as in `shape`")]
    pub(crate) fn ip(&self, end: End, lines: &str) -> Result<(), String> {
        batch("ip", &["-n", end.name()], lines)
    }

    /// Bytes that an end has sent over each link.
    pub(crate) fn sent(&self, end: End) -> Result<Vec<u64>, String> {
        let links = self.links;
        within(end, move || {
            let text = fs::read_to_string("/proc/thread-self/net/dev").tried("net/dev")?;
            let of = |index: usize| {
                let name = format!("v{index}:");
                let line = text
                    .lines()
                    .find_map(|line| line.trim().strip_prefix(&name));
                let word = line.and_then(|line| line.split_whitespace().nth(8));
                word.and_then(|word| word.parse().ok()).unwrap_or(0)
            };
            Ok((1..=links).map(of).collect())
        })
    }

    /// Writes a setting of one of the namespaces.
    #[allow(clippy::unused_self, reason = "as in `shape`")]
    pub(crate) fn set(&self, end: End, setting: &str, value: &str) -> Result<(), String> {
        let path = format!("/proc/sys/net/{setting}");
        let value = value.to_owned();
        within(end, move || fs::write(&path, value).tried(&path))
    }

    /// A counter of the MIB of MPTCP or TCP, summed over both namespaces.
    #[allow(clippy::unused_self, reason = "as in `shape`")]
    pub(crate) fn counter(&self, name: &'static str) -> Result<u64, String> {
        let mut sum = 0;
        for end in [End::Client, End::Server] {
            sum += within(end, move || {
                let text = fs::read_to_string("/proc/thread-self/net/netstat").tried("netstat")?;
                let lines: Vec<&str> = text.lines().collect();
                let found = lines.chunks_exact(2).find_map(|pair| {
                    let mut cells = pair[0].split(' ').zip(pair[1].split(' '));
                    cells.find(|(key, _)| *key == name)
                });
                let value = found.and_then(|(_, value)| value.parse::<u64>().ok());
                value.ok_or_else(|| format!("there is no counter {name}"))
            })?;
        }
        Ok(sum)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for end in [End::Client, End::Server] {
            // A test that has removed a namespace itself leaves nothing to do.
            if fs::exists(format!("/run/netns/{}", end.name())).unwrap_or(false)
                && let Err(why) = batch("ip", &[], &format!("netns del {}\n", end.name()))
            {
                println!("progmp-guest: {why}");
            }
        }
    }
}

/// Moves the calling thread into a namespace.
pub(crate) fn enter(end: End) -> Result<(), String> {
    let path = format!("/run/netns/{}", end.name());
    let file = File::open(&path).tried(&path)?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).tried(&path)
}

/// Does something within a namespace, in a thread of its own.
pub(crate) fn within<T: Send>(
    end: End,
    what: impl FnOnce() -> Result<T, String> + Send,
) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            enter(end)?;
            what()
        });
        thread
            .join()
            .unwrap_or_else(|_| Err("it panicked within a namespace".to_owned()))
    })
}

/// Runs `ip` or `tc` on many lines at once.
pub(crate) fn batch(tool: &str, arguments: &[&str], lines: &str) -> Result<(), String> {
    let mut child = Command::new(format!("/bin/{tool}"))
        .args(arguments)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .tried(tool)?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    stdin.write_all(lines.as_bytes()).tried(tool)?;
    drop(stdin);
    let output = child.wait_with_output().tried(tool)?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{tool} {arguments:?}: {} in:\n{lines}",
        errors.trim()
    ))
}

/// What the client's kernel thinks of its addresses and routes, for the report of a failure.
pub(crate) fn state() -> String {
    let mut text = String::new();
    for arguments in [
        "mptcp endpoint show",
        "mptcp limits show",
        "rule show",
        "-br addr show",
    ] {
        let output = Command::new("/bin/ip")
            .args(["-n", End::Client.name()])
            .args(arguments.split(' '))
            .output();
        if let Ok(output) = output {
            text += &String::from_utf8_lossy(&output.stdout);
            text += &String::from_utf8_lossy(&output.stderr);
        }
    }
    let counters = within(End::Client, || {
        let text = fs::read_to_string("/proc/thread-self/net/netstat").tried("netstat")?;
        let lines: Vec<&str> = text.lines().collect();
        let mut all = String::new();
        for pair in lines.chunks_exact(2) {
            let cells = pair[0].split(' ').zip(pair[1].split(' '));
            for (key, value) in cells.filter(|(key, value)| key.starts_with("MP") && *value != "0")
            {
                let _ = write!(all, "{key} {value}, ");
            }
        }
        Ok(all)
    });
    text + &counters.unwrap_or_default()
}
