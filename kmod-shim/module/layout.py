#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""layout.py BTF.json layout.spec > layout.h

Kernel-private structures with only the members that the module uses, at the places that BTF gives.

BTF.json is what `bpftool btf dump -j file vmlinux` prints of the headers package that the module is built
against, so no kernel header is copied. What lies between the members is padding; static assertions check
size and offsets once more. The same facts go into an ELF note of the module, one a line, so that they
can be compared with the BTF of the kernel that runs before the module is inserted.
"""

import json
import sys

NAMED = ("STRUCT", "UNION", "FWD", "ENUM", "ENUM64")
PASSING = ("CONST", "VOLATILE", "RESTRICT", "TYPE_TAG")


class Btf:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.types = {one["id"]: one for one in json.load(file)["types"]}
        self.structs = {}
        for one in self.types.values():
            if one["kind"] == "STRUCT" and one["name"] != "(anon)":
                self.structs.setdefault(one["name"], one)

    def size(self, number):
        one = self.types[number]
        if one["kind"] == "PTR":
            return 8
        if one["kind"] == "ARRAY":
            return one["nr_elems"] * self.size(one["type_id"])
        if one["kind"] == "TYPEDEF" or one["kind"] in PASSING:
            return self.size(one["type_id"])
        return one["size"]

    def declaration(self, number, name):
        """C text that declares `name`."""
        if number == 0:
            return f"void {name}"
        one = self.types[number]
        kind = one["kind"]
        if kind == "PTR":
            return self.declaration(one["type_id"], f"*{name}")
        if kind == "ARRAY":
            inner = f"({name})" if name.startswith("*") else name
            return self.declaration(one["type_id"], f"{inner}[{one['nr_elems']}]")
        if kind in PASSING:
            return self.declaration(one["type_id"], name)
        if one["name"] == "(anon)":
            sys.exit(f"layout.py: {name} has a type without a name")
        if kind in NAMED:
            union = kind == "UNION" or one.get("fwd_kind") == "union"
            word = "enum" if kind.startswith("ENUM") else "union" if union else "struct"
            return f"{word} {one['name']} {name}"
        return f"{one['name']} {name}"

    def members(self, one, base=0):
        """Name, bit offset, bits of a bit-field or 0, type; those of anonymous members too."""
        for member in one["members"]:
            at = base + member["bits_offset"]
            if member["name"] == "(anon)":
                yield from self.members(self.types[member["type_id"]], at)
            else:
                yield member["name"], at, member.get("bitfield_size", 0), member["type_id"]


def structure(btf, name, wanted, facts):
    one = btf.structs.get(name)
    if one is None:
        sys.exit(f"layout.py: the kernel has no struct {name}")
    there = {member[0]: member for member in btf.members(one)}
    chosen = []
    for member in wanted:
        optional = member.endswith("?")
        member = member.rstrip("?")
        if member in there:
            chosen.append(there[member])
            if optional:
                print(f"#define HAVE_{name}_{member} 1")
        elif not optional:
            sys.exit(f"layout.py: struct {name} of the kernel has no member {member}")
    chosen.sort(key=lambda member: member[1])
    print(f"struct {name} {{")
    bit = 0
    for number, (member, at, bits, kind) in enumerate(chosen):
        if not bits or at // 8 > bit // 8:
            whole = (bit + 7) // 8
            if bit % 8:
                print("\tu8 : 0;")
            if at // 8 > whole:
                print(f"\tu8 gap_{number}[{at // 8 - whole}];")
            bit = at // 8 * 8
        if bits:
            if at % 8 + bits > 8:
                sys.exit(f"layout.py: the bit-field {name}.{member} does not lie in one byte")
            if at > bit:
                print(f"\tu8 : {at - bit};")
            print(f"\tu8 {member} : {bits};")
            bit = at + bits
            facts.append(f"{name}.{member} {at} {bits}")
        else:
            print(f"\t{btf.declaration(kind, member)};")
            bit = at + 8 * btf.size(kind)
            facts.append(f"{name}.{member} {at} {8 * btf.size(kind)}")
    rest = one["size"] - (bit + 7) // 8
    if rest:
        print(f"\tu8 gap_end[{rest}];")
    print("};")
    for member, at, bits, _ in chosen:
        if not bits:
            print(f"static_assert(offsetof(struct {name}, {member}) == {at // 8});")
    print(f"static_assert(sizeof(struct {name}) == {one['size']});\n")
    facts.append(f"{name} {one['size']}")


def main():
    btf = Btf(sys.argv[1])
    facts = []
    print("/* Made by layout.py from the BTF of the kernel's headers package. Do not edit. */")
    print("#ifndef PROGMP_LAYOUT_H\n#define PROGMP_LAYOUT_H\n")
    with open(sys.argv[2], encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words and not line.startswith("#"):
                structure(btf, words[0], words[1:], facts)
    print("/* One fact a line: struct.member, bit offset, bits; or struct, bytes. */")
    print("#define PROGMP_LAYOUT_NOTE \\")
    print(" \\\n".join(f'\t"{fact}\\n"' for fact in facts))
    print("\n#endif")


main()
