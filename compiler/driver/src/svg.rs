//! A counterexample as a picture: one lane per queue and per subflow, time from left to right.
//!
//! On the left stands the state before, on the right the state after; between them a
//! band for each execution, in which every POP, PUSH and DROP is a step. Text is
//! drawn by the reader's own sans-serif font; the same counterexample gives the same bytes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use progmp_ir::{EventKind, Execution, QueueName, SchedState};

use crate::story::{Run, travels};
use progmp_verifier::{Counterexample, Property, Scenario};

const MARGIN: usize = 20;
const LABELS: usize = 132;
const PANEL: usize = 196;
const STEP: usize = 60;
const BAND: usize = 100;
const TOP: usize = 86;
const ROW: usize = 46;
const BOX: (usize, usize) = (46, 26);
/// Bands that are drawn; of more, the first and the last.
const BANDS: usize = 6;
/// Packets of a queue that are drawn.
const PACKETS: usize = 3;

/// One thing that happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    packet: usize,
    /// The queue that it is taken from, or else the first that holds it.
    home: Option<QueueName>,
    popped: bool,
    fate: Fate,
}

/// What becomes of it in this step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Only taken from its queue; it appears in later steps, or in none.
    Held,
    /// Taken from its queue and never seen again.
    Lost,
    /// On the subflow at this position.
    Pushed(usize),
    /// Dropped although it travels, or is pushed too.
    Dropped,
}

/// The steps of an execution and what it wrote.
fn steps(before: &SchedState, execution: &Execution) -> (Vec<Step>, Vec<String>) {
    let mut pushed = BTreeSet::new();
    let mut dropped = BTreeSet::new();
    for event in &execution.log {
        match event.kind {
            EventKind::Push { packet, .. } => pushed.insert(packet),
            EventKind::Drop { packet, .. } => dropped.insert(packet),
            _ => false,
        };
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut open = None;
    let mut taken = BTreeSet::new();
    let home = |packet: usize, taken: &BTreeSet<usize>| {
        let holds = |name: &QueueName| before.queue(*name).contains(&packet);
        if taken.contains(&packet) {
            return Some(QueueName::Unacked);
        }
        QueueName::ALL.into_iter().find(holds)
    };
    for event in &execution.log {
        match event.kind {
            EventKind::Pop { at, queue, packet } => {
                let kept = pushed.contains(&packet) || dropped.contains(&packet);
                open = Some((at, packet));
                taken.insert(packet);
                steps.push(Step {
                    packet,
                    home: Some(queue),
                    popped: true,
                    fate: if kept { Fate::Held } else { Fate::Lost },
                });
            }
            EventKind::Push {
                at,
                subflow,
                packet,
            } => {
                let fate = Fate::Pushed(subflow);
                let same = open == Some((at, packet));
                act(&mut steps, same, packet, home(packet, &taken), fate);
                open = None;
            }
            EventKind::Drop { at, packet } => {
                let safe = pushed.contains(&packet) || travels(before, packet);
                let fate = if safe { Fate::Dropped } else { Fate::Lost };
                let same = open == Some((at, packet));
                act(&mut steps, same, packet, home(packet, &taken), fate);
                open = None;
            }
            _ => {}
        }
    }
    let mut writes = Vec::new();
    for (index, (old, new)) in before
        .registers
        .iter()
        .zip(execution.after.registers)
        .enumerate()
    {
        if *old != new {
            writes.push(format!("R{}: {} → {}", index + 1, short(*old), short(new)));
        }
    }
    for (old, new) in before.subflows.iter().zip(&execution.after.subflows) {
        if old.user != new.user {
            let (from, to) = (short(old.user), short(new.user));
            writes.push(format!("USER {}: {from} → {to}", old.id));
        }
    }
    (steps, writes)
}

/// An action on a packet, in the step that popped it if it is the same statement.
fn act(steps: &mut Vec<Step>, same: bool, packet: usize, home: Option<QueueName>, fate: Fate) {
    match steps.last_mut() {
        Some(last) if same => last.fate = fate,
        _ => steps.push(Step {
            packet,
            home,
            popped: false,
            fate,
        }),
    }
}

/// A number in at most seven characters.
fn short(value: u64) -> String {
    let digits = value.to_string();
    if digits.len() <= 7 {
        return digits;
    }
    let tail = &digits[digits.len() - 5..];
    format!("…{tail}")
}

/// The picture.
pub fn picture(scheduler: &str, property: Property, cex: &Counterexample, runs: &[Run]) -> String {
    let mut sheet = Sheet::new(runs);
    sheet.frame(scheduler, property, cex);
    sheet.lanes();
    sheet.panels();
    sheet.bands();
    if let Scenario::Cycle { start, length } = cex.scenario {
        sheet.cycle(start, length);
    }
    sheet.finish()
}

/// A band: an execution, or the gap for those that are left out.
enum Band<'a> {
    Execution {
        number: usize,
        before: &'a SchedState,
        steps: Vec<Step>,
        writes: Vec<String>,
    },
    Gap(usize),
}

