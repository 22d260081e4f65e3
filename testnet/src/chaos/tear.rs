//! Damage to files, as a disk that dies does it: some end early, in others a bit has turned.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use rand::{Rng, RngExt};

/// Damages up to half of the files in `folder`, and returns how many. Everything that is verified when it is read can be
/// damaged so; what a node cannot do without is not in there.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn tear(folder: &Path, rng: &mut impl Rng) -> io::Result<usize> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = entries?;
    files.retain(|path| path.is_file());
    // The order of a folder is chance; what a seed does should not be.
    files.sort();
    let mut torn = 0;
    for file in files {
        if rng.random_bool(0.5) {
            damage(&file, rng)?;
            torn += 1;
        }
    }
    Ok(torn)
}

fn damage(path: &Path, rng: &mut impl Rng) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(());
    }
    let at = rng.random_range(0..size);
    if rng.random_bool(0.5) {
        return file.set_len(at);
    }
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ 1 << rng.random_range(0..8)], at)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn some_files_are_damaged_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: usize| folder.path().join(name.to_string());
        (0..40).for_each(|name| fs::write(path(name), [7; 100]).unwrap());
        let torn = tear(folder.path(), &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let read: Vec<Vec<u8>> = (0..40).map(|name| fs::read(path(name)).unwrap()).collect();
        let damaged: Vec<_> = read.iter().filter(|bytes| **bytes != [7; 100]).collect();
        assert_eq!(damaged.len(), torn);
        let shorter = damaged.iter().filter(|bytes| bytes.len() < 100).count();
        assert!(shorter > 3 && torn - shorter > 3, "{shorter} of {torn} end early");
    }
}
