// ∂L/∂z = η δ f′(z), ∂L/∂before, and each segment's sums of η δ ∂f/∂θ and δ (f(z) − before).
struct Op {
    z: u32, before: u32, delta: u32, d_z: u32, d_before: u32, add: u32, theta: u32, span: u32, eta: u32,
    d_theta: u32, d_eta: u32, segment: u32, segments: u32, count: u32,
    relaxation: T,
}

var<workgroup> part: array<vec2<T>, 256>;

fn value(z: T, theta: T) -> T {
    return VALUE;
}

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
    var eta = op.relaxation;
    if (op.eta != NONE) {
        eta = arena[op.eta];
    }
    for (var r = group.x; r < op.segments; r += groups.x) {
        let start = r * op.segment;
        var theta = T(0);
        if (op.theta != NONE && start < op.count) {
            theta = arena[op.theta + start / op.span];
        }
        var sums = vec2<T>();
        for (var i = start + thread; i < min(start + op.segment, op.count); i += 256u) {
            let z = arena[op.z + i];
            let delta = arena[op.delta + i];
            arena[op.d_z + i] = eta * delta * by_argument(z, theta);
            var change = value(z, theta);
            if (op.before != NONE) {
                change -= arena[op.before + i];
            }
            sums += delta * vec2<T>(eta * by_parameter(z, theta), change);
            if (op.d_before != NONE) {
                var kept = (T(1) - eta) * delta;
                if (op.add != 0u) {
                    kept += arena[op.d_before + i];
                }
                arena[op.d_before + i] = kept;
            }
        }
        part[thread] = sums;
        for (var half = 128u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if (thread < half) {
                part[thread] += part[thread + half];
            }
        }
        if (thread == 0u && op.d_theta != NONE) {
            arena[op.d_theta + r] = part[0].x;
        }
        if (thread == 0u && op.d_eta != NONE) {
            arena[op.d_eta + r] = part[0].y;
        }
        workgroupBarrier();
    }
}
