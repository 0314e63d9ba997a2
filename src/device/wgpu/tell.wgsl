// Wiener weights 1/(1 + σ_b² c_f) of a sample's coordinates, and their mean in one row more.
struct Op {
    key0: u32, key1: u32, to: u32, variances: u32, features: u32, batch: u32, by_step: u32,
    least: T, spread: T,
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var b = id.x; b < op.batch; b += groups.x * 256u) {
        let deviation = sigma(order[counter[0] * op.batch + b]);
        var total = T(0);
        for (var f = 0u; f < op.features; f++) {
            let weight = T(1) / (T(1) + deviation * deviation * arena[op.variances + f]);
            arena[op.to + f * op.batch + b] *= weight;
            total += weight;
        }
        arena[op.to + op.features * op.batch + b] = total / T(op.features);
    }
}
