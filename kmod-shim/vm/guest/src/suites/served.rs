//! Connections that a scheduler of the corpus serves at both ends.

use std::os::fd::AsRawFd;

use progmp_control::uapi::{Connection, SHOWN};
use progmp_control::{Device, Link};

use crate::Tried;
use crate::net::Net;
use crate::shim::{self, Object};
use crate::transfer::{Pair, Plan, Progress, Report, connect_with};

/// A loaded scheduler and the device.
pub(crate) struct Served {
    pub(crate) device: Device,
    pub(crate) name: String,
    /// It goes with this.
    pub(crate) link: Link,
}

/// What the shim counted at both ends.
pub(crate) struct Counted {
    pub(crate) report: Report,
    pub(crate) client: Connection,
    pub(crate) server: Connection,
}

impl Served {
    /// Loads a scheduler of the corpus.
    pub(crate) fn by(scheduler: &str) -> Result<Self, String> {
        let device = shim::device()?;
        let (link, name) = Object::read(scheduler)?.load()?;
        Ok(Self { device, name, link })
    }

    /// A connection of which both ends have chosen the scheduler before the first byte.
    pub(crate) fn connect(&self, plan: &Plan) -> Result<Pair, String> {
        let mut pair = connect_with(plan, |_, socket| {
            self.device
                .choose(socket.as_raw_fd(), &self.name)
                .tried("choosing")
        })?;
        pair.join(plan.joins)?;
        Ok(pair)
    }

    /// Registers of both ends.
    pub(crate) fn registers(&self, pair: &Pair, values: &[(u32, u64)]) -> Result<(), String> {
        if values.is_empty() {
            return Ok(());
        }
        for end in [pair.client_number(), pair.server_number()] {
            self.device.set_registers(end, values).tried("registers")?;
        }
        Ok(())
    }

    /// A whole transfer, and what was counted.
    pub(crate) fn transfer(
        &self,
        net: &Net,
        plan: &Plan,
        pair: &Pair,
        meanwhile: impl FnOnce(&Progress) -> Result<(), String> + Send,
    ) -> Result<Counted, String> {
        let flow = pair.run(net, plan, meanwhile);
        // What was counted helps to see why bytes did not arrive.
        let [client, server] = [pair.client_number(), pair.server_number()]
            .map(|end| self.device.connection(end).tried("statistics"));
        let (client, server) = (client?, server?);
        let report = flow.map_err(|why| {
            format!(
                "{why}; client {}; server {}",
                brief(&client),
                brief(&server)
            )
        })?;
        Ok(Counted {
            report,
            client,
            server,
        })
    }
}

/// What of the statistics a reader of a report wants to see.
pub(crate) fn brief(connection: &Connection) -> String {
    let c = &connection.counters;
    let subflows = &connection.subflow[..(connection.subflows as usize).min(SHOWN)];
    let subflows: Vec<String> = subflows
        .iter()
        .map(|s| format!("{}:{}", s.id, s.bytes))
        .collect();
    format!(
        "[{} fallback {} q {} qu {} rq {} pending {} runs {} pushes {} copies {} reinjected {} blocked {} rescues {} refused {} groups {} bytes {}]",
        progmp_control::uapi::text(&connection.name),
        connection.fallback,
        connection.q,
        connection.qu,
        connection.rq,
        connection.pending,
        c.executions,
        c.pushes,
        c.copies,
        c.reinjected,
        c.blocked,
        c.rescues,
        c.refused,
        c.groups,
        subflows.join(" ")
    )
}

impl Counted {
    /// What holds of every scheduler and every transfer: the program served it to its end, and
    /// named nothing that is not there.
    pub(crate) fn sound(&self) -> Result<(), String> {
        for (end, of) in [("client", &self.client), ("server", &self.server)] {
            if of.fallback != 0 || of.counters.fallbacks != 0 {
                return Err(format!("the {end} fell back: {}", brief(of)));
            }
            if of.counters.refused != 0 {
                return Err(format!("the {end} named what is not there: {}", brief(of)));
            }
        }
        Ok(())
    }

    pub(crate) fn brief(&self) -> String {
        format!(
            "{} ms, client {} server {}",
            self.report.time.as_millis(),
            brief(&self.client),
            brief(&self.server)
        )
    }

    /// Bytes that the client pushed on the subflow over link `index`.
    pub(crate) fn client_bytes(&self, index: usize) -> u64 {
        bytes(&self.client, index)
    }
}

/// Bytes pushed on the subflow at a place, from 1.
pub(crate) fn bytes(of: &Connection, place: usize) -> u64 {
    of.subflow.get(place - 1).map_or(0, |subflow| subflow.bytes)
}
