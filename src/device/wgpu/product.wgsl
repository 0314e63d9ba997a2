// C = A B, or C += A B, in tiles of 64 × 64: 256 threads hold 4 × 4 elements each, rows and columns 16 apart.
struct Op {
    m: u32, n: u32, k: u32,
    a: u32, a_row: u32, a_column: u32,
    b: u32, b_row: u32, b_column: u32,
    c: u32, c_row: u32,
    accumulate: u32,
}

const TILE = 64u;
const DEPTH = 16u;

// Columns of A and rows of B, 16 at a time; padded against bank conflicts.
var<workgroup> left: array<T, 1040>;  // 16 × 65
var<workgroup> right: array<T, 1040>;

fn store_one(i: u32, j: u32, sum: T) {
    if (i < op.m && j < op.n) {
        let place = op.c + i * op.c_row + j;
        arena[place] = select(T(0), arena[place], op.accumulate != 0u) + sum;
    }
}

fn store(i: u32, j: u32, sum: vec4<T>) {
    store_one(i, j, sum.x);
    store_one(i, j + 16u, sum.y);
    store_one(i, j + 32u, sum.z);
    store_one(i, j + 48u, sum.w);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = group.y * TILE;
    let column = group.x * TILE;
    let y = thread / 16u;
    let x = thread % 16u;
    var sum0 = vec4<T>();
    var sum1 = vec4<T>();
    var sum2 = vec4<T>();
    var sum3 = vec4<T>();
    for (var first = 0u; first < op.k; first += DEPTH) {
        // Neighbouring threads read neighbouring numbers, whichever way a matrix lies.
        for (var e = thread; e < TILE * DEPTH; e += 256u) {
            var i = e % TILE;
            var q = e / TILE;
            if (op.a_column == 1u) {
                i = e / DEPTH;
                q = e % DEPTH;
            }
            var value = T(0);
            if (row + i < op.m && first + q < op.k) {
                value = arena[op.a + (row + i) * op.a_row + (first + q) * op.a_column];
            }
            left[q * 65u + i] = value;
            var j = e % TILE;
            q = e / TILE;
            if (op.b_column != 1u) {
                j = e / DEPTH;
                q = e % DEPTH;
            }
            value = T(0);
            if (column + j < op.n && first + q < op.k) {
                value = arena[op.b + (first + q) * op.b_row + (column + j) * op.b_column];
            }
            right[q * 65u + j] = value;
        }
        workgroupBarrier();
        for (var q = 0u; q < DEPTH; q++) {
            let at = q * 65u;
            let a = vec4<T>(left[at + y], left[at + y + 16u], left[at + y + 32u], left[at + y + 48u]);
            let b = vec4<T>(right[at + x], right[at + x + 16u], right[at + x + 32u], right[at + x + 48u]);
            sum0 += a.x * b;
            sum1 += a.y * b;
            sum2 += a.z * b;
            sum3 += a.w * b;
        }
        workgroupBarrier();
    }
    store(row + y, column + x, sum0);
    store(row + y + 16u, column + x, sum1);
    store(row + y + 32u, column + x, sum2);
    store(row + y + 48u, column + x, sum3);
}
