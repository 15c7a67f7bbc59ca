//! The types in an object: the environment block and what the shim calls.
//!
//! In: the layout of `progmp-abi`. Out: BTF. The types of the three programs come first and refer to
//! nothing behind them, so that a loader can cut the rest off: the kernel itself takes no sections
//! of data and no functions of others.

use progmp_abi::layout::{self, Member};

use crate::btf::{Btf, Field, TypeId, VOID};
use crate::object::OPERATIONS;

/// Types that others refer to.
pub(crate) struct Types {
    int: TypeId,
    word: TypeId,
    /// `int (void *ctx)`
    plain: TypeId,
    /// `int (unsigned long long *ctx)`
    struct_ops: TypeId,
}

/// Starts with what the programs need.
pub(crate) fn types(btf: &mut Btf) -> Types {
    let int = btf.int("int", 4, true);
    let word = btf.int("unsigned long long", 8, false);
    let pointer = btf.pointer(VOID);
    let words = btf.pointer(word);
    let plain = btf.prototype(int, &[("ctx", pointer)]);
    let struct_ops = btf.prototype(int, &[("ctx", words)]);
    Types {
        int,
        word,
        plain,
        struct_ops,
    }
}

impl Types {
    /// A program.
    pub(crate) fn program(&self, btf: &mut Btf, name: &str, is_struct_ops: bool) -> TypeId {
        let prototype = if is_struct_ops {
            self.struct_ops
        } else {
            self.plain
        };
        btf.function(name, prototype)
    }

    /// The sections of data: the block, the license, the table of operations, the kernel function.
    pub(crate) fn sections(&self, btf: &mut Btf, license_bytes: usize, operations_bytes: usize) {
        let block = self.block(btf);
        let variable = btf.variable("block", block);
        btf.section(".bss", variable, number(layout::block::BYTES));

        let char = btf.int("char", 1, true);
        let license = btf.array(char, self.int, number(license_bytes));
        let variable = btf.variable("_license", license);
        btf.section("license", variable, number(license_bytes));

        // libbpf compares kinds: without members it is still the structure of the module.
        let environment = btf.structure("progmp_env", 0, &[]);
        let environment = btf.pointer(environment);
        let schedule = btf.prototype(self.int, &[("env", environment)]);
        let schedule = btf.pointer(schedule);
        let name_bytes = number(operations_bytes) - 8;
        let name = btf.array(char, self.int, name_bytes);
        let fields = [
            Field {
                name: "schedule",
                ty: schedule,
                offset_bytes: 0,
            },
            Field {
                name: "name",
                ty: name,
                offset_bytes: 8,
            },
        ];
        let operations = btf.structure("progmp_ops", number(operations_bytes), &fields);
        let variable = btf.variable("scheduler", operations);
        btf.section(OPERATIONS, variable, number(operations_bytes));

        // The kernel knows from the parameter's name that it is the size of what is returned.
        let words = btf.pointer(self.word);
        let size = btf.constant(self.int);
        let parameters = [("env", environment), ("rdwr_buf_size", size)];
        let prototype = btf.prototype(words, &parameters);
        let function = btf.kernel_function("progmp_block", prototype);
        btf.section(".ksyms", function, 0);
    }

    /// `struct progmp_block`, member by member as the C header has it.
    fn block(&self, btf: &mut Btf) -> TypeId {
        let ints = Ints {
            bytes: [
                btf.int("unsigned char", 1, false),
                btf.int("unsigned short", 2, false),
                btf.int("unsigned int", 4, false),
                self.word,
            ],
            index: self.int,
        };
        let queue = ints.structure(
            btf,
            layout::queue::NAME,
            layout::queue::BYTES,
            layout::queue::MEMBERS,
            &|_| None,
        );
        let print = ints.structure(
            btf,
            layout::print::NAME,
            layout::print::BYTES,
            layout::print::MEMBERS,
            &|_| None,
        );
        let subflow = ints.structure(
            btf,
            layout::subflow::NAME,
            layout::subflow::BYTES,
            layout::subflow::MEMBERS,
            &|_| None,
        );
        let packet = ints.structure(
            btf,
            layout::packet::NAME,
            layout::packet::BYTES,
            layout::packet::MEMBERS,
            &|_| None,
        );
        let part = |name: &str| match name {
            "queue" => Some((queue, layout::queue::BYTES)),
            "print" => Some((print, layout::print::BYTES)),
            "subflow" => Some((subflow, layout::subflow::BYTES)),
            "packet" => Some((packet, layout::packet::BYTES)),
            _ => None,
        };
        let members = layout::block::MEMBERS;
        ints.structure(
            btf,
            layout::block::NAME,
            layout::block::BYTES,
            members,
            &part,
        )
    }
}

/// Unsigned integers of 1, 2, 4 and 8 bytes, and what arrays are indexed with.
struct Ints {
    bytes: [TypeId; 4],
    index: TypeId,
}

/// Members that are arrays although one integer would fill them, or arrays of narrow integers.
const NARROW: &[(&str, usize)] = &[("reserved", 4), ("action", 4), ("lowest", 1)];

impl Ints {
    /// A structure whose members are integers, arrays of them, or what `part` knows.
    fn structure(
        &self,
        btf: &mut Btf,
        name: &str,
        bytes: usize,
        members: &[Member],
        part: &dyn Fn(&str) -> Option<(TypeId, usize)>,
    ) -> TypeId {
        let fields: Vec<Field<'_>> = members
            .iter()
            .map(|member| {
                let (element, size) = part(member.name).unwrap_or_else(|| self.element(member));
                let ty = if size == member.size {
                    element
                } else {
                    btf.array(element, self.index, number(member.size / size))
                };
                Field {
                    name: member.name,
                    ty,
                    offset_bytes: number(member.offset),
                }
            })
            .collect();
        btf.structure(name, number(bytes), &fields)
    }

    /// The integer that a member is, or is an array of.
    fn element(&self, member: &Member) -> (TypeId, usize) {
        let narrow = NARROW.iter().find(|(name, _)| *name == member.name);
        let size = narrow.map_or(member.size.min(8), |&(_, size)| size);
        let place = size.trailing_zeros() as usize;
        (self.bytes[place], size)
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).expect("the block is small")
}
