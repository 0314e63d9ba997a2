// ‖a − ã‖ of every sample, and its gradient times a scale.
struct Op { a: u32, target_: u32, delta: u32, errors: u32, rows: u32, batch: u32, scale: T }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let b = group.x * 32u + thread % 32u;
    let lane = thread / 32u;
    var square = T(0);
    if (b < op.batch) {
        for (var i = lane; i < op.rows; i += 8u) {
            let d = arena[op.a + i * op.batch + b] - arena[op.target_ + i * op.batch + b];
            square += d * d;
        }
    }
    let error = sqrt(sum_of_sample(thread, square));
    if (b >= op.batch) {
        return;
    }
    var factor = T(0);
    if (error != T(0)) {
        factor = op.scale / error;
    }
    for (var i = lane; i < op.rows; i += 8u) {
        let place = i * op.batch + b;
        arena[op.delta + place] = factor * (arena[op.a + place] - arena[op.target_ + place]);
    }
    if (lane == 0u) {
        arena[op.errors + b] = error;
    }
}
