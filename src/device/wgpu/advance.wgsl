// The next step.
struct Op { unused: u32 }

@compute @workgroup_size(1)
fn main() {
    counter[0] += 1u;
}
