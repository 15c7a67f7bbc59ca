//! Programs that the kernel's verifier accepts and that no compiler of ours makes: they do no harm.
//!
//! Only root can load them; `progmp load` refuses them. What they leave in the block is checked by
//! the shim, which gives the connection to the kernel's own scheduler.

use progmp_abi::layout::{self, block, queue};
use progmp_control::load;

use super::served::{Served, brief};
use super::{Suite, Test};
use crate::net::Net;
use crate::shim::{self, Object};
use crate::transfer::Plan;
use crate::{Tried, Verdict};

pub(crate) const SUITE: Suite = Suite {
    name: "hostile",
    tests: &[
        Test {
            name: "ones_all_over_the_block",
            run: || harmless(&[scribble(-1)].concat(), true),
        },
        Test {
            name: "zeros_all_over_the_block",
            run: || harmless(&[scribble(0)].concat(), true),
        },
        Test {
            name: "ones_all_over_the_block_and_a_regular_end",
            run: || harmless(&[scribble(-1), end(layout::ACTIONS)].concat(), true),
        },
        Test {
            name: "actions_that_name_what_is_not_there",
            run: || harmless(&[action(0, 0x01_c8_13_88), end(1)].concat(), true),
        },
        Test {
            name: "an_action_of_an_unknown_kind",
            run: || harmless(&[action(0, 0x09_00_00_00), end(1)].concat(), true),
        },
        Test {
            name: "more_actions_than_there_are_places",
            run: || harmless(&end(layout::ACTIONS + 1), true),
        },
        Test {
            name: "an_end_that_is_none",
            run: || harmless(&[], true),
        },
        Test {
            name: "an_end_without_a_decision_leaves_the_rest_to_the_kernel",
            run: || harmless(&end(0), false),
        },
        Test {
            name: "a_full_buffer_of_one_packet",
            run: flood,
        },
        Test {
            name: "a_first_packet_that_is_never_sent_is_left_to_the_kernel",
            run: gap,
        },
        Test {
            name: "a_run_that_takes_long_is_stopped_by_time",
            run: slow,
        },
        Test {
            name: "what_reaches_beyond_the_block_does_not_load",
            run: refused,
        },
    ],
};

fn slot(code: u8, registers: u8, offset: i16, value: i32) -> Vec<u8> {
    let mut bytes = vec![code, registers];
    bytes.extend(offset.to_le_bytes());
    bytes.extend(value.to_le_bytes());
    bytes
}

fn number(value: usize) -> i32 {
    i32::try_from(value).expect("offsets are small")
}

/// The program with this body; r7 is the block.
fn program(body: &[u8]) -> Vec<u8> {
    [
        slot(0x79, 0x11, 0, 0),                    // r1 = *(u64 *)(r1 + 0)
        slot(0xb7, 0x02, 0, number(block::BYTES)), // r2 = size
        slot(0x85, 0x20, 0, 0),                    // call progmp_block
        slot(0x55, 0x00, 1, 0),                    // if r0 != 0 goto +1
        slot(0x95, 0x00, 0, 0),                    // exit
        slot(0xbf, 0x07, 0, 0),                    // r7 = r0
        body.to_vec(),
        slot(0xb7, 0x00, 0, 0), // r0 = 0
        slot(0x95, 0x00, 0, 0), // exit
    ]
    .concat()
}

/// Every word of the block.
fn scribble(value: i32) -> Vec<u8> {
    [
        slot(0xb7, 0x02, 0, value),                 // r2 = value
        slot(0xb7, 0x01, 0, 0),                     // r1 = 0
        slot(0xbf, 0x73, 0, 0),                     // r3 = r7
        slot(0x0f, 0x13, 0, 0),                     // r3 += r1
        slot(0x7b, 0x23, 0, 0),                     // *(u64 *)(r3 + 0) = r2
        slot(0x07, 0x01, 0, 8),                     // r1 += 8
        slot(0xa5, 0x01, -5, number(block::BYTES)), // if r1 < size goto -5
    ]
    .concat()
}

