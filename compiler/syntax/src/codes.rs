//! Every kind of mistake: its code, its name and what `--explain` says of it.
//!
//! `E00…` is about characters, words and sizes, `E01…` about the grammar,
//! `E02…` about names, `E03…` about types, `E04…` about requirements, `W…` are
//! warnings. A code keeps its meaning for good. The examples are tested: the
//! wrong one gets its code and no other, the right one gets none.

use std::fmt;
use std::str::FromStr;

use crate::diagnostic::Severity;

/// A text is none of the codes and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode;

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such code")
    }
}

impl std::error::Error for UnknownCode {}

macro_rules! codes {
    ($($variant:ident $id:literal $name:literal $summary:literal
        $text:literal
        wrong $wrong:literal
        right $right:literal)*) => {
        /// A kind of mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $summary] $variant,)* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// `E0101`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),* }
            }

            /// `unexpected-token`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// One line.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary),* }
            }

            /// Why the rule is there and what to do, in a paragraph.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// A file with this mistake and no other; empty if none can be printed.
            pub const fn wrong(self) -> &'static str {
                match self { $(Self::$variant => $wrong),* }
            }

            /// The same, mended; empty if there is nothing to show.
            pub const fn right(self) -> &'static str {
                match self { $(Self::$variant => $right),* }
            }
        }
    };
}