impl Band<'_> {
    fn width(&self) -> usize {
        match self {
            Self::Gap(_) => 60,
            Self::Execution { steps, writes, .. } => {
                let text = writes
                    .iter()
                    .map(|text| text.chars().count() * 7 + 16)
                    .max();
                BAND.max(steps.len() * STEP + 20).max(text.unwrap_or(0))
            }
        }
    }
}

struct Sheet<'a> {
    first: &'a SchedState,
    last: &'a SchedState,
    bands: Vec<Band<'a>>,
    /// Register writes of the busiest execution.
    writes: usize,
    lost: bool,
    cycles: bool,
    body: String,
}

impl<'a> Sheet<'a> {
    fn new(all: &'a [Run]) -> Self {
        let (first, last) = match (all.first(), all.last()) {
            (Some((first, _)), Some((_, last))) => (first, &last.after),
            _ => unreachable!("a replay has at least one execution"),
        };
        let gap = if all.len() > BANDS {
            BANDS - 2..all.len() - 1
        } else {
            0..0
        };
        let mut bands = Vec::new();
        for (index, (before, execution)) in all.iter().enumerate() {
            if gap.contains(&index) {
                if index == gap.start {
                    bands.push(Band::Gap(gap.len()));
                }
                continue;
            }
            let (steps, writes) = steps(before, execution);
            bands.push(Band::Execution {
                number: index + 1,
                before,
                steps,
                writes,
            });
        }
        let number = |band: &Band<'_>| match band {
            Band::Execution { writes, .. } => writes.len(),
            Band::Gap(_) => 0,
        };
        let loses = |band: &Band<'_>| match band {
            Band::Execution { steps, .. } => steps.iter().any(|step| step.fate == Fate::Lost),
            Band::Gap(_) => false,
        };
        Self {
            first,
            last,
            writes: bands.iter().map(number).max().unwrap_or(0),
            lost: bands.iter().any(loses),
            bands,
            cycles: false,
            body: String::new(),
        }
    }

    /// Where the bands start and end.
    fn span(&self) -> (usize, usize) {
        let start = MARGIN + LABELS + PANEL;
        (
            start,
            start + self.bands.iter().map(Band::width).sum::<usize>(),
        )
    }

    fn width(&self) -> usize {
        (self.span().1 + PANEL + MARGIN).max(640)
    }

    fn queue_y(name: QueueName) -> usize {
        TOP + ROW * name as usize
    }

    fn subflow_y(position: usize) -> usize {
        TOP + ROW * (3 + position) + 12
    }

    /// The row below the subflows, for what is dropped or lost.
    fn exit_y(&self) -> usize {
        Self::subflow_y(self.first.subflows.len())
    }

    fn has_exit(&self) -> bool {
        self.lost
            || self.bands.iter().any(|band| match band {
                Band::Execution { steps, .. } => steps.iter().any(|s| s.fate == Fate::Dropped),
                Band::Gap(_) => false,
            })
    }

    /// The top of the lines about registers.
    fn writes_y(&self) -> usize {
        self.exit_y() + 8 + if self.has_exit() { ROW } else { 0 }
    }

    fn bottom(&self) -> usize {
        self.writes_y() + 20 * self.writes + 6
    }

    fn text(&mut self, x: usize, y: usize, class: &str, text: &str) {
        let _ = writeln!(
            self.body,
            "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{}</text>",
            escaped(text)
        );
    }

    fn frame(&mut self, scheduler: &str, property: Property, cex: &Counterexample) {
        let place = if cex.line == 0 {
            String::new()
        } else {
            format!(", line {}", cex.line)
        };
        let title = if cex.requirement.is_empty() {
            property.name().to_owned()
        } else {
            cex.requirement.clone()
        };
        self.text(MARGIN, 30, "title", &title);
        let below = format!("does not hold for {scheduler}{place}");
        self.text(MARGIN, 50, "small", &below);
        let (start, end) = self.span();
        self.text(MARGIN + LABELS + 8, TOP - 10, "head", "before");
        self.text(end + 10, TOP - 10, "head", "after");
        let mut x = start;
        for index in 0..self.bands.len() {
            let width = self.bands[index].width();
            let head = match &self.bands[index] {
                Band::Execution { number, .. } => format!("execution {number}"),
                Band::Gap(count) => format!("+{count}"),
            };
            let height = self.bottom() - TOP;
            let tint = if index % 2 == 0 { "band" } else { "band odd" };
            let _ = writeln!(
                self.body,
                "<rect x=\"{x}\" y=\"{TOP}\" width=\"{width}\" height=\"{height}\" class=\"{tint}\"/>"
            );
            self.text(x + width / 2, TOP - 10, "head mid", &head);
            x += width;
        }
    }

    fn lanes(&mut self) {
        let end = self.span().1 + PANEL;
        let line = |body: &mut String, y: usize, class: &str| {
            let x = MARGIN + LABELS;
            let _ = writeln!(
                body,
                "<line x1=\"{x}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\" class=\"{class}\"/>"
            );
        };
        for name in QueueName::ALL {
            let y = Self::queue_y(name) + ROW / 2;
            line(&mut self.body, y, "queue");
            self.text(MARGIN, y + 5, "label", name.name());
        }
        for (position, subflow) in self.first.subflows.iter().enumerate() {
            let y = Self::subflow_y(position) + ROW / 2;
            line(&mut self.body, y, "lane");
            self.text(MARGIN, y - 1, "label", &format!("subflow {}", subflow.id));
            let used = subflow.skbs_in_flight.saturating_add(subflow.queued);
            let mut state = format!("window {}/{}", short(used), short(subflow.cwnd));
            for (flag, word) in [
                (subflow.is_backup, "backup"),
                (subflow.throttled, "throttled"),
                (subflow.lossy, "lossy"),
                (subflow.stale, "stale"),
            ] {
                if flag {
                    state.push_str(", ");
                    state.push_str(word);
                }
            }
            self.text(MARGIN, y + 14, "small", &state);
        }
        if self.first.subflows.is_empty() {
            let y = TOP + ROW * 3 + 8;
            self.text(MARGIN, y, "small", "no subflow");
        }
        if self.has_exit() {
            let y = self.exit_y() + ROW / 2 + 5;
            let label = if self.lost { "lost" } else { "dropped" };
            self.text(MARGIN, y, "label", label);
        }
        if self.writes > 0 {
            let y = self.writes_y() + 16;
            self.text(MARGIN, y, "label", "writes");
        }
    }

    fn panels(&mut self) {
        let after = self.span().1;
        for (state, x) in [(self.first, MARGIN + LABELS), (self.last, after)] {
            for name in QueueName::ALL {
                let y = Self::queue_y(name) + ROW / 2;
                let queue = state.queue(name);
                for (place, &packet) in queue.iter().take(PACKETS).enumerate() {
                    let seq = state.packets[packet].seq;
                    self.packet(x + 30 + place * (BOX.0 + 4), y, seq, "waits");
                }
                if queue.len() > PACKETS {
                    let x = x + 30 + PACKETS * (BOX.0 + 4) - 20;
                    self.text(x, y + 4, "more", &format!("+{}", queue.len() - PACKETS));
                }
            }
        }
    }

    /// A packet's box with its middle at (x, y).
    fn packet(&mut self, x: usize, y: usize, seq: u64, class: &str) {
        let (width, height) = BOX;
        let (left, top) = (x - width / 2, y - height / 2);
        let _ = writeln!(
            self.body,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"4\" class=\"packet {class}\"/>"
        );
        self.text(x, y + 4, &format!("seq {class}"), &short(seq));
    }

    fn bands(&mut self) {
        let mut x = self.span().0;
        for band in std::mem::take(&mut self.bands) {
            let width = band.width();
            match &band {
                Band::Gap(_) => {
                    let y = TOP + (self.bottom() - TOP) / 2;
                    self.text(x + width / 2, y, "head mid", "…");
                }
                Band::Execution {
                    before,
                    steps,
                    writes,
                    ..
                } => {
                    let inset = (width - steps.len() * STEP) / 2;
                    for (place, step) in steps.iter().enumerate() {
                        self.step(x + inset + place * STEP + STEP / 2, before, *step);
                    }
                    if steps.is_empty() && writes.is_empty() {
                        let y = Self::queue_y(QueueName::Unacked) + ROW / 2 - 8;
                        self.text(x + width / 2, y, "small mid", "no effect");
                    }
                    for (line, text) in writes.iter().enumerate() {
                        let y = self.writes_y() + 16 + 20 * line;
                        self.text(x + width / 2, y, "write mid", text);
                    }
                }
            }
            x += width;
            self.bands.push(band);
        }
    }

    fn step(&mut self, x: usize, before: &SchedState, step: Step) {
        let seq = before.packets[step.packet].seq;
        let from = step.home.map(|name| Self::queue_y(name) + ROW / 2);
        let end = match step.fate {
            Fate::Held => None,
            Fate::Pushed(position) => Some((Self::subflow_y(position) + ROW / 2, "sent")),
            Fate::Dropped => Some((self.exit_y() + ROW / 2, "dropped")),
            Fate::Lost => Some((self.exit_y() + ROW / 2, "lost")),
        };
        if let (Some(from), Some((to, class))) = (from, end) {
            let start = if step.popped { from + BOX.1 / 2 } else { from };
            let tip = to - BOX.1 / 2 - 2;
            let _ = writeln!(
                self.body,
                "<path d=\"M{x} {start}V{tip}\" class=\"way {class}\" marker-end=\"url(#{class})\"/>"
            );
            if !step.popped {
                let _ = writeln!(
                    self.body,
                    "<circle cx=\"{x}\" cy=\"{from}\" r=\"4\" class=\"peek\"/>"
                );
            }
        }
        if let (true, Some(from)) = (step.popped, from) {
            self.packet(x, from, seq, "popped");
        }
        if let Some((to, class)) = end {
            self.packet(x, to, seq, class);
        }
    }

    /// An arrow from the end of the last band back to where the cycle starts.
    fn cycle(&mut self, start: usize, length: usize) {
        self.cycles = true;
        let (left, right) = self.span();
        let mut from = left;
        for band in &self.bands {
            match band {
                Band::Execution { number, .. } if *number == start + 1 => break,
                _ => from += band.width(),
            }
        }
        let (top, bottom) = (self.bottom(), self.bottom() + 26);
        let (from, to) = (from + 14, right - 14);
        let tip = top + 4;
        let _ = writeln!(
            self.body,
            "<path d=\"M{to} {top}V{bottom}H{from}V{tip}\" class=\"way lost\" marker-end=\"url(#lost)\"/>"
        );
        let text = if length == 1 {
            "the same again, for ever".to_owned()
        } else {
            format!("these {length} executions again, for ever")
        };
        self.text(usize::midpoint(from, to), bottom + 18, "small mid", &text);
    }

    fn finish(self) -> String {
        let below = if self.cycles { 92 } else { 52 };
        let (width, height) = (self.width(), self.bottom() + below);
        let legend = legend(height - 20, &self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\">\n\
             {DEFINITIONS}\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}{legend}</svg>\n",
            self.body
        )
    }
}

