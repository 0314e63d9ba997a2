// A number a row.
struct Op { source: u32, to: u32, rows: u32, columns: u32 }

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var i = id.x; i < op.rows * op.columns; i += groups.x * 256u) {
        arena[op.to + i] = arena[op.source + i / op.columns];
    }
}
