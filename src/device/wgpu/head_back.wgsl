// ∂L/∂z of a head from δ = ∂L/∂a: a (δ − a·δ) of a softmax, 1[z > 0] (δ − a·δ)/Σy of a normalised one.
struct Op { a: u32, delta: u32, d_z: u32, inverse: u32, rows: u32, batch: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let b = group.x * 32u + thread % 32u;
    let lane = thread / 32u;
    let inside = b < op.batch;
    var dot = T(0);
    if (inside) {
        for (var i = lane; i < op.rows; i += 8u) {
            dot += arena[op.a + i * op.batch + b] * arena[op.delta + i * op.batch + b];
        }
    }
    let mean = sum_of_sample(thread, dot);
    if (!inside) {
        return;
    }
    let inverse = arena[op.inverse + b];
    for (var i = lane; i < op.rows; i += 8u) {
        let place = i * op.batch + b;
        let a = arena[op.a + place];
        let d = arena[op.delta + place] - mean;
        arena[op.d_z + place] = HEAD;
    }
}
