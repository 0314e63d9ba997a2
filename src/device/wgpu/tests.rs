//! On whatever device there is; a machine without one fails these tests, Mesa's software device is enough.

use super::*;
use crate::device::Stepper;
use crate::device::battery;
use crate::device::engine::Need;
use crate::device::lower::Layout;
use crate::network::Network;
use crate::prox::SoftThreshold;

fn device() -> Wgpu {
    Wgpu::try_new().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn it_agrees_with_the_cpu() {
    battery::wgpu(&device());
}

#[test]
fn it_repeats_its_bits() {
    let (device, set) = (device(), battery::samples::<f32>(60));
    let options = TrainOptions { batch: 20, learning_rate: 1e-3, ..TrainOptions::default() };
    let order: Vec<usize> = (0..60).collect();
    let trained = || {
        let network = battery::unrolled::<f32, _>(SoftThreshold, 0.5);
        let mut stepper = device.stepper(network, &set, &options).unwrap();
        for _ in 0..5 {
            stepper.run(&order).unwrap();
        }
        (stepper.loss().unwrap(), stepper.finish().unwrap())
    };
    assert_eq!(trained(), trained());
}

#[test]
fn too_much_memory_is_named_with_a_batch_that_fits() {
    let (device, set) = (device(), battery::samples::<f32>(10));
    let network = battery::unrolled::<f32, _>(SoftThreshold, 0.5);
    let options = TrainOptions { batch: 1 << 28, ..TrainOptions::default() };
    let error = device.stepper(network.clone(), &set, &options).unwrap_err();
    let Error::DeviceMemory { batch: Some(batch), bytes, available, .. } = error else {
        panic!("{error}")
    };
    assert!(bytes > available.unwrap() && batch < 1 << 28);
    // What it says fits, does; a sample more does not.
    let limits = device.shared.device.limits();
    let most = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size) / 4;
    let fits = |batch| {
        let (plan, count) = (network.plan().unwrap(), network.parameters().len());
        let layout = Layout::new(&plan, count, batch, 1, true, None).unwrap();
        let data = Need { fixed: 0, per_sample: plan.input };
        let sizes = Sizes { batch, arena: layout.need(), data, order: batch };
        sizes.check::<f32>("wgpu", most as usize, usize::MAX).is_ok()
    };
    assert!(fits(batch) && !fits(batch + 1));
}

#[test]
fn formulas_that_do_not_compile_are_an_error() {
    let need = Need { fixed: 8, per_sample: 1 };
    let sizes = Sizes { batch: 1, arena: need, data: need, order: 1 };
    let wrong = Formulas { value: "z +".into(), by_argument: "z".into(), by_parameter: "z".into() };
    let mut machine = device().open(&sizes, &[wrong]).unwrap();
    let launch = crate::device::launch::Launch::Activate {
        activation: 0,
        z: 0,
        before: u32::MAX,
        out: 1,
        theta: u32::MAX,
        span: 1,
        eta: u32::MAX,
        count: 1,
        relaxation: 1.0,
    };
    let e = crate::device::engine::Machine::prepare(&mut machine, &[launch]).unwrap_err();
    assert!(matches!(e, Error::DeviceFailed { stage: "compiling its kernels", .. }), "{e}");
}

#[test]
fn too_many_groups_are_named_with_a_batch_that_fits() {
    use crate::device::engine::Machine;
    use crate::device::launch::{Launch, Matrix};
    let device = device();
    let most = device.shared.device.limits().max_compute_workgroups_per_dimension;
    // Seven positions of a convolution, in tiles of 64 columns.
    let batch = 64 * (most / 7 + 1);
    let product = |batch: u32| Launch::Product {
        m: 1,
        n: 7 * batch,
        k: 1,
        a: Matrix::rows(0, 1),
        b: Matrix::rows(0, 7 * batch),
        c: Matrix::rows(0, 7 * batch),
        accumulate: false,
    };
    let need = Need { fixed: 8, per_sample: 0 };
    let sizes = Sizes { batch: batch as usize, arena: need, data: need, order: 1 };
    let mut machine = device.open(&sizes, &[]).unwrap();
    let Err(Error::DeviceFailed { stage: "preparing a step", reason, .. }) =
        machine.prepare(&[product(batch)])
    else {
        panic!("{} groups were taken", 7 * batch / 64)
    };
    let (_, fits) = reason.split_once("a batch of ").unwrap();
    let fits: u32 = fits.split_once(' ').unwrap().0.parse().unwrap();
    assert!(fits < batch && fits > batch / 2, "{reason}");
    assert!(machine.prepare(&[product(fits)]).is_ok());
}
