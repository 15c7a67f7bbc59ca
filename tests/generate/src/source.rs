//! Random programs as source text.
//!
//! Every text is a correct ProgMP file: names are declared, types fit, limits are
//! kept. Every construct of specs/grammar.md can occur, in every spelling.
//! Expressions live in `expression.rs`.

use progmp_ir::QueueName;

use crate::choices::Choices;
use crate::mix::Mix;

/// A random program.
pub fn program(choices: &mut Choices) -> String {
    program_with(choices, &Mix::default())
}

/// A random program of a mix.
pub fn program_with(choices: &mut Choices, mix: &Mix) -> String {
    let mut writer = Writer {
        choices,
        mix,
        out: String::new(),
        indent: 0,
        scopes: vec![Vec::new()],
        aliases: Vec::new(),
        lambdas: 0,
        budget: mix.size,
        named: 0,
    };
    writer.file();
    writer.out
}

/// The type of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Int,
    Bool,
    Subflow,
    Packet,
    Subflows,
    Queue(QueueName),
}

/// A name in scope.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) ty: Type,
}

/// A file in progress.
pub(crate) struct Writer<'c> {
    pub(crate) choices: &'c mut Choices,
    pub(crate) mix: &'c Mix,
    pub(crate) out: String,
    indent: usize,
    pub(crate) scopes: Vec<Vec<Name>>,
    /// Alternative names of registers.
    pub(crate) aliases: Vec<(usize, String)>,
    pub(crate) lambdas: u32,
    pub(crate) budget: u32,
    named: usize,
}

#[derive(Clone, Copy)]
enum Form {
    Return,
    Void,
    Push,
    If,
    Foreach,
    Var,
    Set,
    SetUser,
    Drop,
    Print,
}

