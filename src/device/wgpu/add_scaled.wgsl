// to (+)= factor · from.
struct Op { source: u32, to: u32, count: u32, add: u32, factor: T }

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var i = id.x; i < op.count; i += groups.x * 256u) {
        let before = select(T(0), arena[op.to + i], op.add != 0u);
        arena[op.to + i] = before + op.factor * arena[op.source + i];
    }
}