/// A 32-bit store at an offset that may be beyond what an instruction holds.
fn store(offset: usize, value: i32) -> Vec<u8> {
    [
        slot(0xbf, 0x73, 0, 0),              // r3 = r7
        slot(0x07, 0x03, 0, number(offset)), // r3 += offset
        slot(0x62, 0x03, 0, value),          // *(u32 *)(r3 + 0) = value
    ]
    .concat()
}

fn action(index: usize, word: i32) -> Vec<u8> {
    store(block::ACTION + 4 * index, word)
}

/// A run that has ended with so many actions.
fn end(actions: usize) -> Vec<u8> {
    [
        store(block::ACTION_COUNT, number(actions)),
        store(block::STATUS, 1),
    ]
    .concat()
}

fn harmless(body: &[u8], nonsense: bool) -> Verdict {
    let device = shim::device()?;
    let object = Object::read("min_rtt")?.with_code(program(body));
    let scheduler = object.scheduler("hostile");
    let link = load(&scheduler).tried("loading")?;
    let net = Net::usual()?;
    let served = Served {
        device,
        name: "hostile".to_owned(),
        link,
    };
    let plan = Plan::both(1_000_000);
    let pair = served.connect(&plan)?;
    let counted = served.transfer(&net, &plan, &pair, |_| Ok(()))?;
    for of in [&counted.client, &counted.server] {
        // 4: it was nonsense.
        if nonsense && of.fallback != 4 {
            return Err(format!("the shim believed it: {}", brief(of)));
        }
    }
    Ok(counted.brief())
}

/// Pushes the first packet again and again until the scheduler is removed.
fn flood() -> Verdict {
    let body: Vec<u8> = (0..16)
        .flat_map(|index| action(index, 0x01_00_00_00))
        .collect();
    let device = shim::device()?;
    let object = Object::read("min_rtt")?.with_code(program(&[body, end(16)].concat()));
    let link = load(&object.scheduler("hostile")).tried("loading")?;
    let net = Net::usual()?;
    let served = Served {
        device,
        name: "hostile".to_owned(),
        link,
    };
    let plan = Plan::up(300_000);
    let pair = crate::transfer::connect(&plan)?;
    let Served { device, name, link } = served;
    pair.run(&net, &plan, |_| {
        let chosen = device.choose(pair.client_number(), &name).tried("choosing");
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(link);
        chosen
    })?;
    let client = device
        .connection(pair.client_number())
        .tried("statistics")?;
    Ok(brief(&client))
}

/// Takes one of the 2nd to the 16th packet from Q and sends it on the first subflow, until none is left.
fn all_but_the_first() -> Vec<u8> {
    let word = |which: usize| {
        let offset = block::QUEUE + which * queue::BYTES + queue::WORD;
        [
            slot(0xbf, 0x73, 0, 0),              // r3 = r7
            slot(0x07, 0x03, 0, number(offset)), // r3 += offset of the queue's first word
            slot(0x79, 0x31, 0, 0),              // r1 = *(u64 *)(r3 + 0)
        ]
        .concat()
    };
    let mut body = end(0);
    for packet in 1..16 {
        let bit = 1 << packet;
        let taken = [
            slot(0x57, 0x01, 0, !bit), // r1 &= ~bit
            slot(0x7b, 0x13, 0, 0),    // *(u64 *)(r3 + 0) = r1
            word(1),
            slot(0x47, 0x01, 0, bit), // r1 |= bit
            slot(0x7b, 0x13, 0, 0),   // *(u64 *)(r3 + 0) = r1
            action(0, 0x01_00_00_00 | packet),
            end(1),
            slot(0xb7, 0x00, 0, 0), // r0 = 0
            slot(0x95, 0x00, 0, 0), // exit
        ]
        .concat();
        let skip = i16::try_from(taken.len() / 8).expect("a short program");
        body.extend(
            [
                word(0),
                slot(0xbf, 0x12, 0, 0),    // r2 = r1
                slot(0x57, 0x02, 0, bit),  // r2 &= bit
                slot(0x15, 0x02, skip, 0), // if r2 == 0 goto the next
                taken,
            ]
            .concat(),
        );
    }
    body
}

