//! Models in the safetensors format, which PyTorch and others read: out of one flat vector, and strictly back into it.
//!
//! A file is the length of a header, the header as JSON, and the numbers. The header tells of every tensor its type, its
//! shape and where its numbers lie. What comes in was made by anybody: its length is bounded before it is parsed, and it
//! must hold just the tensors of the model, whole, finite, without gaps and nothing else.

use std::collections::BTreeMap;

use althing_protocol::model::{MAX_PATH_BYTES, MAX_TENSORS, Manifest, TensorSpec};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use super::state_dict::{Entry, Layout};

/// Bytes before the header: its length.
const LENGTH_BYTES: usize = 8;
/// Longest header, in bytes: room for as many tensors as a model may have, with the longest names.
pub const HEADER_BYTES_MAX: usize = MAX_TENSORS * (MAX_PATH_BYTES + 256);
/// The numbers begin at a multiple of this.
const ALIGNMENT: usize = 8;
/// The name under which a header tells other things than tensors.
const METADATA: &str = "__metadata__";
/// The type of all numbers here: little-endian single precision.
const DTYPE: &str = "F32";
/// Characters of a file's words that a message shows.
const EXCERPT: usize = 60;

/// Why a file is not the model that is wanted, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SafetensorsError {
    /// It ends within its header.
    #[error("it ends within its header: is it a safetensors file, and whole?")]
    Cut,
    /// Its header is too long.
    #[error("its header claims {0} bytes, at most {HEADER_BYTES_MAX} are allowed: is it a safetensors file?")]
    LongHeader(u64),
    /// Its header cannot be read.
    #[error("its header cannot be read ({0}): write the file anew with safetensors")]
    Header(String),
    /// A tensor of the model is not in it.
    #[error("it has no tensor {0}: save the whole state_dict of just this model")]
    Missing(String),
    /// It has a tensor that the model has not.
    #[error("it has a tensor {0}, which the model has not: save the state_dict of just this model")]
    Unexpected(String),
    /// A tensor is of another type.
    #[error("{name} is of type {dtype}, and must be {DTYPE}: convert the model with .float() before saving it")]
    Type {
        /// Which tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// A tensor has another shape.
    #[error("{name} has the shape {found:?}, and the model's is {wanted:?}: it is of another model")]
    Shape {
        /// Which tensor.
        name: String,
        /// Its shape.
        found: Vec<u64>,
        /// The shape that it must have.
        wanted: Vec<u64>,
    },
    /// The numbers of a tensor do not lie where they must.
    #[error("the numbers of {0} overlap others, leave a gap or end outside of the file: write the file anew")]
    Place(String),
    /// There is more than tensors.
    #[error("{0} bytes follow its tensors: write the file anew")]
    Surplus(usize),
    /// A number is NaN or infinite.
    #[error("{0} holds a number that is NaN or infinite: train the model again, with a lower learning rate")]
    NotFinite(String),
}

/// What a header tells of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [usize; 2],
}

/// The bytes of a file with the model `weights`, in manifest order. `entries` has one entry for each tensor.
pub fn export(manifest: &Manifest, entries: &[Entry], weights: &[f32]) -> Vec<u8> {
    let mut header = BTreeMap::from([(METADATA, serde_json::json!({ "format": "pt" }))]);
    let mut data = Vec::with_capacity(size_of_val(weights));
    for ((tensor, places), entry) in manifest.places().zip(entries) {
        let begin = data.len();
        let values = weights.get(places).unwrap_or_default();
        let values = reorder(values, &shape(tensor), entry.layout);
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let info =
            Info { dtype: DTYPE.to_owned(), shape: torch_shape(tensor, entry), data_offsets: [begin, data.len()] };
        header.insert(&entry.name, serde_json::json!(info));
    }
    let mut text = serde_json::json!(header).to_string();
    let padding = text.len().next_multiple_of(ALIGNMENT) - text.len();
    text.extend(std::iter::repeat_n(' ', padding));
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &data].concat()
}

