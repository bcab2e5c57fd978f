//! Numbers and runs of bytes at places that a peer names: each is checked against the message that it should lie in.

/// What is wrong with a message, as a part of a sentence.
pub(crate) type Malformed = String;

/// Bytes of a message, counted from its header.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// So many bytes at a place.
    pub(crate) fn bytes(self, at: usize, len: usize) -> Result<&'a [u8], Malformed> {
        let end = at.checked_add(len);
        let found = end.and_then(|end| self.0.get(at..end));
        found.ok_or_else(|| format!("{len} bytes at {at} are named, and it has {}", self.0.len()))
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes(at, N)?;
        Ok(bytes.try_into().expect("as many bytes as were asked for"))
    }

    pub(crate) fn u8(self, at: usize) -> Result<u8, Malformed> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    pub(crate) fn u16(self, at: usize) -> Result<u16, Malformed> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(self, at: usize) -> Result<u32, Malformed> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(self, at: usize) -> Result<u64, Malformed> {
        self.array(at).map(u64::from_le_bytes)
    }

    pub(crate) fn id(self, at: usize) -> Result<[u8; 16], Malformed> {
        self.array(at)
    }

    /// A number that says a place or a length.
    pub(crate) fn size(self, at: usize) -> Result<usize, Malformed> {
        usize::try_from(self.u32(at)?).map_err(|_| "it names a place beyond all memory".to_owned())
    }

    /// Text in UTF-16; what is no text becomes the sign for that.
    pub(crate) fn text(self, at: usize, len: usize) -> Result<String, Malformed> {
        let bytes = self.bytes(at, len)?;
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        Ok(String::from_utf16_lossy(&units))
    }

    /// Refuses a message whose first number is not the one that its kind has.
    pub(crate) fn structure(self, at: usize, expected: u16) -> Result<(), Malformed> {
        let found = self.u16(at)?;
        if found == expected { Ok(()) } else { Err(format!("its structure has the size {found}, expected {expected}")) }
    }
}
