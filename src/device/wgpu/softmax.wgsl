// a = e^z / Σ e^z, sample by sample.
struct Op { z: u32, to: u32, inverse: u32, rows: u32, batch: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let b = group.x * 32u + thread % 32u;
    let lane = thread / 32u;
    let inside = b < op.batch;
    var top = T(-3.0e38);
    if (inside) {
        for (var i = lane; i < op.rows; i += 8u) {
            top = max(top, arena[op.z + i * op.batch + b]);
        }
    }
    top = max_of_sample(thread, top);
    var sum = T(0);
    if (inside) {
        for (var i = lane; i < op.rows; i += 8u) {
            sum += exp(arena[op.z + i * op.batch + b] - top);
        }
    }
    let inverse = T(1) / sum_of_sample(thread, sum);
    if (!inside) {
        return;
    }
    for (var i = lane; i < op.rows; i += 8u) {
        let place = i * op.batch + b;
        arena[op.to + place] = exp(arena[op.z + place] - top) * inverse;
    }
}
