// Adam's update, unless the loss of the step is not finite.
struct Op {
    parameters: u32, gradient: u32, m: u32, v: u32, count: u32, coefficients: u32, losses: u32,
    beta1: T, beta2: T, epsilon: T,
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let t = counter[0];
    if (!finite(arena[op.losses + t])) {
        return;
    }
    let rate = arena[op.coefficients + 2u * t];
    let correction = arena[op.coefficients + 2u * t + 1u];
    for (var i = id.x; i < op.count; i += groups.x * 256u) {
        let g = arena[op.gradient + i];
        let m = op.beta1 * arena[op.m + i] + (T(1) - op.beta1) * g;
        let v = op.beta2 * arena[op.v + i] + (T(1) - op.beta2) * g * g;
        arena[op.m + i] = m;
        arena[op.v + i] = v;
        arena[op.parameters + i] -= rate * m / (sqrt(v * correction) + op.epsilon);
    }
}