/// The parameters, in manifest order, of the model in a file.
///
/// # Errors
/// [`SafetensorsError`] names the first thing that is not as it must be.
pub fn import(manifest: &Manifest, entries: &[Entry], file: &[u8]) -> Result<Vec<f32>, SafetensorsError> {
    let (Header(mut header), data) = split(file)?;
    let mut weights = Vec::with_capacity(manifest.parameters() as usize);
    let mut places = BTreeMap::new();
    for (tensor, entry) in manifest.tensors.iter().zip(entries) {
        let name = &entry.name;
        let info = header.remove(name).ok_or_else(|| SafetensorsError::Missing(name.clone()))?;
        let values = values(tensor, entry, &info, data)?;
        if places.insert(info.data_offsets, name).is_some() {
            return Err(SafetensorsError::Place(name.clone()));
        }
        let wanted = torch_shape(tensor, entry);
        let wanted: Vec<u32> = wanted.iter().map(|extent| *extent as u32).collect();
        weights.extend(reorder(&values, &wanted, entry.layout));
    }
    if let Some(name) = header.into_keys().next() {
        return Err(SafetensorsError::Unexpected(excerpt(&name)));
    }
    let mut end = 0;
    for ([begin, next], name) in places {
        if begin != end {
            return Err(SafetensorsError::Place(name.clone()));
        }
        end = next;
    }
    if end == data.len() { Ok(weights) } else { Err(SafetensorsError::Surplus(data.len() - end)) }
}

/// The header of a file, and its numbers.
fn split(file: &[u8]) -> Result<(Header, &[u8]), SafetensorsError> {
    let (length, rest) = file.split_first_chunk::<LENGTH_BYTES>().ok_or(SafetensorsError::Cut)?;
    let length = u64::from_le_bytes(*length);
    let bounded = usize::try_from(length).ok().filter(|length| *length <= HEADER_BYTES_MAX);
    let (header, data) =
        rest.split_at_checked(bounded.ok_or(SafetensorsError::LongHeader(length))?).ok_or(SafetensorsError::Cut)?;
    let header = serde_json::from_slice(header);
    Ok((header.map_err(|error| SafetensorsError::Header(excerpt(&error.to_string())))?, data))
}

/// The numbers of one tensor, as they lie in the file.
fn values(tensor: &TensorSpec, entry: &Entry, info: &Info, data: &[u8]) -> Result<Vec<f32>, SafetensorsError> {
    let (name, wanted) = (entry.name.clone(), torch_shape(tensor, entry));
    if info.dtype != DTYPE {
        return Err(SafetensorsError::Type { name, dtype: excerpt(&info.dtype) });
    }
    if info.shape != wanted {
        let found = info.shape.iter().copied().take(EXCERPT).collect();
        return Err(SafetensorsError::Shape { name, found, wanted });
    }
    let [begin, end] = info.data_offsets;
    let bytes = data.get(begin..end).filter(|bytes| bytes.len() as u64 == 4 * tensor.len());
    let (numbers, _) = bytes.ok_or_else(|| SafetensorsError::Place(name.clone()))?.as_chunks::<4>();
    let values: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
    if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err(SafetensorsError::NotFinite(name)) }
}

fn shape(tensor: &TensorSpec) -> Vec<u32> {
    tensor.shapes.first().cloned().unwrap_or_default()
}

/// The shape that PyTorch gives a tensor.
fn torch_shape(tensor: &TensorSpec, entry: &Entry) -> Vec<u64> {
    let mut shape: Vec<u64> = shape(tensor).into_iter().map(u64::from).collect();
    if entry.layout == Layout::Transposed {
        shape.reverse();
    }
    shape
}

/// The numbers of a tensor of this shape in the other framework's order.
fn reorder(values: &[f32], shape: &[u32], layout: Layout) -> Vec<f32> {
    match (layout, shape) {
        (Layout::Transposed, [_, columns]) => {
            let columns = *columns as usize;
            (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns)).copied().collect()
        }
        _ => values.to_vec(),
    }
}

/// A header's tensors by name. A name that comes twice is an error, which a map by itself would hide.
struct Header(BTreeMap<String, Info>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tensors;
        impl<'de> Visitor<'de> for Tensors {
            type Value = Header;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut tensors = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        map.next_value::<IgnoredAny>()?;
                    } else if tensors.insert(name, map.next_value()?).is_some() {
                        return Err(A::Error::custom("a name comes twice"));
                    }
                }
                Ok(Header(tensors))
            }
        }
        deserializer.deserialize_map(Tensors)
    }
}

/// As much of a file's words as belongs in a message.
fn excerpt(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(EXCERPT).collect()
}

#[cfg(test)]
mod tests;
