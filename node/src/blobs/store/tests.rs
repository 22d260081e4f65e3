use std::io::{Seek, SeekFrom};

use super::*;
use crate::blobs::tree::pieces;

const MIB: usize = 1 << 20;

fn bytes(len: usize, seed: u8) -> Vec<u8> {
    let mut reader = blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof();
    let mut bytes = vec![0; len];
    reader.fill(&mut bytes);
    bytes
}

fn open(dir: &tempfile::TempDir) -> Store {
    Store::open(dir.path()).unwrap()
}

fn files(dir: &tempfile::TempDir) -> Vec<String> {
    let names = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn flip_byte(path: &Path, at: u64) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

/// Copies `wanted` pieces of a blob from one store into another.
fn copy_pieces(from: &Store, partial: &Partial, wanted: impl IntoIterator<Item = u32>) {
    let reader = from.reader(partial.blob()).unwrap().unwrap();
    for piece in wanted {
        let span = Span::of_piece(piece, partial.blob().size);
        partial.write(span, &reader.slice(span).unwrap()).unwrap();
    }
}

fn begin(store: &Store, blob: &BlobRef) -> (Partial, Vec<u32>) {
    match store.begin(blob).unwrap() {
        Opening::Begun(partial, missing) => (partial, missing),
        Opening::Whole => panic!("the blob is whole"),
    }
}

#[test]
fn what_is_put_comes_back_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let contents = [bytes(0, 1), bytes(1, 2), bytes(250_000, 3), bytes(3 * MIB + 17, 4)];
    let refs: Vec<BlobRef> =
        contents.iter().map(|content| open(&dir).put(content, Durability::Durable).unwrap()).collect();
    let store = open(&dir);
    for (content, blob) in contents.iter().zip(&refs) {
        assert_eq!(*blob, BlobRef::of(content));
        assert!(store.contains(blob));
        assert_eq!(store.get(blob).unwrap().as_ref(), Some(content));
    }
    assert_eq!(store.used_bytes(), contents.iter().map(|content| content.len() as u64).sum::<u64>());
}

#[test]
fn another_size_is_another_blob() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let blob = store.put(b"twelve bytes", Durability::Refetchable).unwrap();
    let lie = BlobRef { size: 13, ..blob };
    assert!(!store.contains(&lie));
    assert_eq!(store.get(&lie).unwrap(), None);
    assert!(store.reader(&lie).unwrap().is_none());
    assert!(store.contains(&blob), "asking by a wrong size does no harm");
}

#[test]
fn a_blob_damaged_while_the_node_was_down_counts_as_absent() {
    let dir = tempfile::tempdir().unwrap();
    let blob = open(&dir).put(&bytes(MIB, 5), Durability::Durable).unwrap();
    flip_byte(&dir.path().join(blob.hash.to_string()), 600_000);
    let store = open(&dir);
    assert_eq!(store.get(&blob).unwrap(), None);
    assert!(!store.contains(&blob));
    assert_eq!(files(&dir), Vec::<String>::new());
}

#[test]
fn a_damaged_tree_is_made_anew_and_damaged_content_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let blob = store.put(&bytes(MIB, 6), Durability::Refetchable).unwrap();
    let data = dir.path().join(blob.hash.to_string());
    let span = Span::of_piece(0, blob.size);

    flip_byte(&Names::tree_of(&data), 70);
    assert!(matches!(store.reader(&blob).unwrap().unwrap().slice(span), Err(SliceError::Damaged)));
    assert_eq!(store.mend(&blob).unwrap(), Health::Sound);
    store.reader(&blob).unwrap().unwrap().slice(span).unwrap();

    fs::remove_file(Names::tree_of(&data)).unwrap();
    store.reader(&blob).unwrap().unwrap().slice(span).unwrap();

    flip_byte(&data, 0);
    assert!(matches!(store.reader(&blob).unwrap().unwrap().slice(span), Err(SliceError::Damaged)));
    assert_eq!(store.mend(&blob).unwrap(), Health::Gone);
    assert_eq!(files(&dir), Vec::<String>::new());
}

