// Parameters to an interval; a NaN stays one.
struct Op { at: u32, count: u32, least: T, largest: T }

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var i = id.x; i < op.count; i += groups.x * 256u) {
        let p = arena[op.at + i];
        if (p < op.least) {
            arena[op.at + i] = op.least;
        } else if (p > op.largest) {
            arena[op.at + i] = op.largest;
        }
    }
}
