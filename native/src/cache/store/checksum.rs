//! Checksums of a version's bytes, computed over the stream as it passes.
//!
//! All of them cover the file's bytes in order: `xxh3` is XXH3 64 bits with seed 0 and the default secret
//! (the output of `xxhsum -H3`), `crc32` the IEEE polynomial of zlib, `sha256` that of FIPS 180-4. The number
//! is written in hexadecimal, most significant digit first, with all digits.

use std::fmt;
use std::hash::Hasher as _;

use sha2::Digest as _;

use crate::error::{Code, Error, Result};

/// A checksum that a catalog declares or that the store has computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// XXH3, 64 bits: `xxh3:` and 16 digits.
    Xxh3(u64),
    /// CRC-32 of zlib: `crc32:` and 8 digits.
    Crc32(u32),
    /// SHA-256: `sha256:` and 64 digits.
    Sha256([u8; 32]),
}

impl Checksum {
    /// Reads `kind:digits`, digits in either case. Anything else is [`Code::BadSetting`].
    pub fn parse(text: &str) -> Result<Checksum> {
        let bad = |why: &str| {
            let shown: String = text.chars().take(80).collect();
            let forms = "write xxh3:<16 hex digits>, crc32:<8> or sha256:<64>";
            Error::new(Code::BadSetting, format!("the checksum {shown:?} cannot be read: {why}; {forms}"))
        };
        let Some((kind, digits)) = text.split_once(':') else {
            return Err(bad("it has no colon"));
        };
        let wanted = match kind {
            "xxh3" => 8,
            "crc32" => 4,
            "sha256" => 32,
            _ => return Err(bad("its kind is unknown")),
        };
        let mut bytes = [0; 32];
        if !decode(digits, &mut bytes[..wanted]) {
            return Err(bad(&format!("{kind} has {} hexadecimal digits", 2 * wanted)));
        }
        let number = bytes[..wanted.min(8)].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Ok(match kind {
            "xxh3" => Checksum::Xxh3(number),
            "crc32" => Checksum::Crc32(number as u32),
            _ => Checksum::Sha256(bytes),
        })
    }
}

