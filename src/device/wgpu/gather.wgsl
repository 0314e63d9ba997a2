// Samples of a batch into a panel.
struct Op { source: u32, features: u32, to: u32, batch: u32, ordered: u32 }

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var i = id.x; i < op.features * op.batch; i += groups.x * 256u) {
        let b = i % op.batch;
        var sample = b;
        if (op.ordered != 0u) {
            sample = order[counter[0] * op.batch + b];
        }
        arena[op.to + i] = data[op.source + sample * op.features + i / op.batch];
    }
}
