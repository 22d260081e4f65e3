use super::*;

/// A dense layer from two inputs to three units, and its bias.
fn model() -> (Manifest, [Entry; 2]) {
    let tensor = |path: &str, shape: &[u32]| TensorSpec { path: path.into(), shapes: vec![shape.to_vec()] };
    let entry = |name: &str, layout| Entry { name: name.into(), layout };
    let manifest = Manifest { tensors: vec![tensor("fc.weight", &[2, 3]), tensor("fc.bias", &[3])] };
    (manifest, [entry("fc.weight", Layout::Transposed), entry("fc.bias", Layout::Same)])
}

const WEIGHTS: [f32; 9] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.5, -0.5, 0.25];

/// The same in PyTorch's order.
const TORCH: [f32; 9] = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0, 0.5, -0.5, 0.25];

const HEADER: &str = concat!(
    r#"{"__metadata__":{"format":"pt"},"fc.bias":{"data_offsets":[24,36],"dtype":"F32","shape":[3]},"#,
    r#""fc.weight":{"data_offsets":[0,24],"dtype":"F32","shape":[3,2]}}"#
);

/// A file with this header and these numbers.
fn file(header: &str, numbers: &[f32]) -> Vec<u8> {
    let data = numbers.iter().flat_map(|number| number.to_le_bytes());
    (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(data).collect()
}

fn read(file: &[u8]) -> Result<Vec<f32>, SafetensorsError> {
    let (manifest, entries) = model();
    import(&manifest, &entries, file)
}

#[test]
fn the_bytes_are_these() {
    let (manifest, entries) = model();
    let padded = format!("{HEADER:160}");
    let expected = file(&padded, &TORCH);
    assert_eq!(String::from_utf8_lossy(&export(&manifest, &entries, &WEIGHTS)), String::from_utf8_lossy(&expected));
    assert_eq!(export(&manifest, &entries, &WEIGHTS), expected);
}

#[test]
fn what_goes_out_comes_back() {
    let (manifest, entries) = model();
    assert_eq!(read(&export(&manifest, &entries, &WEIGHTS)).unwrap(), WEIGHTS);
    // Others write tensors in another order, and tell more of the file.
    let other =
        HEADER.replace("[24,36]", "[0,12]").replace("[0,24]", "[12,36]").replace("\"pt\"", "\"pt\",\"by\":\"me\"");
    let numbers = [&TORCH[6..], &TORCH[..6]].concat();
    assert_eq!(read(&file(&other, &numbers)).unwrap(), WEIGHTS);
}

#[test]
fn a_hostile_file_is_refused() {
    use SafetensorsError as E;
    let good = file(HEADER, &TORCH);
    assert_eq!(read(&good).unwrap(), WEIGHTS);
    let place = |name: &str| E::Place(name.into());
    let edited = |from: &str, to: &str| {
        assert!(HEADER.contains(from), "{from}");
        file(&HEADER.replace(from, to), &TORCH)
    };
    let mut not_finite = TORCH;
    not_finite[7] = f32::NAN;
    let cases = [
        (Vec::new(), E::Cut),
        (good[..7].to_vec(), E::Cut),
        (good[..50].to_vec(), E::Cut),
        (u64::MAX.to_le_bytes().to_vec(), E::LongHeader(u64::MAX)),
        ((HEADER_BYTES_MAX as u64 + 1).to_le_bytes().to_vec(), E::LongHeader(HEADER_BYTES_MAX as u64 + 1)),
        (good[..good.len() - 1].to_vec(), place("fc.bias")),
        ([&good[..], b"!"].concat(), E::Surplus(1)),
        (edited("fc.bias", "fc.bios"), E::Missing("fc.bias".into())),
        (
            edited("{\"__m", "{\"more\":{\"data_offsets\":[36,36],\"dtype\":\"F32\",\"shape\":[0]},\"__m"),
            E::Unexpected("more".into()),
        ),
        (
            edited("\"F32\",\"shape\":[3]", "\"F16\",\"shape\":[3]"),
            E::Type { name: "fc.bias".into(), dtype: "F16".into() },
        ),
        (edited("[3,2]", "[2,3]"), E::Shape { name: "fc.weight".into(), found: vec![2, 3], wanted: vec![3, 2] }),
        (edited("[24,36]", "[20,32]"), place("fc.bias")),
        (edited("[24,36]", "[28,40]"), place("fc.bias")),
        (edited("[24,36]", "[36,24]"), place("fc.bias")),
        (edited("[24,36]", "[24,32]"), place("fc.bias")),
        (edited("[0,24]", "[12,36]"), place("fc.weight")),
        (edited("[24,36]", "[24,18446744073709551615]"), place("fc.bias")),
        (file(HEADER, &not_finite), E::NotFinite("fc.bias".into())),
    ];
    for (number, (bytes, wanted)) in cases.into_iter().enumerate() {
        assert_eq!(read(&bytes).unwrap_err(), wanted, "case {number}");
    }
    for header in [
        "",
        "[]",
        "{",
        "null",
        "{\"fc.bias\":3}",
        "{\"fc.bias\":{}}",
        &"[".repeat(100_000),
        &HEADER.replace("[24,36]", "[-1,36]"),
        &HEADER.replace("\"fc.bias\"", "\"fc.weight\""),
        &HEADER.replace("\"shape\":[3]", "\"shape\":[3],\"x\":1"),
    ] {
        let error = read(&file(header, &TORCH)).unwrap_err();
        assert!(matches!(&error, E::Header(why) if why.len() <= EXCERPT), "{error}");
    }
}

proptest::proptest! {
    #[test]
    fn random_bytes_never_panic(mut bytes: Vec<u8>, length in 0_u64..64, cut in 0_usize..200) {
        let _ = read(&bytes);
        bytes.splice(0..0, length.to_le_bytes());
        let _ = read(&bytes);
        let good = file(HEADER, &TORCH);
        let _ = read(&good[..cut.min(good.len())]);
    }
}
