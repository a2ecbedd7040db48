//! Numbers as files have them, to f32.

use half::{bf16, f16};

/// How a number is written, little-endian unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberType {
    F16,
    BF16,
    F32,
    F64,
    /// Big-endian, as some machines of before wrote.
    F32Big,
    F64Big,
}

/// What messages say that numbers must be.
pub(super) const EXPECTED: &str = "numbers of type float16, float32 or float64";

impl NumberType {
    /// Bytes of a number.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 | Self::F32Big => 4,
            Self::F64 | Self::F64Big => 8,
        }
    }

    /// Appends the numbers in `bytes` as f32. One beyond the range of f32 becomes infinity.
    pub(super) fn read(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::F16 => out.extend(each(bytes, |b| f16::from_le_bytes(b).to_f32())),
            Self::BF16 => out.extend(each(bytes, |b| bf16::from_le_bytes(b).to_f32())),
            Self::F32 => out.extend(each(bytes, f32::from_le_bytes)),
            Self::F64 => out.extend(each(bytes, |b| f64::from_le_bytes(b) as f32)),
            Self::F32Big => out.extend(each(bytes, f32::from_be_bytes)),
            Self::F64Big => out.extend(each(bytes, |b| f64::from_be_bytes(b) as f32)),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<N>().0.iter().map(move |b| read(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read() {
        let read = |kind: NumberType, bytes: &[u8]| {
            let mut out = Vec::new();
            kind.read(bytes, &mut out);
            out
        };
        assert_eq!(
            read(NumberType::F16, &[0x00, 0x3C, 0x00, 0xC0]),
            [1.0, -2.0]
        );
        assert_eq!(read(NumberType::BF16, &[0x80, 0x3F]), [1.0]);
        assert_eq!(read(NumberType::F32, &1.5_f32.to_le_bytes()), [1.5]);
        assert_eq!(read(NumberType::F32Big, &1.5_f32.to_be_bytes()), [1.5]);
        assert_eq!(read(NumberType::F64, &0.25_f64.to_le_bytes()), [0.25]);
        assert_eq!(
            read(NumberType::F64Big, &1e300_f64.to_be_bytes()),
            [f32::INFINITY]
        );
    }
}
