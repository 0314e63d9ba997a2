// The sum of every row, a group a row.
struct Op { source: u32, to: u32, rows: u32, columns: u32, by_step: u32, scale: T }

var<workgroup> part: array<T, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    for (var r = group.x; r < op.rows; r += groups.x) {
        var sum = T(0);
        for (var i = thread; i < op.columns; i += 256u) {
            sum += arena[op.source + r * op.columns + i];
        }
        part[thread] = sum;
        for (var half = 128u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if (thread < half) {
                part[thread] += part[thread + half];
            }
        }
        if (thread == 0u) {
            var to = op.to + r;
            if (op.by_step != 0u) {
                to += counter[0];
            }
            arena[to] = op.scale * part[0];
        }
        workgroupBarrier();
    }
}