impl Code {
    /// Whether it leaves a program.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Unreachable | Self::MisspeltAnnotation => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// What `--explain` prints.
    pub fn explanation(self) -> String {
        let mut out = format!(
            "{} {}: {}\n\n{}\n",
            self.id(),
            self.name(),
            self.summary(),
            self.text()
        );
        for (title, example) in [("Wrong", self.wrong()), ("Right", self.right())] {
            if !example.is_empty() {
                let lines = example.lines().map(|line| format!("    {line}\n"));
                out.extend(["\n", title, ":\n\n"]);
                out.extend(lines);
            }
        }
        out
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    /// Reads `E0101` (in any case) or `unexpected-token`.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let found = Self::ALL
            .iter()
            .find(|code| code.id().eq_ignore_ascii_case(text) || code.name() == text);
        found.copied().ok_or(UnknownCode)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

codes! {
    FileTooLarge "E0001" "file-too-large" "a file is larger than 1 MiB"
        "A scheduler is a page of text; a file of more than 1,048,576 bytes is taken for a mistake and not read."
        wrong "" right ""
    NotUtf8 "E0002" "not-utf8" "a file is not UTF-8"
        "Schedulers are text in UTF-8. Convert the file, or look whether it is the right one. A byte order mark is allowed."
        wrong "" right ""
    NulByte "E0003" "nul-byte" "a file holds a NUL byte"
        "No text needs a NUL byte, not even in a comment. The file is probably not text, or is text in UTF-16."
        wrong "RETURN;\0" right "RETURN;"
    EmptyFile "E0004" "empty-file" "a file says nothing"
        "A file without any statement, apart from comments, is probably not the one that was meant. A scheduler that does nothing is `RETURN;`."
        wrong "/* later */" right "RETURN;"
    StrayCharacter "E0005" "stray-character" "a character is not part of the language"
        "Outside of comments and strings, ProgMP uses letters, digits, `_`, white space and `( ) { } , ; . = ! < > + - * / % \"`. Logical operators are words: `AND`, `OR`."
        wrong "IF (Q.EMPTY && RQ.EMPTY) { RETURN; }" right "IF (Q.EMPTY AND RQ.EMPTY) { RETURN; }"
    UnterminatedComment "E0006" "unterminated-comment" "a comment has no end"
        "A comment that starts with `/*` goes on to the next `*/`. Comments do not nest."
        wrong "RETURN;\n/* what follows" right "RETURN;\n/* what follows */"
    UnterminatedString "E0007" "unterminated-string" "a string has no end"
        "A string ends with a `\"` on the line where it starts. A line feed in it is written `\\n`."
        wrong "PRINT(\"queue is empty);" right "PRINT(\"queue is empty\");"
    BadEscape "E0008" "bad-escape" "a string holds an unknown escape"
        "After a backslash stands one of `\\ \" n r t`. A backslash itself is written twice."
        wrong "PRINT(\"a\\b\");" right "PRINT(\"a\\\\b\");"
    StringTooLong "E0009" "string-too-long" "a string has more than 255 bytes"
        "Formats of PRINT are limited to 255 bytes, counted after escapes are resolved. Print in several statements."
        wrong "PRINT(\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\");"
        right "PRINT(\"aaaa\");"
    NameTooLong "E0010" "name-too-long" "a name has more than 63 bytes"
        "Names are limited to 63 bytes, as the kernel limits its own."
        wrong "VAR a23456789_123456789_123456789_123456789_123456789_123456789_1234 = 1;" right "VAR a23456789 = 1;"
    NumberTooLarge "E0011" "number-too-large" "a number does not fit in 64 bits"
        "Integers are unsigned and have 64 bits: the largest is 18446744073709551615. A larger literal is refused rather than cut."
        wrong "SET(R1, 18446744073709551616);" right "SET(R1, 18446744073709551615);"
    BadNumber "E0012" "bad-number" "a word starts with a digit and is not a number"
        "Numbers are decimal digits without a unit or a prefix; names start with a letter or `_`. Times are in µs or ms as each property says."
        wrong "VAR limit = 20ms;" right "VAR limit = 20;"
    TooDeep "E0013" "too-deep" "brackets are nested more than 256 deep"
        "Parentheses and blocks may be nested 256 deep in all. A deeper file is not analysed further. Name parts of the expression with VAR, or move tests into one condition."
        wrong "" right ""
    TooHigh "E0014" "too-high" "a statement is more than 1024 levels high"
        "Each operator, `.`, parenthesis, block and ELSE IF puts one level on top of what it holds. A statement may have 1024. Split a long sum or chain with VAR."
        wrong "" right ""
    TooManyMistakes "E0015" "too-many-mistakes" "only the first 100 mistakes are shown"
        "The rest of a long list is counted and not printed; after 100 mistakes of grammar the rest of the file is not read. Mend the first ones and look again."
        wrong "" right ""
    UnexpectedToken "E0101" "unexpected-token" "the grammar does not allow this here"
        "The text stops being a ProgMP program at the marked place. The message says what could stand there. One such message is given for each statement; what follows it is read as usual."
        wrong "VAR x = 1 + * 2;" right "VAR x = 1 + 2;"
    MissingSemicolon "E0102" "missing-semicolon" "a statement does not end with `;`"
        "Every statement but IF and FOREACH ends with `;`, the last one of a block too."
        wrong "IF (Q.EMPTY) { RETURN }" right "IF (Q.EMPTY) { RETURN; }"
    UnclosedBlock "E0103" "unclosed-block" "a `{` has no `}`"
        "The file ends inside a block. The marked `{` is the outermost that is left over; the `}` that is missing may belong further in."
        wrong "IF (Q.EMPTY) {\n    RETURN;" right "IF (Q.EMPTY) {\n    RETURN;\n}"
    StrayBrace "E0104" "stray-brace" "a `}` has no `{`"
        "There is one `}` too many, or a `{` is missing before it."
        wrong "RETURN;\n}" right "RETURN;"
    ElseWithoutIf "E0105" "else-without-if" "an ELSE does not follow the block of an IF"
        "ELSE stands directly after the `}` of an IF or of an ELSE IF. There is no `;` between them."
        wrong "ELSE { RETURN; }" right "IF (Q.EMPTY) { RETURN; } ELSE { RETURN; }"
    MisplacedHeader "E0106" "misplaced-header" "SCHEDULER is not the first statement"
        "A file may start with `SCHEDULER name;`, once. A file holds one scheduler."
        wrong "RETURN;\nSCHEDULER late;" right "SCHEDULER late;\nRETURN;"
    MisplacedDefine "E0107" "misplaced-define" "DEFINE stands in a block"
        "An alias holds for the whole scheduler, so DEFINE stands outside of all blocks."
        wrong "IF (Q.EMPTY) { DEFINE R1 AS next; }" right "DEFINE R1 AS next;\nIF (Q.EMPTY) { SET(next, 1); }"
    NoEffect "E0108" "no-effect" "an expression stands as a statement"
        "Only `subflow.PUSH(packet);` and `subflow.SET_USER(value);` are statements of that form. An expression has no effect; to evaluate one all the same, write `VOID(…);`. A packet is given up with `DROP(…);`."
        wrong "Q.COUNT;" right "VOID(Q.COUNT);"
    EffectInExpression "E0109" "effect-in-expression" "PUSH or SET_USER stands inside an expression"
        "PUSH and SET_USER change the world and have no value, so they are statements of their own."
        wrong "VAR sent = SUBFLOWS.FIRST.PUSH(Q.TOP);" right "SUBFLOWS.FIRST.PUSH(Q.TOP);"
    PopInExpression "E0110" "pop-in-expression" "POP stands inside an expression"
        "POP removes a packet from its queue. Expressions have no effects: a condition or a predicate may be evaluated any number of times, or not at all, and a packet popped there would be lost. So POP stands only as the argument of PUSH or DROP, or as the initialiser of a VAR. To look at the first packet without taking it, write `.TOP`."
        wrong "IF (Q.POP() != NULL) { RETURN; }" right "VAR packet = Q.POP();\nDROP(packet);"
    KeywordAsName "E0111" "keyword-as-name" "a keyword stands where a name is wanted"
        "Keywords cannot name variables, parameters, aliases or schedulers. `DEFINE`, `AS`, `as` and `VOID` can."
        wrong "VAR IN = 1;" right "VAR input = 1;"
    UnclosedParenthesis "E0112" "unclosed-parenthesis" "a `(` has no `)`"
        "The statement ends, or its block begins, while a parenthesis is open."
        wrong "IF (Q.EMPTY { RETURN; }" right "IF (Q.EMPTY) { RETURN; }"
    UnknownName "E0201" "unknown-name" "a name is not declared here"
        "A name is a register (`R1` to `R6`) or its alias, a built-in (`Q`, `QU`, `RQ`, `SUBFLOWS`, `CURRENT_TIME_MS`, `RANDOM`), a lambda parameter or a variable. A variable is known from the end of its own declaration to the end of its block; its initialiser does not see it."
        wrong "SET(R1, count + 1);" right "VAR count = Q.COUNT;\nSET(R1, count + 1);"
    UnknownMember "E0202" "unknown-member" "there is no such property or method"
        "What may follow the dot depends on what stands before it: properties of a subflow or of a packet, operations of a list. Names are case-sensitive."
        wrong "VAR free = SUBFLOWS.FILTER(s => !s.TSQ_THROTLED);" right "VAR free = SUBFLOWS.FILTER(s => !s.TSQ_THROTTLED);"
    Redeclared "E0203" "redeclared" "a name is declared twice in one block"
        "A variable is assigned once. A second one of the same name may stand in an inner block; there it hides the first."
        wrong "VAR x = 1;\nVAR x = 2;" right "VAR x = 1;\nVAR y = 2;"
    NeverReadable "E0204" "never-readable" "a declared name always means something else"
        "Registers, aliases and built-ins are looked up first, wherever they stand. A variable or parameter of that name could never be read."
        wrong "VAR Q = SUBFLOWS.COUNT;" right "VAR count = SUBFLOWS.COUNT;"
    AliasClash "E0205" "alias-clash" "an alias has the name of a register or a built-in"
        "`DEFINE R1 AS Q;` would leave no way to say Q."
        wrong "DEFINE R1 AS RQ;" right "DEFINE R1 AS rounds;"
    NotARegister "E0206" "not-a-register" "SET or DEFINE does not name a register"
        "SET changes the registers `R1` to `R6`, by their own names or by an alias; DEFINE gives an alias to one of them. A variable is assigned once, where it is declared."
        wrong "VAR x = 1;\nSET(x, 2);" right "DEFINE R1 AS x;\nSET(x, 2);"
    UsedBeforeDefine "E0207" "used-before-define" "an alias is used before its DEFINE"
        "A file is read from top to bottom: DEFINE comes before the first use."
        wrong "SET(next, 1);\nDEFINE R1 AS next;" right "DEFINE R1 AS next;\nSET(next, 1);"
    TypeMismatch "E0301" "type-mismatch" "a value has the wrong type"
        "There are no conversions: a condition is a bool, arithmetic and ordering take ints, PUSH takes a subflow and a packet. NULL may stand for any value but a list."
        wrong "IF (Q.COUNT) { RETURN; }" right "IF (Q.COUNT > 0) { RETURN; }"
    NotComparable "E0302" "not-comparable" "subflows, packets or lists are compared with `==`"
        "`==` and `!=` compare ints, bools, and anything with NULL. Subflows are compared through `.ID`, packets through `.SEQ`; lists cannot be compared."
        wrong "VAR a = SUBFLOWS.FIRST;\nVAR b = SUBFLOWS.LAST;\nIF (a == b) { RETURN; }"
        right "VAR a = SUBFLOWS.FIRST;\nVAR b = SUBFLOWS.LAST;\nIF (a.ID == b.ID) { RETURN; }"
    WrongArguments "E0303" "wrong-arguments" "a method has too few or too many arguments"
        "Properties stand without parentheses (`.RTT`, `.EMPTY`, `.TOP`), methods with as many arguments as they take; POP has an empty pair."
        wrong "IF (Q.EMPTY()) { RETURN; }" right "IF (Q.EMPTY) { RETURN; }"
    LambdaExpected "E0304" "lambda-expected" "an argument is not of the form `x => …`"
        "FILTER takes a predicate and MIN, MAX and SUM take a key, each written for one element: `s => s.RTT`."
        wrong "VAR fast = SUBFLOWS.MIN(RTT);" right "VAR fast = SUBFLOWS.MIN(s => s.RTT);"
    LambdaUnexpected "E0305" "lambda-unexpected" "`x => …` stands where a value is wanted"
        "Only FILTER, MIN, MAX and SUM take a function."
        wrong "VAR first = SUBFLOWS.GET(s => s.ID);" right "VAR first = SUBFLOWS.GET(0);"
    CannotPop "E0306" "cannot-pop" "POP is applied to something else than Q, RQ or a part of them"
        "POP takes a packet that is to be sent: from Q, from RQ, or from a list filtered from one of them. What is in QU has been scheduled already and stays there until it is acknowledged; `.TOP` reads it."
        wrong "DROP(QU.POP());" right "DROP(RQ.POP());"
    WrongReceiver "E0307" "wrong-receiver" "a property or method is read from the wrong kind of value"
        "The name after the dot exists, for another type than the one before the dot."
        wrong "VAR x = SUBFLOWS.RTT;" right "VAR x = SUBFLOWS.FIRST.RTT;"
    StringOutsidePrint "E0308" "string-outside-print" "a string stands outside of PRINT"
        "Strings are formats and `%s` arguments of PRINT, and nothing else."
        wrong "VAR label = \"fast\";" right "PRINT(\"%s\", \"fast\");"
    BadFormat "E0309" "bad-format" "a PRINT format has an unknown conversion"
        "The conversions are `%d` and `%u` (an int, a bool, a subflow's ID, a packet's SEQ), `%s` (a string literal) and `%%` (the character)."
        wrong "PRINT(\"%x\", R1);" right "PRINT(\"%u\", R1);"
    FormatArguments "E0310" "format-arguments" "a PRINT has arguments that do not fit its format"
        "Each `%d`, `%u` and `%s` takes one argument, in order: `%s` a string literal, the others an int, a bool, a subflow, a packet or NULL."
        wrong "PRINT(\"%u packets\");" right "PRINT(\"%u packets\", Q.COUNT);"
    TooManyLambdas "E0311" "too-many-lambdas" "lambdas are nested more than 8 deep"
        "Each lambda inside another multiplies the work by the length of a list; eight are allowed, one in the other."
        wrong "VAR n = SUBFLOWS.SUM(a => SUBFLOWS.SUM(b => SUBFLOWS.SUM(c => SUBFLOWS.SUM(d => SUBFLOWS.SUM(e => SUBFLOWS.SUM(f => SUBFLOWS.SUM(g => SUBFLOWS.SUM(h => SUBFLOWS.SUM(i => 1)))))))));"
        right "VAR n = SUBFLOWS.SUM(a => SUBFLOWS.SUM(b => SUBFLOWS.SUM(c => SUBFLOWS.SUM(d => SUBFLOWS.SUM(e => SUBFLOWS.SUM(f => SUBFLOWS.SUM(g => SUBFLOWS.SUM(h => 1))))))));"
    NullIsNotAList "E0312" "null-is-not-a-list" "a list operation is applied to NULL"
        "A list may be empty but is never NULL, so an operation of lists on NULL is a mistake. Properties of subflows and packets may be read from NULL and are NULL."
        wrong "VAR nothing = NULL;\nIF (nothing.EMPTY) { RETURN; }" right "VAR nothing = NULL;\nIF (nothing == NULL) { RETURN; }"
    UnknownRequirement "E0401" "unknown-requirement" "there is no such requirement"
        "What may be required: `work-conserving`, `work-conserving(Q)`, `redundancy <= K`, `no-duplicate-push`, `backup-only-if-needed`, `prefers(s => PREDICATE)`, `fair <= K`, `any-size`; several are separated by commas."
        wrong "/* @require work-conserve */\nRETURN;" right "/* @require work-conserving */\nRETURN;"
    MalformedRequirement "E0402" "malformed-requirement" "a requirement is not written as it should be"
        "The forms are `work-conserving`, `work-conserving(Q)`, `redundancy <= K`, `no-duplicate-push`, `backup-only-if-needed`, `prefers(s => PREDICATE)`, `fair <= K` and `any-size`. `≤` may stand for `<=`."
        wrong "/* @require redundancy */\nRETURN;" right "/* @require redundancy <= 2 */\nRETURN;"
    PredicateReadsTooMuch "E0403" "predicate-reads-too-much" "the predicate of `prefers` reads more than its subflow"
        "The predicate tells which subflows are preferred, of those that there are at any time. It may use the properties of its parameter other than USER, literals and NULL; no registers, lists, packets, time or RANDOM."
        wrong "/* @require prefers(s => s.ID == R1) */\nRETURN;" right "/* @require prefers(s => !s.IS_BACKUP) */\nRETURN;"
    Unreachable "W0001" "unreachable" "a statement follows a RETURN"
        "RETURN ends the execution, so what follows it in the same block is never executed."
        wrong "RETURN;\nSET(R1, 1);" right "SET(R1, 1);\nRETURN;"
    MisspeltAnnotation "W0002" "misspelt-annotation" "a comment looks like a `@require` and is none"
        "A comment that starts with `@require` states what must be proved of the scheduler. One that starts with a similar word is a comment like others, and nothing is proved."
        wrong "/* @requires any-size */\nRETURN;" right "/* @require any-size */\nRETURN;"
}
