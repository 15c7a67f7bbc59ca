//! Random expressions of a wanted type.

use progmp_ir::{PacketInt, QueueName, SubflowBool, SubflowInt, Tier};

use crate::source::{AND, COMPARISON, OR, POSTFIX, PREFIX, PRODUCT, SUM, Text, Type, Writer};

/// Literals around which something may change.
const BOUNDARIES: [u64; 12] = [
    0,
    1,
    2,
    3,
    10,
    1_000,
    10_000,
    (1 << 32) - 1,
    1 << 32,
    (1 << 48) - 1,
    1 << 63,
    u64::MAX,
];

impl Writer<'_> {
    /// Wraps an expression in parentheses that change nothing, now and then.
    fn spare(&mut self, text: Text) -> Text {
        if self.choices.percent(self.mix.layout) {
            Text {
                text: format!("({})", text.text),
                binds: POSTFIX,
            }
        } else {
            text
        }
    }

    fn leaf(&mut self, depth: u32) -> bool {
        self.spend();
        depth == 0 || self.budget == 0
    }

    fn null(&mut self) -> bool {
        self.choices.percent(self.mix.null)
    }

    /// A name of this type in scope.
    fn name(&mut self, fits: impl Fn(Type) -> bool) -> Option<(String, Type)> {
        let mut found: Vec<(&str, Type)> = Vec::new();
        for name in self
            .scopes
            .iter()
            .rev()
            .flat_map(|scope| scope.iter().rev())
        {
            let hidden = found.iter().any(|(text, _)| *text == name.text);
            if !hidden {
                found.push((&name.text, name.ty));
            }
        }
        found.retain(|&(_, ty)| fits(ty));
        if found.is_empty() {
            return None;
        }
        let (text, ty) = *self.choices.pick(&found);
        Some((text.to_owned(), ty))
    }

    pub(crate) fn register(&mut self) -> String {
        let register = self.choices.count(5);
        let alias = self.aliases.iter().find(|(of, _)| *of == register);
        match alias.map(|(_, name)| name.clone()) {
            Some(name) if self.choices.percent(70) => name,
            _ => format!("R{}", register + 1),
        }
    }

    fn literal(&mut self) -> String {
        let value = if self.choices.percent(25) {
            *self.choices.pick(&BOUNDARIES)
        } else {
            self.choices.below(6)
        };
        value.to_string()
    }

    pub(crate) fn int(&mut self, depth: u32) -> Text {
        if self.null() {
            return atom("NULL");
        }
        let text = if self.leaf(depth) {
            self.int_leaf()
        } else {
            self.int_node(depth - 1)
        };
        self.spare(text)
    }

    fn int_leaf(&mut self) -> Text {
        if self.choices.percent(self.mix.random) {
            return atom("RANDOM");
        }
        if self.choices.percent(self.mix.time) {
            return atom("CURRENT_TIME_MS");
        }
        match self.choices.below(4) {
            0 => atom(self.literal()),
            1 => atom(self.register()),
            2 => match self.name(|ty| ty == Type::Int) {
                Some((name, _)) => atom(name),
                None => atom(self.literal()),
            },
            _ => match self.name(|ty| matches!(ty, Type::Subflow | Type::Packet)) {
                Some((name, Type::Subflow)) => {
                    let property = self.subflow_property();
                    atom(format!("{name}.{property}"))
                }
                Some((name, _)) => {
                    let property = *self.choices.pick(PacketInt::SPELLINGS);
                    atom(format!("{name}.{property}"))
                }
                None => atom(self.register()),
            },
        }
    }

    fn int_node(&mut self, depth: u32) -> Text {
        if self.choices.percent(self.mix.hard_arithmetic) {
            if self.choices.percent(30) && self.lambdas < self.mix.lambdas {
                let (list, ty) = self.any_list(depth);
                let key = self.lambda(ty, |w| w.int(depth));
                return atom(format!("{list}.SUM({key})"));
            }
            let op = *self.choices.pick(&["*", "/", "%"]);
            let left = self.int(depth).at(PRODUCT);
            let right = self.int(depth).at(PREFIX);
            return Text {
                text: format!("{left} {op} {right}"),
                binds: PRODUCT,
            };
        }
        match self.choices.below(5) {
            0 => self.int_leaf(),
            1 => {
                let (list, _) = self.any_list(depth);
                atom(format!("{list}.COUNT"))
            }
            2 => {
                let op = *self.choices.pick(&["+", "-"]);
                let left = self.int(depth).at(SUM);
                let right = self.int(depth).at(PRODUCT);
                Text {
                    text: format!("{left} {op} {right}"),
                    binds: SUM,
                }
            }
            3 => {
                let property = self.subflow_property();
                atom(format!("{}.{property}", self.subflow(depth).at(POSTFIX)))
            }
            _ => {
                let property = *self.choices.pick(PacketInt::SPELLINGS);
                atom(format!("{}.{property}", self.packet(depth).at(POSTFIX)))
            }
        }
    }

    fn subflow_property(&mut self) -> &'static str {
        let tier_b = self.choices.percent(self.mix.tier_b);
        let tier = if tier_b { Tier::B } else { Tier::A };
        let spellings: Vec<&'static str> = SubflowInt::SPELLINGS
            .iter()
            .copied()
            .filter(|name| SubflowInt::from_name(name).is_some_and(|p| p.tier() == tier))
            .collect();
        spellings[self.choices.count(spellings.len() - 1)]
    }

    pub(crate) fn bool(&mut self, depth: u32) -> Text {
        if self.null() {
            return atom("NULL");
        }
        let text = if self.leaf(depth) {
            self.bool_leaf()
        } else {
            self.bool_node(depth - 1)
        };
        self.spare(text)
    }

    fn bool_leaf(&mut self) -> Text {
        match self.choices.below(5) {
            0 => atom(*self.choices.pick(&["TRUE", "FALSE"])),
            1 => match self.name(|ty| ty == Type::Bool) {
                Some((name, _)) => atom(name),
                None => atom("Q.EMPTY"),
            },
            2 => match self.name(|ty| matches!(ty, Type::Subflow | Type::Packet)) {
                Some((name, Type::Subflow)) => {
                    let property = *self.choices.pick(SubflowBool::SPELLINGS);
                    atom(format!("{name}.{property}"))
                }
                Some((name, _)) => {
                    let property = *self.choices.pick(&["PSH", "SENT_ON_ALL"]);
                    atom(format!("{name}.{property}"))
                }
                None => atom("RQ.EMPTY"),
            },
            3 => atom(*self.choices.pick(&["Q.EMPTY", "RQ.EMPTY", "QU.EMPTY"])),
            _ => {
                let op = *self.choices.pick(&["<", ">=", "=="]);
                let (left, right) = (self.int_leaf().text, self.literal());
                Text {
                    text: format!("{left} {op} {right}"),
                    binds: COMPARISON,
                }
            }
        }
    }

    fn bool_node(&mut self, depth: u32) -> Text {
        match self.choices.below(14) {
            0 => self.bool_leaf(),
            1 => Text {
                text: format!("!{}", self.bool(depth).at(PREFIX)),
                binds: PREFIX,
            },
            2 | 3 => {
                let left = self.bool(depth).at(AND);
                let right = self.bool(depth).at(COMPARISON);
                Text {
                    text: format!("{left} AND {right}"),
                    binds: AND,
                }
            }
            4 => {
                let left = self.bool(depth).at(OR);
                let right = self.bool(depth).at(AND);
                Text {
                    text: format!("{left} OR {right}"),
                    binds: OR,
                }
            }
            5 | 6 => {
                let op = *self.choices.pick(&["<", "<=", ">", ">="]);
                let left = self.int(depth).at(SUM);
                let right = self.int(depth).at(SUM);
                comparison(&left, op, &right)
            }
            7 => self.equality(depth),
            8 => {
                let (list, _) = self.any_list(depth);
                atom(format!("{list}.EMPTY"))
            }
            9 => {
                let property = *self.choices.pick(SubflowBool::SPELLINGS);
                atom(format!("{}.{property}", self.subflow(depth).at(POSTFIX)))
            }
            10 => {
                let property = *self.choices.pick(&["PSH", "SENT_ON_ALL"]);
                atom(format!("{}.{property}", self.packet(depth).at(POSTFIX)))
            }
            11 | 12 => {
                let packet = self.packet(depth).at(POSTFIX);
                let subflow = self.subflow_or_null(depth);
                atom(format!("{packet}.SENT_ON({subflow})"))
            }
            _ => {
                let subflow = self.subflow(depth).at(POSTFIX);
                let packet = self.packet_or_null(depth);
                atom(format!("{subflow}.HAS_WINDOW_FOR({packet})"))
            }
        }
    }

    fn equality(&mut self, depth: u32) -> Text {
        let op = *self.choices.pick(&["==", "!="]);
        let kind = self.choices.below(7);
        if kind < 2 {
            let left = self.int(depth).at(SUM);
            let right = self.int(depth).at(SUM);
            return comparison(&left, op, &right);
        }
        if kind == 2 {
            let left = self.bool(depth).at(COMPARISON);
            let right = self.bool(depth).at(SUM);
            return comparison(&left, op, &right);
        }
        let value = match kind {
            3 => self.subflow(depth).at(SUM),
            4 => self.packet(depth).at(SUM),
            5 => self.any_list(depth).0,
            _ => self.int(depth).at(SUM),
        };
        if self.choices.percent(30) {
            comparison("NULL", op, &value)
        } else {
            comparison(&value, op, "NULL")
        }
    }

    fn subflow_or_null(&mut self, depth: u32) -> String {
        if self.null() {
            "NULL".to_owned()
        } else {
            self.subflow(depth).text
        }
    }

    fn packet_or_null(&mut self, depth: u32) -> String {
        if self.null() {
            "NULL".to_owned()
        } else {
            self.packet(depth).text
        }
    }

    pub(crate) fn subflow(&mut self, depth: u32) -> Text {
        let leaf = self.leaf(depth);
        if let Some((name, _)) = self.name(|ty| ty == Type::Subflow)
            && (leaf || self.choices.percent(60))
        {
            return atom(name);
        }
        if leaf {
            return atom("SUBFLOWS.FIRST");
        }
        let list = self.subflows(depth - 1).at(POSTFIX);
        let text = self.member(&list, Type::Subflow, depth - 1);
        self.spare(text)
    }

    pub(crate) fn packet(&mut self, depth: u32) -> Text {
        let leaf = self.leaf(depth);
        if let Some((name, _)) = self.name(|ty| ty == Type::Packet)
            && (leaf || self.choices.percent(60))
        {
            return atom(name);
        }
        if leaf {
            return atom(*self.choices.pick(&["Q.TOP", "RQ.TOP", "QU.LAST"]));
        }
        let list = self.queue(depth - 1).0.at(POSTFIX);
        let text = self.member(&list, Type::Packet, depth - 1);
        self.spare(text)
    }

    /// One element of a list.
    fn member(&mut self, list: &str, ty: Type, depth: u32) -> Text {
        atom(match self.choices.below(6) {
            0 => format!("{list}.FIRST"),
            1 => format!("{list}.TOP"),
            2 => format!("{list}.LAST"),
            3 => format!("{list}.GET({})", self.int(depth).text),
            n => {
                let name = if n == 4 { "MIN" } else { "MAX" };
                if self.lambdas == self.mix.lambdas {
                    return atom(format!("{list}.TOP"));
                }
                format!("{list}.{name}({})", self.lambda(ty, |w| w.int(depth)))
            }
        })
    }

    pub(crate) fn subflows(&mut self, depth: u32) -> Text {
        let leaf = self.leaf(depth);
        let base = match self.name(|ty| ty == Type::Subflows) {
            Some((name, _)) if self.choices.percent(50) => atom(name),
            _ => atom("SUBFLOWS"),
        };
        self.filtered(base, Type::Subflow, leaf, depth)
    }

    /// A packet queue of any origin.
    pub(crate) fn queue(&mut self, depth: u32) -> (Text, QueueName) {
        let names = [QueueName::Send, QueueName::Retrans, QueueName::Unacked];
        let queue = *self.choices.pick(&names);
        self.queue_like(depth, |_| true, queue)
    }

    /// A packet queue that may be popped from.
    pub(crate) fn poppable(&mut self, depth: u32) -> Text {
        let queue = *self.choices.pick(&[QueueName::Send, QueueName::Retrans]);
        let (list, _) = self.queue_like(depth, |queue| queue != QueueName::Unacked, queue);
        list
    }

    fn queue_like(
        &mut self,
        depth: u32,
        fits: impl Fn(QueueName) -> bool,
        queue: QueueName,
    ) -> (Text, QueueName) {
        let leaf = self.leaf(depth);
        let name = self.name(|ty| matches!(ty, Type::Queue(queue) if fits(queue)));
        let (base, queue) = match name {
            Some((name, Type::Queue(queue))) if self.choices.percent(50) => (atom(name), queue),
            _ => (atom(queue.name()), queue),
        };
        (self.filtered(base, Type::Packet, leaf, depth), queue)
    }

    fn filtered(&mut self, list: Text, ty: Type, leaf: bool, depth: u32) -> Text {
        if leaf || self.lambdas == self.mix.lambdas || !self.choices.percent(40) {
            return self.spare(list);
        }
        let list = list.at(POSTFIX);
        let predicate = self.lambda(ty, |w| w.bool(depth - 1));
        let text = atom(format!("{list}.FILTER({predicate})"));
        self.spare(text)
    }

    /// A list as a receiver, and the type of its elements. Without a lambda left, a plain one.
    fn any_list(&mut self, depth: u32) -> (String, Type) {
        if self.choices.percent(50) {
            (self.queue(depth).0.at(POSTFIX), Type::Packet)
        } else {
            (self.subflows(depth).at(POSTFIX), Type::Subflow)
        }
    }

    fn lambda(&mut self, ty: Type, body: impl FnOnce(&mut Self) -> Text) -> String {
        self.lambdas += 1;
        self.scopes.push(Vec::new());
        let name = self.new_name("x");
        self.declare(name.clone(), ty);
        let body = body(self).text;
        self.scopes.pop();
        self.lambdas -= 1;
        let arrow = if self.choices.percent(self.mix.layout) {
            "= >"
        } else {
            "=>"
        };
        format!("{name} {arrow} {body}")
    }
}

fn atom(text: impl Into<String>) -> Text {
    Text {
        text: text.into(),
        binds: POSTFIX,
    }
}

fn comparison(left: &str, op: &str, right: &str) -> Text {
    Text {
        text: format!("{left} {op} {right}"),
        binds: COMPARISON,
    }
}