const DEFINITIONS: &str = "<defs>
<marker id=\"sent\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#0b63a5\"/></marker>
<marker id=\"dropped\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#666666\"/></marker>
<marker id=\"lost\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#c0361a\"/></marker>
</defs>
<style>
text{fill:#222222}.title{font-size:18px;font-weight:bold}.small{font-size:11px;fill:#666666}.head{font-size:12px;fill:#444444;font-weight:bold}
.label{font-weight:bold}.mid,.seq{text-anchor:middle}.seq{font-size:12px}.write{font-size:12px}.more{font-size:11px;stroke:#ffffff;stroke-width:4px;paint-order:stroke}
.band{fill:#f4f6f8}.odd{fill:#e9edf1}.queue{stroke:#c4cad0;stroke-dasharray:3 3}.lane{stroke:#8a949e;stroke-width:2}
.packet{stroke-width:1.5}rect.waits{fill:#ffffff;stroke:#555555}rect.popped{fill:#fff3d6;stroke:#b97a00;stroke-dasharray:4 2}
rect.sent{fill:#d9ecfb;stroke:#0b63a5}rect.dropped{fill:#eeeeee;stroke:#666666}rect.lost{fill:#fbe0da;stroke:#c0361a;stroke-width:2.5}
.way{fill:none;stroke-width:1.8}path.sent{stroke:#0b63a5}path.dropped{stroke:#666666}path.lost{stroke:#c0361a}.peek{fill:#0b63a5}
</style>
";

/// What the boxes mean, for those that the picture has.
fn legend(y: usize, body: &str) -> String {
    let mut out = String::new();
    let mut x = MARGIN;
    for (class, text) in [
        ("waits", "in a queue"),
        ("popped", "popped"),
        ("sent", "pushed on a subflow"),
        ("dropped", "dropped"),
        ("lost", "lost"),
    ] {
        if !body.contains(&format!("packet {class}\"")) {
            continue;
        }
        let top = y - 10;
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{top}\" width=\"18\" height=\"12\" rx=\"3\" class=\"packet {class}\"/>\
             <text x=\"{}\" y=\"{y}\" class=\"small\">{text}</text>",
            x + 24
        );
        x += 44 + text.len() * 6;
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::tests::{Scene, counterexample, scene};

    fn drawn(scene: &Scene, property: Property, scenario: Scenario) -> String {
        let cex = counterexample(property, scenario);
        let picture = picture("a<b", property, &cex, &scene.runs);
        if let Some(folder) = std::env::var_os("PROGMP_PICTURES") {
            let path = std::path::Path::new(&folder).join(format!("{property}.svg"));
            std::fs::write(path, &picture).expect("the folder is there");
        }
        picture
    }

    /// Every element that is opened is closed, and nothing else is.
    fn well_formed(picture: &str) {
        let mut open = Vec::new();
        for tag in picture.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("a tag ends");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().expect("a tag has a name"));
            }
        }
        assert!(open.is_empty(), "{open:?} stay open");
    }

    const TWO: &str = r#"{
        "subflows": [{"rtt": 10000, "cwnd": 10, "skbs_in_flight": 10}, {"rtt": 20000, "is_backup": true}],
        "packets": [{}, {}, {"sent_on": [1]}, {}, {}], "q": [3, 4], "qu": [0, 1, 2], "rq": [0]
    }"#;

    #[test]
    fn a_lost_packet_is_drawn_in_a_lane_of_its_own() {
        let text = "VAR p = Q.POP(); SUBFLOWS.FILTER(s => s.RTT > 50000).TOP.PUSH(p); SUBFLOWS.GET(1).PUSH(RQ.POP());";
        let scene = scene(text, TWO, 1);
        let picture = drawn(
            &scene,
            Property::PoppedPacketIsScheduled,
            Scenario::Execution,
        );
        well_formed(&picture);
        assert!(picture.contains("class=\"packet lost\""));
        assert!(picture.contains("class=\"packet sent\""));
        assert!(picture.contains("a&lt;b") && !picture.contains("a<b"));
    }

    #[test]
    fn a_cycle_is_drawn_as_an_arrow_back() {
        let text = "SUBFLOWS.GET(R1).PUSH(QU.TOP); SET(R1, 1 - R1); SUBFLOWS.TOP.SET_USER(7);";
        let scene = scene(text, TWO, 3);
        let scenario = Scenario::Cycle {
            start: 1,
            length: 2,
        };
        let picture = drawn(&scene, Property::TriggerTerminates, scenario);
        well_formed(&picture);
        assert!(picture.contains("these 2 executions again, for ever"));
        assert!(picture.contains("execution 3"));
    }

    #[test]
    fn a_long_run_is_cut_in_the_middle() {
        let scene = scene("SET(R1, R1 + 12345678901);", "{}", 257);
        let picture = drawn(
            &scene,
            Property::TriggerIsShort,
            Scenario::Run { executions: 257 },
        );
        well_formed(&picture);
        assert!(picture.contains("+252"));
        assert!(picture.contains("execution 257") && !picture.contains("execution 6<"));
        assert!(picture.len() < 12_000);
    }

    #[test]
    fn dropped_packets_and_their_fate_are_told_apart() {
        let text = "DROP(QU.LAST); DROP(Q.POP()); VAR p = Q.POP(); SUBFLOWS.TOP.PUSH(p); DROP(p);";
        let scene = scene(text, TWO, 1);
        let (steps, writes) = steps(&scene.runs[0].0, &scene.runs[0].1);
        let fates: Vec<Fate> = steps.iter().map(|step| step.fate).collect();
        let expected = [
            Fate::Dropped,
            Fate::Lost,
            Fate::Held,
            Fate::Pushed(0),
            Fate::Dropped,
        ];
        assert_eq!(fates, expected);
        assert!(writes.is_empty());
        well_formed(&drawn(
            &scene,
            Property::DropIsLicensed,
            Scenario::Execution,
        ));
    }

    #[test]
    fn long_numbers_are_cut_on_the_left() {
        assert_eq!(short(1_234_567), "1234567");
        assert_eq!(short(u64::MAX), "…51615");
    }
}
