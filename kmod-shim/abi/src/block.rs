//! The bytes of a block, and its members by offset.

use crate::{Error, layout};

/// A block: [`layout::block::BYTES`] bytes, little-endian.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    bytes: Box<[u8]>,
}

impl Block {
    /// A block of zeros: not well-formed yet.
    pub fn zeroed() -> Self {
        Self {
            bytes: vec![0; layout::block::BYTES].into_boxed_slice(),
        }
    }

    /// The block with these bytes.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are as many as a block has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != layout::block::BYTES {
            return Err(Error::Length { bytes: bytes.len() });
        }
        Ok(Self {
            bytes: bytes.into(),
        })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes, to be written by a program.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn array<const N: usize>(&self, offset: usize) -> [u8; N] {
        let bytes = &self.bytes[offset..offset + N];
        bytes.try_into().expect("a slice has its own length")
    }

    /// Reads 8 bits.
    pub fn u8(&self, offset: usize) -> u8 {
        self.bytes[offset]
    }

    /// Reads 16 bits.
    pub fn u16(&self, offset: usize) -> u16 {
        u16::from_le_bytes(self.array(offset))
    }

    /// Reads 32 bits.
    pub fn u32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.array(offset))
    }

    /// Reads 64 bits.
    pub fn u64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.array(offset))
    }

    /// Writes bytes.
    pub fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    /// Writes 16 bits.
    pub fn put_u16(&mut self, offset: usize, value: u16) {
        self.put(offset, &value.to_le_bytes());
    }

    /// Writes 32 bits.
    pub fn put_u32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_le_bytes());
    }

    /// Writes 64 bits.
    pub fn put_u64(&mut self, offset: usize, value: u64) {
        self.put(offset, &value.to_le_bytes());
    }

    /// Whether the set of packets at `offset` (a [`layout::queue`]) holds this record.
    pub fn holds(&self, offset: usize, packet: usize) -> bool {
        let word = self.u64(offset + layout::queue::WORD + 8 * (packet / 64));
        word >> (packet % 64) & 1 == 1
    }

    /// The members of the set of packets at `offset`, ascending.
    pub fn members(&self, offset: usize) -> impl Iterator<Item = usize> {
        (0..layout::PACKETS).filter(move |&packet| self.holds(offset, packet))
    }

    /// Adds a record to the set of packets at `offset`.
    pub fn insert(&mut self, offset: usize, packet: usize) {
        let word = packet / 64;
        let at = offset + layout::queue::WORD + 8 * word;
        self.put_u64(at, self.u64(at) | 1 << (packet % 64));
        let some = offset + layout::queue::SOME;
        self.put_u64(some, self.u64(some) | 1 << word);
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a block of {} bytes", self.bytes.len())
    }
}
