//! JSON documents that carry the checksum of their own text.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::place::Place;
use crate::error::{Code, Error, Result};

/// The format that this release writes and reads.
pub(super) const FORMAT: u32 = 1;

const MARK: &str = ",\"checksum\":\"xxh3:";

/// The text of an object with at least one field.
pub(super) fn seal<T: Serialize>(object: &T, place: &Place) -> Result<String> {
    let text = serde_json::to_string(object).map_err(|error| place.damaged(error))?;
    let body = text.strip_suffix('}').unwrap_or(&text);
    Ok(format!("{body}{MARK}{:016x}\"}}\n", XxHash3_64::oneshot(body.as_bytes())))
}

#[derive(Deserialize)]
struct Stamp {
    format: u32,
}

/// The reverse of [`seal`]. A later format is [`Code::TableFormat`], any other difference [`Code::TableDamaged`].
pub(super) fn unseal<T: DeserializeOwned>(bytes: &[u8], place: &Place) -> Result<T> {
    let text = std::str::from_utf8(bytes).map_err(|_| place.damaged("the text is not UTF-8"))?;
    if let Ok(Stamp { format }) = serde_json::from_str(text) {
        if format > FORMAT {
            let why = format!(
                "{place}: it has the format {format}, and this release reads {FORMAT}; use a later release"
            );
            return Err(Error::new(Code::TableFormat, why));
        }
    }
    let Some((body, rest)) = text.rsplit_once(MARK) else {
        return Err(place.damaged("the text is cut off, or has no checksum"));
    };
    if rest != format!("{:016x}\"}}\n", XxHash3_64::oneshot(body.as_bytes())) {
        return Err(place.damaged("the text does not have its checksum"));
    }
    serde_json::from_str(&format!("{body}}}")).map_err(|error| place.damaged(error))
}

/// 64 bits as 16 hexadecimal digits, since JSON's numbers end at 53 bits.
pub(super) mod hex {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{number:016x}"))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        let number = u64::from_str_radix(&text, 16).ok().filter(|number| format!("{number:016x}") == text);
        number.ok_or_else(|| D::Error::custom("a number has not 16 hexadecimal digits"))
    }
}
