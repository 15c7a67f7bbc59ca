//! Bytecode in which the address of the block is open.

use progmp_verifier::ebpf::{Debug, ObjectProgram};

/// A program and the block that it runs on.
///
/// The address of the block stands in 64-bit constants whose source field is 2 (a map value, RFC
/// 9669, section 5.4); which map they name does not count, as there is just one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The instructions, 8 bytes a slot.
    pub code: Vec<u8>,
    /// Length of the block, bytes.
    pub block_bytes: usize,
    /// How many bytes of the block, from the first, the program may write.
    pub writable_bytes: usize,
    /// What lets the kernel show source lines.
    pub debug: Option<Debug>,
}

/// Source field of a 64-bit constant that is an address in a map's value.
const MAP_VALUE: u8 = 2;
/// Opcode of 64-bit constants.
const LOAD_64: u8 = 0x18;

impl Image {
    /// A program for blocks of version 1 of the ABI.
    pub fn new(code: Vec<u8>) -> Self {
        Self {
            code,
            block_bytes: progmp_abi::layout::block::BYTES,
            writable_bytes: progmp_abi::layout::WRITABLE,
            debug: None,
        }
    }

    /// A program of an object.
    pub fn of(program: &ObjectProgram) -> Self {
        Self {
            debug: Some(program.debug.clone()),
            ..Self::new(program.code.clone())
        }
    }

    /// The code with the descriptor of the block's map filled in.
    pub(crate) fn with_map(&self, descriptor: i32) -> Vec<u8> {
        self.patched(|first, _| first[4..8].copy_from_slice(&descriptor.to_le_bytes()))
    }

    /// The code with the block's address filled in.
    pub(crate) fn with_address(&self, address: u64) -> Vec<u8> {
        self.patched(|first, second| {
            let offset = [second[4], second[5], second[6], second[7]];
            let address = address + u64::from(u32::from_le_bytes(offset));
            let bytes = address.to_le_bytes();
            // From now on a number.
            first[1] &= 0x0f;
            first[4..8].copy_from_slice(&bytes[..4]);
            second[4..8].copy_from_slice(&bytes[4..]);
        })
    }

    /// The code after `patch` of both slots of each constant that names the block.
    fn patched(&self, mut patch: impl FnMut(&mut [u8], &mut [u8])) -> Vec<u8> {
        let mut code = self.code.clone();
        let mut rest = code.as_mut_slice();
        while rest.len() >= 16 {
            let wide = rest[0] == LOAD_64;
            let (first, behind) = rest.split_at_mut(8);
            if !wide {
                rest = behind;
                continue;
            }
            let (second, behind) = behind.split_at_mut(8);
            if first[1] >> 4 == MAP_VALUE {
                patch(first, second);
            }
            rest = behind;
        }
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_constants_that_name_the_block_are_filled_in() {
        let constant = |source: u8, low: u8, high: u8| {
            [
                [LOAD_64, source << 4 | 3, 0, 0, low, 0, 0, 0],
                [0, 0, 0, 0, high, 0, 0, 0],
            ]
            .concat()
        };
        // The second half of a constant may look like the first half of another.
        let tricky = [
            [LOAD_64, 3, 0, 0, 1, 0, 0, 0],
            [0, 0, 0, 0, LOAD_64, MAP_VALUE << 4, 0, 0],
        ]
        .concat();
        let image = Image::new(
            [
                constant(MAP_VALUE, 9, 16),
                constant(0, 9, 16),
                tricky.clone(),
            ]
            .concat(),
        );
        let mapped = image.with_map(5);
        assert_eq!(mapped[..16], constant(MAP_VALUE, 5, 16));
        assert_eq!(mapped[16..], image.code[16..]);
        let addressed = image.with_address(0x0000_0002_0000_0010);
        assert_eq!(addressed[..16], constant(0, 0x20, 2));
        assert_eq!(addressed[16..32], constant(0, 9, 16));
        assert_eq!(addressed[32..], tricky);
    }
}