#[test]
fn a_begun_blob_goes_on_where_it_stopped() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let content = bytes(5 * MIB + 1, 7);
    let source = open(&there);
    let blob = source.put(&content, Durability::Refetchable).unwrap();
    {
        let store = open(&here);
        let (partial, missing) = begin(&store, &blob);
        assert_eq!(missing, (0..pieces(blob.size).unwrap()).collect::<Vec<_>>());
        copy_pieces(&source, &partial, [1, 4, 5]);
    }
    // One of the pieces is damaged while the node is down; only that one is lost.
    flip_byte(&here.path().join(format!("{}-{}.part", blob.hash, blob.size)), 4 * MIB as u64 + 3);
    let store = open(&here);
    let (partial, missing) = begin(&store, &blob);
    assert_eq!(missing, [0, 2, 3, 4]);
    copy_pieces(&source, &partial, missing);
    partial.finish().unwrap();
    drop(partial);
    assert_eq!(store.get(&blob).unwrap(), Some(content));
    assert_eq!(files(&here), [blob.hash.to_string(), format!("{}.tree", blob.hash)]);
    assert_eq!(store.used_bytes(), blob.size);
    assert!(matches!(store.begin(&blob).unwrap(), Opening::Whole));
}

#[test]
fn no_wrong_byte_of_a_slice_is_written() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = open(&there);
    let blob = source.put(&bytes(100_000, 8), Durability::Refetchable).unwrap();
    let store = open(&here);
    let span = Span::of_piece(0, blob.size);
    let slice = source.reader(&blob).unwrap().unwrap().slice(span).unwrap();
    let (partial, _) = begin(&store, &blob);
    for at in [0, 63, 64, 200, slice.len() / 2, slice.len() - 1] {
        let mut forged = slice.clone();
        forged[at] ^= 1;
        assert!(matches!(partial.write(span, &forged), Err(WriteError::Forged)), "byte {at}");
    }
    assert!(matches!(partial.write(span, &slice[..slice.len() - 1]), Err(WriteError::Forged)));
    partial.write(span, &slice).unwrap();
}

#[test]
fn retain_spares_what_is_wanted_and_what_is_being_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let [keep, lose] = [b"keep", b"lose"].map(|content| store.put(content, Durability::Refetchable).unwrap());
    let [fetching, given_up] = [b"on its way", b"given  up!"].map(|content| BlobRef::of(content));
    let (partial, _) = begin(&store, &fetching);
    drop(begin(&store, &given_up));

    store.retain(&BTreeSet::from([keep])).unwrap();
    assert!(store.contains(&keep) && !store.contains(&lose));
    assert_eq!(store.used_bytes(), keep.size + fetching.size);
    drop(partial);
    store.retain(&BTreeSet::from([keep])).unwrap();
    assert_eq!(files(&dir), [keep.hash.to_string(), format!("{}.tree", keep.hash)]);
    store.remove(&keep).unwrap();
    assert_eq!(store.used_bytes(), 0);
}

#[test]
fn leftovers_of_a_crash_go_and_foreign_files_stay() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("temp-0"), b"half").unwrap();
    fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
    assert_eq!(open(&dir).used_bytes(), 0);
    assert_eq!(files(&dir), ["notes.txt"]);
}

#[test]
fn a_file_in_place_of_the_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blobs");
    fs::write(&path, b"").unwrap();
    let message = Store::open(&path).unwrap_err().to_string();
    assert!(message.contains(&path.display().to_string()) && message.contains("check"), "{message}");
}

/// The kernel's own full disk stands in for the file that `put` writes.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    std::os::unix::fs::symlink("/dev/full", dir.path().join("temp-0")).unwrap();
    let error = store.put(&bytes(100_000, 9), Durability::Refetchable).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(store.used_bytes(), 0);
    assert_eq!(files(&dir), Vec::<String>::new());
    store.put(b"now there is space", Durability::Refetchable).unwrap();
}
