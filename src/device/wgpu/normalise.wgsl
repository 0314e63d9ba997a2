// y = max(z, 0) + 1e-9, a = y / Σ y, sample by sample.
struct Op { z: u32, to: u32, inverse: u32, rows: u32, batch: u32 }

fn clipped(z: T) -> T {
    return select(z + T(1e-9), T(1e-9), z <= T(0));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let b = group.x * 32u + thread % 32u;
    let lane = thread / 32u;
    let inside = b < op.batch;
    var sum = T(0);
    if (inside) {
        for (var i = lane; i < op.rows; i += 8u) {
            sum += clipped(arena[op.z + i * op.batch + b]);
        }
    }
    let inverse = T(1) / sum_of_sample(thread, sum);
    if (!inside) {
        return;
    }
    for (var i = lane; i < op.rows; i += 8u) {
        let place = i * op.batch + b;
        arena[op.to + place] = clipped(arena[op.z + place]) * inverse;
    }
    if (lane == 0u) {
        arena[op.inverse + b] = inverse;
    }
}
