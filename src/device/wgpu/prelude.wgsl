// What every kernel sees. All numbers stand in one arena; `op` holds places in it, counts and numbers.
alias T = f32;
const NONE = 0xffffffffu;

@group(0) @binding(0) var<storage, read_write> arena: array<T>;
@group(0) @binding(1) var<storage, read> data: array<T>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> counter: array<u32>;
@group(0) @binding(4) var<uniform> op: Op;

fn pick(condition: bool, yes: T, no: T) -> T {
    return select(no, yes, condition);
}

fn magnitude(x: T) -> T {
    return abs(x);
}

// By its bits: arithmetic on a device may assume that there are no such numbers.
fn finite(x: T) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
