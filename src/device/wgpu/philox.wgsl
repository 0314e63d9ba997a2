// Philox-4×32-10 at (block, sample, step), as in `synthetic/philox.rs`; for kernels whose `Op` has the fields below.
const LAST = 0xffffffffu;

// The upper half of a product, from products of halves.
fn upper(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let left = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let right = (a & 0xffffu) * (b >> 16u) + (left & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u);
}

fn words(block: u32, sample: u32) -> vec4<u32> {
    let step = counter[1] + select(0u, counter[0], op.by_step != 0u);
    let carry = select(0u, 1u, step < counter[1]);
    var x = vec4<u32>(block, sample, step, counter[2] + carry);
    var key = vec2<u32>(op.key0, op.key1);
    for (var round = 0u; round < 10u; round++) {
        let p = 0xD2511F53u * x.x;
        let q = 0xCD9E8D57u * x.z;
        x = vec4<u32>(upper(0xCD9E8D57u, x.z) ^ x.y ^ key.x, q, upper(0xD2511F53u, x.x) ^ x.w ^ key.y, p);
        key += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    return x;
}

// (x + ½)/2³².
fn unit(x: u32) -> T {
    return (T(x) + T(0.5)) * T(2.3283064365386963e-10);
}

// σ of a sample.
fn sigma(sample: u32) -> T {
    if (op.spread == T(0)) {
        return op.least;
    }
    return op.least * exp(op.spread * unit(words(LAST, sample).x));
}
