// x = (1−η) before + η f(z; θ).
struct Op { z: u32, before: u32, to: u32, theta: u32, span: u32, eta: u32, count: u32, relaxation: T }

fn value(z: T, theta: T) -> T {
    return VALUE;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    var eta = op.relaxation;
    if (op.eta != NONE) {
        eta = arena[op.eta];
    }
    for (var i = id.x; i < op.count; i += groups.x * 256u) {
        var theta = T(0);
        if (op.theta != NONE) {
            theta = arena[op.theta + i / op.span];
        }
        var x = eta * value(arena[op.z + i], theta);
        if (op.before != NONE) {
            x += (T(1) - eta) * arena[op.before + i];
        }
        arena[op.to + i] = x;
    }
}
