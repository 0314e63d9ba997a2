// For kernels over samples: a group takes 32 of them, eight threads each, which share a sum or a maximum.
var<workgroup> part: array<T, 256>;

fn sum_of_sample(thread: u32, own: T) -> T {
    part[thread] = own;
    workgroupBarrier();
    var total = T(0);
    for (var lane = 0u; lane < 8u; lane++) {
        total += part[lane * 32u + thread % 32u];
    }
    workgroupBarrier();
    return total;
}

fn max_of_sample(thread: u32, own: T) -> T {
    part[thread] = own;
    workgroupBarrier();
    var top = part[thread % 32u];
    for (var lane = 1u; lane < 8u; lane++) {
        top = max(top, part[lane * 32u + thread % 32u]);
    }
    workgroupBarrier();
    return top;
}
