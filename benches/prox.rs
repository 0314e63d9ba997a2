//! How fast are proximal operators on 10⁶ elements: bytes of the argument per second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{L1Ball, Prox, Real, Simplex, SoftThreshold, TotalVariation};
use std::time::Duration;

const N: usize = 1_000_000;

/// A name, an operator, its argument and γ.
type Case<'a, T> = (&'static str, Box<dyn Prox<T>>, &'a [T], f64);

fn operators<T: Real>(c: &mut Criterion, scalar: &str) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let noise: Vec<T> = (0..N).map(|_| T::standard_normal(&mut rng)).collect();
    // Ten steps with noise, as a denoiser meets them.
    let steps: Vec<T> =
        (0..N).map(|i| T::lit(((i * 10 / N) % 3) as f64) + T::lit(0.1) * noise[i]).collect();
    let mut group = c.benchmark_group(format!("prox {scalar}"));
    group.sample_size(10).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Bytes((N * size_of::<T>()) as u64));
    let smooth: Vec<T> = (0..N).map(|i| T::lit((1e-3 * i as f64).sin())).collect();
    let cases: [Case<'_, T>; 8] = [
        ("soft threshold", Box::new(SoftThreshold), &noise, 0.5),
        ("simplex", Box::new(Simplex::new(T::one()).unwrap()), &noise, 1.0),
        ("simplex, dense", Box::new(Simplex::new(T::lit(1e6)).unwrap()), &noise, 1.0),
        ("l1 ball", Box::new(L1Ball::new(T::lit(1e3)).unwrap()), &noise, 1.0),
        ("total variation, steps", Box::new(TotalVariation), &steps, 5.0),
        ("total variation, noise", Box::new(TotalVariation), &noise, 1.0),
        ("total variation, smooth", Box::new(TotalVariation), &smooth, 0.1),
        ("total variation, straight", Box::new(TotalVariation), &steps, 1e9),
    ];
    let mut out = vec![T::zero(); N];
    for (name, op, z, gamma) in cases {
        group.bench_function(name, |b| b.iter(|| op.prox_into(z, T::lit(gamma), &mut out)));
    }
    group.finish();
}

fn all(c: &mut Criterion) {
    operators::<f64>(c, "f64");
    operators::<f32>(c, "f32");
}

criterion_group!(benches, all);
criterion_main!(benches);
