use althing_protocol::ids::Hash;

use super::*;

/// Some vector of the right length whose values all differ.
fn ramp(architecture: Architecture) -> Vec<f32> {
    (0..manifest(architecture).parameters()).map(|index| index as f32 / 65_536.0).collect()
}

#[test]
fn models_have_the_sizes_of_their_papers() {
    let sizes = Architecture::ALL.map(|architecture| manifest(architecture).parameters());
    assert_eq!(sizes, [199_210, 44_426, 1_663_370]);
}

#[test]
fn manifest_names_every_tensor_in_order_without_gaps() {
    let manifest = manifest(Architecture::LeNet);
    let paths: Vec<&str> = manifest.tensors.iter().map(|tensor| tensor.path.as_str()).collect();
    let expected = [
        "conv1.weight",
        "conv1.bias",
        "conv2.weight",
        "conv2.bias",
        "fc1.weight",
        "fc1.bias",
        "fc2.weight",
        "fc2.bias",
        "fc3.weight",
        "fc3.bias",
    ];
    assert_eq!(paths, expected);
    assert_eq!(manifest.tensors[2].shapes[0], [16, 6, 5, 5]);
}

#[test]
fn parameters_come_back_as_they_were_set() {
    for architecture in Architecture::ALL {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let values = ramp(architecture);
            let network = set(Network::new(architecture, Width::Full, &device), &values).unwrap();
            assert!(get(&network).unwrap() == values, "{architecture}");
        }
    }
}

#[test]
fn wrong_vectors_are_refused() {
    let fresh = || Network::new(Architecture::LeNet, Width::Full, &Device::flex());
    let mut values = ramp(Architecture::LeNet);
    values[7] = f32::NAN;
    assert_eq!(set(fresh(), &values).unwrap_err(), ParamsError::NotFinite { index: 7 });
    values.pop();
    assert_eq!(set(fresh(), &values).unwrap_err(), ParamsError::Length { expected: 44_426, got: 44_425 });
}

/// The bits of a start are part of the protocol: members draw it each for itself.
#[test]
fn init_has_the_same_bits_everywhere() {
    let hashes = Architecture::ALL.map(|architecture| {
        let bytes: Vec<u8> = init(architecture, [7; 32]).iter().flat_map(|value| value.to_le_bytes()).collect();
        Hash::of(&bytes).short()
    });
    assert_eq!(hashes, ["2da7dad3", "e6a09894", "1c2f7334"]);
}

#[test]
fn init_is_uniform_by_fan_in_with_zero_biases() {
    let values = init(Architecture::FedAvgCnn, [1; 32]);
    for (tensor, places) in manifest(Architecture::FedAvgCnn).places() {
        let (part, shape) = (&values[places], &tensor.shapes[0]);
        if tensor.path.ends_with("bias") {
            assert!(part.iter().all(|&value| value == 0.0), "{}", tensor.path);
            continue;
        }
        let inputs: u32 = if shape.len() == 2 { shape[0] } else { shape[1..].iter().product() };
        let bound = (if tensor.path == "fc2.weight" { 1.0_f32 } else { 6.0 } / inputs as f32).sqrt();
        let largest = part.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(largest <= bound && largest > 0.99 * bound, "{}: {largest} of {bound}", tensor.path);
        let mean = part.iter().sum::<f32>() / part.len() as f32;
        assert!(mean.abs() < 0.05 * bound, "{}: mean {mean}", tensor.path);
    }
}

#[test]
fn another_seed_is_another_start() {
    assert_ne!(init(Architecture::LeNet, [1; 32]), init(Architecture::LeNet, [2; 32]));
}
