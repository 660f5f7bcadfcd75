//! Looks through text many bytes at a time: nearly all of a document is passed over here.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// How far a value of an attribute can be copied as it stands: up to a quote, a reference, a tag, or white
/// space other than blanks.
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let (blocks, rest) = bytes.as_chunks::<8>();
    for (index, block) in blocks.iter().enumerate() {
        let ends = ends_of_plain(u64::from_le_bytes(*block));
        if ends != 0 {
            return index * 8 + ends.trailing_zeros() as usize / 8;
        }
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\'' | b'&' | b'<' | ..b' ');
    blocks.len() * 8 + rest.iter().position(ends).unwrap_or(rest.len())
}

/// The high bit of each byte that ends a plain value; above the lowest of them others may be set as well.
fn ends_of_plain(block: u64) -> u64 {
    let zero = |block: u64| block.wrapping_sub(ONES) & !block;
    let equal = |block: u64, byte: u8| zero(block ^ ONES.wrapping_mul(byte.into()));
    let control = block.wrapping_sub(ONES.wrapping_mul(b' '.into())) & !block;
    // the single quote and the ampersand differ in the lowest bit only
    (equal(block, b'"') | equal(block | ONES, b'\'') | equal(block, b'<') | control) & HIGHS
}

/// Control characters, and the two code points at the end of the basic plane.
pub(crate) fn forbidden_character(input: &str) -> Option<usize> {
    let bytes = input.as_bytes();
    let suspicious = |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0xEF;
    // most documents have nothing suspicious: find that out a block at a time
    let mut start = 0;
    for block in bytes.chunks(4096) {
        let found = block.iter().fold(false, |found, byte| found | suspicious(*byte));
        if found {
            for index in start..start + block.len() {
                let is_end_of_plane = matches!(bytes.get(index..index + 3), Some([0xEF, 0xBF, 0xBE | 0xBF]));
                if is_end_of_plane || (suspicious(bytes[index]) && bytes[index] != 0xEF) {
                    return Some(index);
                }
            }
        }
        start += block.len();
    }
    None
}

/// How many bytes are of one kind.
fn count(bytes: &[u8], is_counted: impl Fn(u8) -> bool) -> u32 {
    // sums that fit a byte let the compiler add many at once
    let of = |block: &[u8]| block.iter().fold(0_u8, |sum, byte| sum + u8::from(is_counted(*byte)));
    bytes.chunks(240).map(|block| u32::from(of(block))).sum()
}

/// Turns growing byte offsets into line and column.
pub(crate) struct Place<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: u32,
    column: u32,
}

impl<'a> Place<'a> {
    pub(crate) fn new(input: &'a str) -> Self {
        Place { bytes: input.as_bytes(), offset: 0, line: 1, column: 1 }
    }

    /// Line and column, both from 1, of an offset that is not before the last one asked for.
    pub(crate) fn at(&mut self, offset: usize) -> (u32, u32) {
        let offset = offset.clamp(self.offset, self.bytes.len());
        let mut passed = &self.bytes[self.offset..offset];
        let lines = count(passed, |byte| byte == b'\n');
        if lines > 0 {
            self.line += lines;
            self.column = 1;
            let last = passed.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
            passed = &passed[last + 1..];
        }
        // bytes that start a character
        self.column += count(passed, |byte| byte & 0xC0 != 0x80);
        self.offset = offset;
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_end_at_the_same_place_wherever_that_falls() {
        for byte in 0..=255_u8 {
            for before in 0..20 {
                let mut bytes = vec![b'x'; before];
                bytes.push(byte);
                bytes.extend([0xC3, 0xBC, b'"', b'!', b'%', b'(', b';', b'=', b'<', b' ']);
                let ends = |byte: &u8| matches!(byte, b'"' | b'\'' | b'&' | b'<') || *byte < 0x20;
                assert_eq!(Some(plain_length(&bytes)), bytes.iter().position(ends), "{byte} after {before}");
            }
        }
        assert_eq!(plain_length(b"nothing that ends it"), 20);
    }

    #[test]
    fn places_in_long_lines() {
        let text = format!("{}\n{}\n\nü{}", "a".repeat(1000), "\n".repeat(700), "é".repeat(500));
        let mut place = Place::new(&text);
        assert_eq!(place.at(999), (1, 1000));
        assert_eq!(place.at(1000), (1, 1001));
        assert_eq!(place.at(1701), (702, 1));
        assert_eq!(place.at(text.len()), (704, 502));
    }
}