impl Writer<'_> {
    fn file(&mut self) {
        if self.choices.percent(60) {
            let name = *self.choices.pick(&["generated", "AS", "_x9"]);
            self.line(&format!("SCHEDULER {name};"));
        }
        self.defines();
        let start = self.out.len();
        let most = self.mix.block.max(1);
        for _ in 0..=self.choices.count(most - 1) {
            self.statement(self.mix.blocks);
        }
        if self.out.len() == start {
            self.line("RETURN;");
        }
    }

    fn defines(&mut self) {
        let names = ["next", "quota", "as", "VOID", "DEFINE", "last_seen"];
        let mut items = Vec::new();
        for (register, name) in names.iter().enumerate() {
            if self.choices.percent(12) {
                let keyword = *self.choices.pick(&["AS", "as"]);
                items.push(format!("R{} {keyword} {name}", register + 1));
                self.aliases.push((register, (*name).to_owned()));
            }
        }
        if !items.is_empty() {
            self.line(&format!("DEFINE {};", items.join(", ")));
        }
    }

    fn line(&mut self, text: &str) {
        let odd = self.choices.percent(self.mix.layout);
        if odd {
            let comment = *self
                .choices
                .pick(&["", "/* a \" } comment */ ", "// so\n", "\t\r\n"]);
            self.out.push_str(comment);
        }
        for _ in 0..self.indent {
            self.out.push_str("    ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn block(&mut self, blocks: u32) {
        self.scopes.push(Vec::new());
        self.indent += 1;
        for _ in 0..self.choices.count(self.mix.block.saturating_sub(1)) {
            self.statement(blocks);
        }
        self.indent -= 1;
        self.scopes.pop();
    }

    /// A name that is new in this block; sometimes one that hides an outer one.
    pub(crate) fn new_name(&mut self, prefix: &str) -> String {
        let here = self.scopes.last().expect("there is a scope");
        let outer: Vec<&str> = self.scopes[..self.scopes.len() - 1]
            .iter()
            .flatten()
            .map(|name| name.text.as_str())
            .filter(|text| here.iter().all(|name| name.text != *text))
            .collect();
        if !outer.is_empty() && self.choices.percent(8) {
            return (*self.choices.pick(&outer)).to_owned();
        }
        self.named += 1;
        format!("{prefix}{}", self.named)
    }

    pub(crate) fn declare(&mut self, text: String, ty: Type) {
        let scope = self.scopes.last_mut().expect("there is a scope");
        scope.push(Name { text, ty });
    }

    /// Takes one node from the budget.
    pub(crate) const fn spend(&mut self) {
        self.budget = self.budget.saturating_sub(1);
    }

    fn statement(&mut self, blocks: u32) {
        if self.budget == 0 {
            return;
        }
        self.spend();
        let mix = self.mix;
        let nested = |weight| if blocks == 0 { 0 } else { weight };
        let form = self.choices.weighted(&[
            (mix.push, Form::Push),
            (mix.set, Form::Set),
            (mix.var, Form::Var),
            (nested(mix.branch), Form::If),
            (nested(mix.foreach), Form::Foreach),
            (mix.set_user, Form::SetUser),
            (mix.drop, Form::Drop),
            (mix.print, Form::Print),
            (mix.void, Form::Void),
            (mix.ret, Form::Return),
        ]);
        match form {
            Form::Return => self.line("RETURN;"),
            Form::Void => {
                let value = if self.choices.percent(90) {
                    self.value().1
                } else {
                    String::new()
                };
                self.line(&format!("VOID({value});"));
            }
            Form::Push => {
                let target = self.subflow(mix.depth).at(POSTFIX);
                let packet = self.operand();
                self.line(&format!("{target}.PUSH({packet});"));
            }
            Form::Set => {
                let register = self.register();
                let value = self.int(mix.depth).text;
                self.line(&format!("SET({register}, {value});"));
            }
            Form::SetUser => {
                let target = self.subflow(mix.depth).at(POSTFIX);
                let value = self.int(mix.depth).text;
                self.line(&format!("{target}.SET_USER({value});"));
            }
            Form::Drop => {
                let packet = self.operand();
                self.line(&format!("DROP({packet});"));
            }
            Form::Var => self.var(),
            Form::Print => self.print(),
            Form::If => self.branch(blocks - 1),
            Form::Foreach => self.foreach(blocks - 1),
        }
    }

    fn branch(&mut self, blocks: u32) {
        let cond = self.bool(self.mix.depth).text;
        self.line(&format!("IF ({cond}) {{"));
        self.block(blocks);
        while self.choices.percent(15) {
            let cond = self.bool(self.mix.depth).text;
            self.line(&format!("}} ELSE IF ({cond}) {{"));
            self.block(blocks);
        }
        if self.choices.percent(35) {
            self.line("} ELSE {");
            self.block(blocks);
        }
        self.line("}");
    }

    fn foreach(&mut self, blocks: u32) {
        let (ty, list) = if self.choices.percent(30) {
            let (list, _) = self.queue(self.mix.depth);
            (Type::Packet, list.text)
        } else {
            (Type::Subflow, self.subflows(self.mix.depth).text)
        };
        self.scopes.push(Vec::new());
        let name = self.new_name("e");
        self.line(&format!("FOREACH (VAR {name} IN {list}) {{"));
        self.declare(name, ty);
        self.block(blocks);
        self.scopes.pop();
        self.line("}");
    }

    fn var(&mut self) {
        let mut declarators = Vec::new();
        for _ in 0..=self.choices.below(100) / 80 {
            let (ty, init) = if self.choices.percent(self.mix.pop / 2) {
                (Type::Packet, self.pop())
            } else {
                self.value()
            };
            let name = self.new_name("v");
            declarators.push(format!("{name} = {init}"));
            self.declare(name, ty);
        }
        self.line(&format!("VAR {};", declarators.join(", ")));
    }

    fn print(&mut self) {
        let mut format = String::new();
        let mut args = String::new();
        for _ in 0..self.choices.count(3) {
            match self.choices.below(4) {
                0 => format.push_str("100%% \\n"),
                1 => {
                    format.push_str("%s\\t");
                    args.push_str(", \"a \\\"word\\\"\"");
                }
                n => {
                    format.push_str(if n == 2 { "%d " } else { "%u " });
                    let depth = self.mix.depth.min(2);
                    let value = match self.choices.below(4) {
                        0 => self.int(depth),
                        1 => self.bool(depth),
                        2 => self.subflow(depth),
                        _ => self.packet(depth),
                    };
                    args.push_str(", ");
                    args.push_str(&value.text);
                }
            }
        }
        self.line(&format!("PRINT(\"{format}\"{args});"));
    }

    /// A value of any type.
    fn value(&mut self) -> (Type, String) {
        let depth = self.mix.depth;
        match self.choices.below(6) {
            0 => (Type::Int, self.int(depth).text),
            1 => (Type::Bool, self.bool(depth).text),
            2 => (Type::Subflows, self.subflows(depth).text),
            3 => (Type::Subflow, self.subflow(depth).text),
            4 => (Type::Packet, self.packet(depth).text),
            _ => {
                let (list, queue) = self.queue(depth);
                (Type::Queue(queue), list.text)
            }
        }
    }

    /// The packet of a PUSH or a DROP.
    fn operand(&mut self) -> String {
        if self.choices.percent(self.mix.pop) {
            self.pop()
        } else {
            self.packet(self.mix.depth).text
        }
    }

    fn pop(&mut self) -> String {
        let list = self.poppable(self.mix.depth).at(POSTFIX);
        if self.choices.percent(self.mix.layout) {
            format!("({list}.POP())")
        } else {
            format!("{list}.POP()")
        }
    }
}

/// How tightly an expression binds; see the list in specs/grammar.md.
pub(crate) const OR: u8 = 0;
pub(crate) const AND: u8 = 1;
pub(crate) const COMPARISON: u8 = 2;
pub(crate) const SUM: u8 = 3;
pub(crate) const PRODUCT: u8 = 4;
pub(crate) const PREFIX: u8 = 5;
pub(crate) const POSTFIX: u8 = 6;

/// An expression as text, and how tightly it binds.
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) binds: u8,
}

impl Text {
    /// The text for a place that wants at least this binding.
    pub(crate) fn at(self, binds: u8) -> String {
        if self.binds < binds {
            format!("({})", self.text)
        } else {
            self.text
        }
    }
}
