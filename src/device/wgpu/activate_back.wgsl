// ∂L/∂z = η δ f′(z), ∂L/∂before, and each group's sum of η δ ∂f/∂θ.
struct Op {
    z: u32, delta: u32, d_z: u32, d_before: u32, add: u32, theta: u32, partials: u32, count: u32,
    relaxation: T,
}

var<workgroup> part: array<T, 256>;

fn by_argument(z: T, theta: T) -> T {
    return BY_ARGUMENT;
}

fn by_parameter(z: T, theta: T) -> T {
    return BY_PARAMETER;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    var theta = T(0);
    if (op.theta != NONE) {
        theta = arena[op.theta];
    }
    var sum = T(0);
    for (var i = group.x * 256u + thread; i < op.count; i += groups.x * 256u) {
        let z = arena[op.z + i];
        let delta = arena[op.delta + i];
        sum += op.relaxation * delta * by_parameter(z, theta);
        arena[op.d_z + i] = op.relaxation * delta * by_argument(z, theta);
        if (op.d_before != NONE) {
            var kept = (T(1) - op.relaxation) * delta;
            if (op.add != 0u) {
                kept += arena[op.d_before + i];
            }
            arena[op.d_before + i] = kept;
        }
    }
    part[thread] = sum;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            part[thread] += part[thread + half];
        }
    }
    if (thread == 0u && op.partials != NONE) {
        arena[op.partials + group.x] = part[0];
    }
}
