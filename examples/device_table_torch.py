#!/usr/bin/env python3
"""PyTorch beside the example `device_table`: the same networks, sizes and precision, on the same device.

    python3 examples/device_table_torch.py [--device cuda] [--seconds 3] [--small]

Three columns: written as one would (eager); as well as PyTorch can without kernels of one's own (all products with the
data in one, epilogues fused by torch.compile); that, recorded as a CUDA graph. True float32: TF32 is off.
Needs PyTorch; reads and writes no file.
"""
import argparse
import statistics
import time

import torch
import torch._dynamo

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cuda")
parser.add_argument("--seconds", type=float, default=3.0)
parser.add_argument("--small", action="store_true")
options = parser.parse_args()
DEVICE = options.device
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def synchronise():
    if DEVICE.startswith("cuda"):
        torch.cuda.synchronize()


def median(call):
    """Median seconds of a call that ends when the device has done it, after three that do not count."""
    for _ in range(3):
        call()
    synchronise()
    times, begin = [], time.perf_counter()
    while time.perf_counter() - begin < options.seconds or len(times) < 3:
        start = time.perf_counter()
        call()
        synchronise()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


class Rlista(torch.nn.Module):
    """a <- a/2 + S(W_t a + W_e g)/2, thresholds learned; the products with g one by one, or all in one."""

    def __init__(self, m, n, depth, together):
        super().__init__()
        self.n, self.depth, self.together = n, depth, together
        self.encode = torch.nn.Parameter(torch.randn(depth * n, m) * m**-0.5)
        self.carry = torch.nn.Parameter(torch.randn(depth, n, n) * n**-0.5)
        self.threshold = torch.nn.Parameter(torch.full((depth,), 1e-2))

    def forward(self, g):
        n = self.n
        encode = self.encode.split(n)
        parts = (g @ self.encode.T).split(n, 1) if self.together else None
        a = 0.0
        for layer in range(self.depth):
            z = parts[layer] if self.together else torch.nn.functional.linear(g, encode[layer])
            if layer > 0:
                z = z + torch.nn.functional.linear(a, self.carry[layer])
            limit = self.threshold[layer].clamp(min=0.0)
            a = 0.5 * a + 0.5 * torch.sign(z) * torch.relu(z.abs() - limit)
        return a


def loss_of(network, g, a):
    return torch.linalg.vector_norm(network(g) - a, dim=1).mean()


def graph_of(call):
    """The call as a CUDA graph, after it has run on a stream of its own."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def step_time(m, n, batch, arrangement):
    torch.manual_seed(1)
    network = Rlista(m, n, 10, arrangement != "eager").to(DEVICE)
    g, a = torch.rand(batch, m, device=DEVICE), torch.rand(batch, n, device=DEVICE) / n
    recorded = arrangement == "graph"
    kind = {"capturable": True} if recorded else {"fused": True}
    adam = torch.optim.Adam(network.parameters(), lr=1e-4, **kind)
    compute = loss_of if arrangement == "eager" else torch.compile(loss_of)

    def step():
        adam.zero_grad(set_to_none=not recorded)
        compute(network, g, a).backward()
        adam.step()

    return median(graph_of(step) if recorded else step)


def answer_time(m, n, arrangement):
    torch.manual_seed(1)
    network = Rlista(m, n, 6, arrangement != "eager").to(DEVICE).eval()
    g = torch.rand(10_000, m, device=DEVICE)
    compute = network if arrangement == "eager" else torch.compile(network)
    with torch.inference_mode():
        answer = lambda: compute(g)
        return median(graph_of(answer) if arrangement == "graph" else answer)


def row(what, measure):
    cells = []
    for arrangement in ("eager", "compiled", "graph"):
        torch._dynamo.reset()  # or the sizes of this row make those of the next ones variables
        if arrangement == "graph" and not DEVICE.startswith("cuda"):
            cells.append("no graphs here")
            continue
        try:
            cells.append(f"{1e3 * measure(arrangement):.3f} ms")
        except Exception as error:  # a row that cannot be had must not take the others with it
            cells.append(f"not measured: {type(error).__name__}")
    print(f"| {what} | {' | '.join(cells)} |", flush=True)


name = torch.cuda.get_device_name() if DEVICE.startswith("cuda") else f"{DEVICE}, {torch.get_num_threads()} threads"
print(f"\nPyTorch {torch.__version__}, {name}, f32\n| what | eager | compiled | graph |\n|---|---|---|---|")
sizes = [(100, 50, 256)]
if not options.small:
    sizes += [(100, 50, 4096), (400, 200, 2048), (800, 400, 10_000)]
for m, n, batch in sizes:
    row(f"training step, RLISTA-10, {n} x {m}, batch {batch}", lambda how: step_time(m, n, batch, how))
if not options.small:
    for n in (100, 200, 400):
        row(f"10000 spectra, RLISTA-6, {n} x {2 * n}, resident", lambda how: answer_time(2 * n, n, how))
