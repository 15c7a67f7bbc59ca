//! Memory of a run: stack frames, the block, the context. Nothing else can be touched.
//!
//! Addresses are numbers of our own. The regions lie so far apart that an offset, which has 16
//! bits, never leads from one into another.

use super::machine::Trap;

/// Address of the first byte of the block.
pub const BLOCK: u64 = 0x0001_0000_0000;
/// Address behind the last byte of the outermost frame.
pub const STACK_TOP: u64 = 0x0002_0000_0000;
/// Address of the context.
pub const CONTEXT: u64 = 0x0003_0000_0000;
/// Bytes of one frame.
pub const FRAME_BYTES: usize = 512;
/// From the end of one frame to that of the next inner one.
const FRAME_DISTANCE: u64 = 0x10_0000;

/// A stack frame; a byte that was never written cannot be read.
struct Frame {
    bytes: [u8; FRAME_BYTES],
    written: [bool; FRAME_BYTES],
}

pub(super) struct Memory<'a> {
    block: &'a mut [u8],
    /// Bytes of the block, from its first, that may be written.
    writable: usize,
    context: &'a [u8],
    frames: Vec<Frame>,
}

/// Where an access falls.
enum Place {
    Block(usize),
    Context(usize),
    Frame(usize, usize),
}

impl<'a> Memory<'a> {
    pub(super) fn new(block: &'a mut [u8], writable: usize, context: &'a [u8]) -> Self {
        let mut memory = Self {
            block,
            writable,
            context,
            frames: Vec::new(),
        };
        memory.enter();
        memory
    }

    /// Opens a frame; nothing of it is written.
    pub(super) fn enter(&mut self) {
        self.frames.push(Frame {
            bytes: [0; FRAME_BYTES],
            written: [false; FRAME_BYTES],
        });
    }

    /// Closes the innermost frame; its addresses lead nowhere from then on.
    pub(super) fn leave(&mut self) {
        self.frames.pop();
    }

    pub(super) const fn depth(&self) -> usize {
        self.frames.len()
    }

    /// What r10 holds in the innermost frame.
    pub(super) const fn frame_pointer(&self) -> u64 {
        STACK_TOP + (self.frames.len() as u64 - 1) * FRAME_DISTANCE
    }

    fn place(&self, address: u64, bytes: usize) -> Result<Place, Trap> {
        let inside = |base: u64, length: usize| {
            let at = usize::try_from(address.checked_sub(base)?).ok()?;
            (at.checked_add(bytes)? <= length).then_some(at)
        };
        if let Some(at) = inside(BLOCK, self.block.len()) {
            return Ok(Place::Block(at));
        }
        if let Some(at) = inside(CONTEXT, self.context.len()) {
            return Ok(Place::Context(at));
        }
        let mut top = STACK_TOP;
        for frame in 0..self.frames.len() {
            if let Some(at) = inside(top - FRAME_BYTES as u64, FRAME_BYTES) {
                return Ok(Place::Frame(frame, at));
            }
            top += FRAME_DISTANCE;
        }
        Err(Trap::OutOfBounds { address, bytes })
    }

    /// The number in this cell, zeros above.
    pub(super) fn load(&self, address: u64, bytes: usize) -> Result<u64, Trap> {
        let cell = match self.place(address, bytes)? {
            Place::Block(at) => &self.block[at..at + bytes],
            Place::Context(at) => &self.context[at..at + bytes],
            Place::Frame(frame, at) => {
                let frame = &self.frames[frame];
                if frame.written[at..at + bytes].contains(&false) {
                    return Err(Trap::UnwrittenStack { address, bytes });
                }
                &frame.bytes[at..at + bytes]
            }
        };
        let mut word = [0; 8];
        word[..bytes].copy_from_slice(cell);
        Ok(u64::from_le_bytes(word))
    }

    /// Writes the low bytes of a number.
    pub(super) fn store(&mut self, address: u64, bytes: usize, value: u64) -> Result<(), Trap> {
        let value = &value.to_le_bytes()[..bytes];
        match self.place(address, bytes)? {
            Place::Block(at) if at + bytes <= self.writable => {
                self.block[at..at + bytes].copy_from_slice(value);
            }
            Place::Block(_) | Place::Context(_) => return Err(Trap::ReadOnly { address, bytes }),
            Place::Frame(frame, at) => {
                let frame = &mut self.frames[frame];
                frame.bytes[at..at + bytes].copy_from_slice(value);
                frame.written[at..at + bytes].fill(true);
            }
        }
        Ok(())
    }
}
