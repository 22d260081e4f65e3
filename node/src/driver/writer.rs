//! Makes updates of what was trained, and keeps what they leave out over restarts: codecs that send only the largest
//! changes add it to the next ones.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use althing_protocol::{
    aggregate,
    ids::Hash,
    model::Slice,
    update::{Codec, CodingError},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::jobs::lock;

/// Name of the file in a node's data folder: a checksum, then a number for each parameter of the model.
const FILE_NAME: &str = "left-out.f32";

/// The disk has not taken what was left out.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}; free some space or check the folder's permissions, then start again", path.display())]
pub(super) struct ResidualError {
    path: PathBuf,
    source: io::Error,
}

/// What was left out, parameter by parameter of the whole model.
pub(super) struct Residual {
    path: PathBuf,
    values: Vec<f32>,
}

impl Residual {
    /// What `folder` holds for a model of so many parameters. Nothing was left out if there is no file; one that cannot
    /// be used costs a little learning and nothing else, so it is told and forgotten.
    pub(super) fn open(folder: &Path, parameters: usize) -> Self {
        let path = folder.join(FILE_NAME);
        let values = match read(&path, parameters) {
            Ok(values) => values,
            Err(error) if error.kind() == io::ErrorKind::NotFound => vec![0.0; parameters],
            Err(error) => {
                let file = path.display();
                tracing::warn!(%file, %error, "what updates have left out is lost; the next one begins anew");
                vec![0.0; parameters]
            }
        };
        Self { path, values }
    }

    /// The part of it that belongs to `slice`.
    pub(super) fn part(&self, slice: &Slice) -> Vec<f32> {
        slice.gather(&self.values)
    }

    /// Puts `part` in its place, on the disk too: a power cut leaves the old file or the new one.
    pub(super) fn replace(&mut self, slice: &Slice, part: &[f32]) -> Result<(), ResidualError> {
        slice.scatter(part, &mut self.values);
        let bytes = aggregate::encode(&self.values);
        let fresh = self.path.with_extension("new");
        let written = File::create(&fresh).and_then(|mut file| {
            file.write_all(Hash::of(&bytes).as_bytes())?;
            file.write_all(&bytes)?;
            file.sync_data()
        });
        let replaced = written.and_then(|()| fs::rename(&fresh, &self.path));
        replaced.map_err(|source| ResidualError { path: self.path.clone(), source })
    }
}

/// Makes one update of what was trained.
pub(super) struct Writer {
    codec: Codec,
    slice: Slice,
    /// The slice of the model that the training started from.
    base: Arc<[f32]>,
    chance: ChaCha20Rng,
    residual: Arc<Mutex<Residual>>,
}

impl Writer {
    /// For a training of `slice` from its parameters `base`. Chance in rounding comes from the seed of the training.
    pub(super) fn new(
        codec: Codec,
        (slice, base): (Slice, Arc<[f32]>),
        seed: Hash,
        residual: Arc<Mutex<Residual>>,
    ) -> Self {
        let chance = ChaCha20Rng::from_seed(Hash::derive("althing 1 rounding", &[seed.as_bytes()]).0);
        Self { codec, slice, base, chance, residual }
    }

    /// The coded update of the slice's `trained` parameters, once what it leaves out is on the disk.
    ///
    /// The outer error is the learner's fault, the inner one the disk's.
    pub(super) fn write(mut self, trained: &[f32]) -> Result<Result<Vec<u8>, ResidualError>, CodingError> {
        let mut residual = lock(&self.residual);
        let before = residual.part(&self.slice);
        let mut after = before.clone();
        let coded = self.codec.encode(&self.base, trained, &mut after, &mut || self.chance.next_u32())?;
        let kept = if after == before { Ok(()) } else { residual.replace(&self.slice, &after) };
        Ok(kept.map(|()| coded))
    }
}

fn read(path: &Path, parameters: usize) -> io::Result<Vec<f32>> {
    let damaged = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    let (mut checksum, mut bytes) = ([0; 32], Vec::new());
    let mut file = File::open(path)?;
    let expected = (parameters * size_of::<f32>()) as u64;
    if file.metadata()?.len() != checksum.len() as u64 + expected {
        return Err(damaged("it is for another model"));
    }
    file.read_exact(&mut checksum)?;
    file.take(expected).read_to_end(&mut bytes)?;
    if Hash::of(&bytes).as_bytes() != &checksum {
        return Err(damaged("its checksum does not fit"));
    }
    Ok(aggregate::parameters(&bytes).collect())
}

#[cfg(test)]
mod tests {
    use althing_protocol::model::{Manifest, TensorSpec, Width};

    use super::*;

    #[test]
    fn what_was_left_out_survives_a_restart_and_damage_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let tensors = vec![TensorSpec { path: "w".into(), shapes: vec![vec![4], vec![2]] }];
        let manifest = Manifest { tensors };
        let (whole, half) = (manifest.slice(Width::Full).unwrap(), manifest.slice(Width::Half).unwrap());
        let mut residual = Residual::open(folder.path(), 4);
        assert_eq!(residual.part(&whole), [0.0; 4]);
        residual.replace(&whole, &[1.0, 2.0, 3.0, 4.0]).unwrap();
        residual.replace(&half, &[5.0, 6.0]).unwrap();
        assert_eq!(Residual::open(folder.path(), 4).part(&whole), [5.0, 6.0, 3.0, 4.0]);
        assert_eq!(Residual::open(folder.path(), 3).values, [0.0; 3], "another model");
        let path = folder.path().join(FILE_NAME);
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(Residual::open(folder.path(), 4).values, [0.0; 4], "a flipped bit");
        fs::write(&path, &bytes[..47]).unwrap();
        assert_eq!(Residual::open(folder.path(), 4).values, [0.0; 4], "a cut file");
        fs::create_dir(folder.path().join("left-out.new")).unwrap();
        let error = Residual::open(folder.path(), 4).replace(&whole, &[0.0; 4]).unwrap_err().to_string();
        assert!(error.contains("left-out.f32") && error.contains("free some space"), "{error}");
    }
}
