//! What can be tested without a GPU, and, ignored by default, what needs one.

use super::*;
use crate::device::DeviceActivation;
use crate::device::{Continuation, battery};
use crate::maxent::offload_tests;
use crate::prox::{
    ElasticNet, Huber, NonNegative, OneSidedSoftThreshold, SoftThreshold, SquaredL2,
};

#[test]
fn what_is_missing_is_named() {
    match Cuda::try_new(usize::MAX) {
        Err(Error::NoDevice { device: "CUDA", missing, remedy }) => {
            assert!(!missing.is_empty() && !remedy.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs NVRTC where libraries are found: cargo test --features cuda --lib -- --ignored cuda::tests::kernels_compile"]
fn kernels_compile_for_the_h100() {
    let activations = [
        SoftThreshold.formulas(),
        OneSidedSoftThreshold.formulas(),
        NonNegative.formulas(),
        SquaredL2.formulas(),
        ElasticNet::new(0.25).unwrap().formulas(),
        Huber::new(0.1).unwrap().formulas(),
    ];
    let texts = ["float", "double"].map(|scalar| source::source(scalar, &activations));
    for text in texts.iter().map(String::as_str).chain([maxent::SOURCE]) {
        let options = vec!["--gpu-architecture=sm_90".into()];
        let options = cudarc::nvrtc::CompileOptions { options, ..Default::default() };
        if let Err(e) = cudarc::nvrtc::compile_ptx_with_opts(text, options) {
            panic!("{}: {e:?}", text.lines().next().unwrap_or_default());
        }
    }
}

#[test]
#[ignore = "needs an NVIDIA device: cargo test --features cuda --lib -- --ignored cuda::tests::it_agrees"]
fn it_agrees_with_the_cpu() {
    let device = Cuda::try_new(0).unwrap_or_else(|e| panic!("{e}"));
    battery::cuda(&device);
}

#[test]
#[ignore = "needs an NVIDIA device: cargo test --features cuda --lib -- --ignored cuda::tests::it_agrees"]
fn it_agrees_on_maximum_entropy() {
    let device = Cuda::try_new(0).unwrap_or_else(|e| panic!("{e}"));
    offload_tests::battery(&|prepared, data| {
        // Blocks go their own ways, and always the same.
        let answers = device.continue_many(prepared, data)?;
        assert!(device.continue_many(prepared, data)? == answers);
        Ok(answers)
    });
}
