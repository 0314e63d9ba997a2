// Negative parameters to zero.
struct Op { at: u32, count: u32 }

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var i = id.x; i < op.count; i += groups.x * 256u) {
        if (arena[op.at + i] < T(0)) {
            arena[op.at + i] = T(0);
        }
    }
}