/// Fills `bytes` from exactly twice as many hexadecimal digits; false for any other text.
fn decode(digits: &str, bytes: &mut [u8]) -> bool {
    let digits = digits.as_bytes();
    if digits.len() != 2 * bytes.len() {
        return false;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (Some(high), Some(low)) = (value(pair[0]), value(pair[1])) else {
            return false;
        };
        *byte = high << 4 | low;
    }
    true
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Checksum::Xxh3(value) => write!(f, "xxh3:{value:016x}"),
            Checksum::Crc32(value) => write!(f, "crc32:{value:08x}"),
            Checksum::Sha256(bytes) => {
                f.write_str("sha256:")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// Computes the checksum of a stream. There is only one kind at a time, since each costs a pass over the
/// bytes.
pub(super) enum Hasher {
    Xxh3(Box<twox_hash::XxHash3_64>),
    Crc32(crc32fast::Hasher),
    Sha256(Box<sha2::Sha256>),
}

impl Hasher {
    /// A hasher of the declared kind, else of the cheapest, XXH3.
    pub(super) fn like(declared: Option<&Checksum>) -> Hasher {
        match declared {
            None | Some(Checksum::Xxh3(_)) => Hasher::Xxh3(Box::new(twox_hash::XxHash3_64::new())),
            Some(Checksum::Crc32(_)) => Hasher::Crc32(crc32fast::Hasher::new()),
            Some(Checksum::Sha256(_)) => Hasher::Sha256(Box::new(sha2::Sha256::new())),
        }
    }

    /// Takes the next bytes of the stream.
    pub(super) fn update(&mut self, chunk: &[u8]) {
        match self {
            Hasher::Xxh3(hasher) => hasher.write(chunk),
            Hasher::Crc32(hasher) => hasher.update(chunk),
            Hasher::Sha256(hasher) => hasher.update(chunk),
        }
    }

    /// The checksum of all bytes so far.
    pub(super) fn finish(&self) -> Checksum {
        match self {
            Hasher::Xxh3(hasher) => Checksum::Xxh3(hasher.finish()),
            Hasher::Crc32(hasher) => Checksum::Crc32(hasher.clone().finalize()),
            Hasher::Sha256(hasher) => Checksum::Sha256(hasher.clone().finalize().into()),
        }
    }
}

/// [`Code::ChecksumMismatch`] if a checksum is declared and `found` differs from it.
pub(super) fn verify(declared: Option<&Checksum>, found: &Checksum, label: &str) -> Result<()> {
    match declared {
        Some(declared) if declared != found => Err(Error::new(
            Code::ChecksumMismatch,
            format!(
                "{label}: the bytes have the checksum {found}, the catalog declares {declared}; \
                 the source is damaged or is another version: restore it, or correct the catalog"
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{noise, Noise};
    use super::*;

    const KINDS: [Checksum; 3] = [Checksum::Xxh3(0), Checksum::Crc32(0), Checksum::Sha256([0; 32])];

    fn one_shot(kind: &Checksum, bytes: &[u8]) -> Checksum {
        match kind {
            Checksum::Xxh3(_) => Checksum::Xxh3(xxhash_rust::xxh3::xxh3_64(bytes)),
            Checksum::Crc32(_) => Checksum::Crc32(crc32fast::hash(bytes)),
            Checksum::Sha256(_) => Checksum::Sha256(sha2::Sha256::digest(bytes).into()),
        }
    }

    #[test]
    fn known_values() {
        let of = |kind: &Checksum, bytes: &[u8]| {
            let mut hasher = Hasher::like(Some(kind));
            hasher.update(bytes);
            hasher.finish().to_string()
        };
        assert_eq!(of(&KINDS[0], b""), "xxh3:2d06800538d394c2");
        assert_eq!(of(&KINDS[1], b"123456789"), "crc32:cbf43926");
        assert_eq!(
            of(&KINDS[2], b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_stream_cut_anywhere_has_the_checksum_of_the_whole() {
        let mut random = Noise::new(7);
        for round in 0..60 {
            let bytes = noise(round, random.below(70_000) as usize);
            for kind in &KINDS {
                let mut hasher = Hasher::like(Some(kind));
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (head, tail) = rest.split_at(1 + random.below(rest.len() as u64) as usize);
                    hasher.update(head);
                    rest = tail;
                }
                assert_eq!(hasher.finish(), one_shot(kind, &bytes), "{} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn text_survives_a_round_trip_in_either_case() {
        for kind in &KINDS {
            let checksum = one_shot(kind, b"andiron");
            let text = checksum.to_string();
            assert_eq!(Checksum::parse(&text).unwrap(), checksum);
            let (name, digits) = text.split_once(':').unwrap();
            assert_eq!(Checksum::parse(&format!("{name}:{}", digits.to_uppercase())).unwrap(), checksum);
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_can() {
        for text in
            ["", "xxh3", "md5:00", "xxh3:", "xxh3:123", "crc32:+1234567", "crc32:0x123456", "sha256:zz", ":"]
        {
            let error = Checksum::parse(text).unwrap_err();
            assert_eq!(error.code(), Code::BadSetting, "{text}");
            assert!(error.message().contains("xxh3:<16 hex digits>"), "{error}");
        }
    }

    #[test]
    fn random_text_never_panics() {
        let mut random = Noise::new(11);
        let alphabet: Vec<char> = "xxh3crc32sha256::0123456789abcdefABCDEF +-\0é\u{202e}".chars().collect();
        for _ in 0..10_000 {
            let length = random.below(90) as usize;
            let text: String =
                (0..length).map(|_| alphabet[random.below(alphabet.len() as u64) as usize]).collect();
            if let Ok(checksum) = Checksum::parse(&text) {
                assert_eq!(checksum.to_string(), text.to_lowercase());
            }
            let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
            let _ = Checksum::parse(&String::from_utf8_lossy(&bytes)).map(|checksum| checksum.to_string());
        }
    }

    #[test]
    fn a_mismatch_names_both() {
        let error = verify(Some(&Checksum::Crc32(1)), &Checksum::Crc32(2), "videos/v1").unwrap_err();
        assert_eq!(error.code(), Code::ChecksumMismatch);
        for part in ["videos/v1", "crc32:00000001", "crc32:00000002"] {
            assert!(error.message().contains(part), "{error}");
        }
        assert!(verify(None, &Checksum::Crc32(2), "videos/v1").is_ok());
    }
}
