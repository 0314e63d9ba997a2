// to(f, b) (+)= σ_b d_f ξ(f, b): four numbers a thread, by Box and Muller.
struct Op {
    key0: u32, key1: u32, to: u32, deviations: u32, features: u32, batch: u32, by_step: u32, add: u32,
    least: T, spread: T,
}

fn box_muller(x: u32, y: u32) -> vec2<T> {
    let r = sqrt(max(T(0), T(-2) * log(unit(x))));
    // 2π y/2³² between −π and π.
    let phi = T(bitcast<i32>(y)) * T(1.4629180792671596e-9);
    return r * vec2<T>(cos(phi), sin(phi));
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let blocks = (op.features + 3u) / 4u;
    for (var i = id.x; i < blocks * op.batch; i += groups.x * 256u) {
        let b = i % op.batch;
        let block = i / op.batch;
        let sample = order[counter[0] * op.batch + b];
        let w = words(block, sample);
        let draws = sigma(sample) * vec4<T>(box_muller(w.x, w.y), box_muller(w.z, w.w));
        for (var j = 0u; j < min(4u, op.features - 4u * block); j++) {
            let f = 4u * block + j;
            var noise = draws[j];
            if (op.deviations != NONE) {
                noise *= arena[op.deviations + f];
            }
            let place = op.to + f * op.batch + b;
            if (op.add != 0u) {
                noise += arena[place];
            }
            arena[place] = noise;
        }
    }
}
