// Derivatives of a convolution's input from those by tap.
struct Op { taps: u32, to: u32, kernel_: u32, positions: u32, batch: u32, add: u32 }

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let rows = op.positions + op.kernel_ - 1u;
    for (var i = id.x; i < rows * op.batch; i += groups.x * 256u) {
        let r = i / op.batch;
        var sum = T(0);
        if (op.add != 0u) {
            sum = arena[op.to + i];
        }
        for (var k = 0u; k < op.kernel_; k++) {
            if (r >= k && r - k < op.positions) {
                sum += arena[op.taps + (k * op.positions + r - k) * op.batch + i % op.batch];
            }
        }
        arena[op.to + i] = sum;
    }
}