/// What was acknowledged behind the gap, and what the kernel sends to close it, makes no warning.
fn gap() -> Verdict {
    let device = shim::device()?;
    let object = Object::read("min_rtt")?.with_code(program(&all_but_the_first()));
    let link = load(&object.scheduler("gap")).tried("loading")?;
    let net = Net::usual()?;
    let served = Served {
        device,
        name: "gap".to_owned(),
        link,
    };
    let plan = Plan::both(2_000_000);
    // It would never send the first byte, by which both ends become sure of each other.
    let mut pair = crate::transfer::connect(&plan)?;
    pair.join(plan.joins)?;
    for end in [pair.client_number(), pair.server_number()] {
        served.device.choose(end, &served.name).tried("choosing")?;
    }
    let counted = served.transfer(&net, &plan, &pair, |_| Ok(()))?;
    for of in [&counted.client, &counted.server] {
        // 8: data waited for long.
        if of.fallback != 8 || of.counters.pushes < 10 {
            return Err(format!("nobody saw it: {}", brief(of)));
        }
    }
    Ok(counted.brief())
}

/// Goes round in a loop that the kernel lets run for long, and writes a register, so that it runs again.
fn slow() -> Verdict {
    let body = [
        slot(0xe5, 0x00, 1, 0),  // may_goto +1: leave
        slot(0x05, 0x00, -2, 0), // goto -2
        slot(0x79, 0x71, i16::try_from(block::REG).tried("REG")?, 0), // r1 = reg[0]
        slot(0x07, 0x01, 0, 1),  // r1 += 1
        slot(0x7b, 0x17, i16::try_from(block::REG).tried("REG")?, 0), // reg[0] = r1
        end(0),
    ];
    let device = shim::device()?;
    let object = Object::read("min_rtt")?.with_code(program(&body.concat()));
    let link = load(&object.scheduler("slow")).tried("loading")?;
    let net = Net::usual()?;
    let served = Served {
        device,
        name: "slow".to_owned(),
        link,
    };
    let plan = Plan::up(200_000);
    let pair = served.connect(&plan)?;
    let counted = served.transfer(&net, &plan, &pair, |_| Ok(()))?;
    let client = &counted.client;
    // 3: fuel. By their number alone, runs in a row would have ended after 257.
    if client.fallback != 3 || client.counters.longest_idle > 200 {
        return Err(brief(client));
    }
    Ok(format!(
        "{} runs, {}",
        client.counters.executions,
        counted.brief()
    ))
}

fn refused() -> Verdict {
    shim::device()?;
    let base = Object::read("min_rtt")?;
    let unbounded = [
        slot(0x79, 0x71, i16::try_from(block::REG).tried("REG")?, 0), // r1 = reg[0]
        slot(0xbf, 0x73, 0, 0),                                       // r3 = r7
        slot(0x0f, 0x13, 0, 0),                                       // r3 += r1
        slot(0x62, 0x03, 0, 1),                                       // *(u32 *)(r3 + 0) = 1
    ]
    .concat();
    for (what, body) in [
        ("an index without a bound", unbounded),
        ("a store behind the end", store(block::BYTES, 1)),
        ("a helper of others", slot(0x85, 0, 0, 6)),
    ] {
        let object = base.with_code(program(&body));
        match load(&object.scheduler("hostile")) {
            Ok(_) => return Err(format!("{what} was loaded")),
            Err(error) if error.name() == "kernel-refuses" => {}
            Err(error) => return Err(format!("{what}: {error}")),
        }
    }
    Ok("three kinds".to_owned())
}
