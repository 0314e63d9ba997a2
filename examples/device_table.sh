#!/usr/bin/env bash
# Everything that there is to measure on a machine with a graphics card, as tables, in less than nine minutes.
#
#   examples/device_table.sh build     # anywhere: programs into target/device_table (features cuda and wgpu)
#   examples/device_table.sh           # there: the battery of `cuda`, the tables, PyTorch's beside them
#
# What a machine lacks (driver, Vulkan, PyTorch) is said in its place, and the rest goes on. SECONDS_EACH (3) is the time
# given to a figure. Leaves with the code of the battery, or of the table of `cuda` where the battery passes.
set -uo pipefail
cd "$(dirname "$0")/.."
programs=target/device_table

if [ "${1:-}" = build ]; then
  set -e
  mkdir -p "$programs"
  cargo build --locked --release --features cuda,wgpu --example device_table
  cp target/release/examples/device_table "$programs/table"
  cargo test --locked --release --features cuda,wgpu --lib --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1 | xargs -I{} cp {} "$programs/battery"
  ls -l "$programs"
  exit
fi
[ -x "$programs/table" ] && [ -x "$programs/battery" ] ||
  { echo "no programs in $programs: run examples/device_table.sh build first" >&2; exit 2; }

each="${SECONDS_EACH:-3}"
say() { printf '\n== %s\n' "$*"; }

say "machine"
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo "no nvidia-smi"

# Limits in seconds: 520 together.
say "cuda against the processor's engine, both precisions"
timeout 110 "$programs/battery" --ignored cuda::tests::it_agrees
battery=$?
say "cuda"
timeout 200 "$programs/table" cuda --seconds "$each"
table=$?
say "wgpu"
timeout 80 "$programs/table" wgpu --seconds "$each"
say "PyTorch"
timeout 130 python3 examples/device_table_torch.py --seconds "$each" 2>&1 | grep -v '^ ' ||
  echo "no PyTorch with this device to be had"
[ "$battery" -ne 0 ] && exit "$battery"
exit "$table"
