// The kernels of a step, for T = float or double (a typedef comes before this text). All numbers stand in one arena;
// every kernel is told places in it and counts, then numbers, in the order of `launch.rs`. Blocks have 256 threads.
#define MEMORY T *arena, const T *data, const unsigned *order, unsigned *counter
#define NONE 0xffffffffu
#define EACH(i, count) \
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += gridDim.x * blockDim.x)

static __device__ T pick(bool condition, T yes, T no) { return condition ? yes : no; }
static __device__ T magnitude(T x) { return x < T(0) ? -x : x; }

// The sum over a block, in thread 0.
static __device__ T sum_of_block(T own) {
  __shared__ T part[256];
  part[threadIdx.x] = own;
  for (unsigned half = 128; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
  }
  T total = part[0];
  __syncthreads();
  return total;
}

// Kernels over samples: a block takes 32 of them, eight threads each, which share a sum or a maximum.
static __device__ T sum_of_sample(T own) {
  __shared__ T part[256];
  part[threadIdx.x] = own;
  __syncthreads();
  T total = T(0);
  for (unsigned lane = 0; lane < 8; lane++) total += part[lane * 32 + threadIdx.x % 32];
  __syncthreads();
  return total;
}
static __device__ T max_of_sample(T own) {
  __shared__ T part[256];
  part[threadIdx.x] = own;
  __syncthreads();
  T top = part[threadIdx.x % 32];
  for (unsigned lane = 1; lane < 8; lane++) {
    T other = part[lane * 32 + threadIdx.x % 32];
    top = other > top ? other : top;
  }
  __syncthreads();
  return top;
}

// Samples of a batch into a panel.
extern "C" __global__ void gather(MEMORY, unsigned source, unsigned features, unsigned to, unsigned batch,
                                  unsigned ordered) {
  EACH(i, features * batch) {
    unsigned b = i % batch;
    unsigned sample = ordered ? order[counter[0] * batch + b] : b;
    arena[to + i] = data[source + (size_t)sample * features + i / batch];
  }
}

// Philox-4×32-10 at (block, sample, step), as in `synthetic/philox.rs`.
static __device__ void words(unsigned k0, unsigned k1, unsigned block, unsigned sample, const unsigned *counter,
                             unsigned by_step, unsigned *w) {
  unsigned long long step = counter[1] + ((unsigned long long)counter[2] << 32) + (by_step ? counter[0] : 0);
  unsigned a = block, b = sample, c = (unsigned)step, d = (unsigned)(step >> 32);
  for (int round = 0; round < 10; round++) {
    unsigned long long p = 0xD2511F53ull * a, q = 0xCD9E8D57ull * c;
    a = (unsigned)(q >> 32) ^ b ^ k0;
    b = (unsigned)q;
    c = (unsigned)(p >> 32) ^ d ^ k1;
    d = (unsigned)p;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  w[0] = a;
  w[1] = b;
  w[2] = c;
  w[3] = d;
}

// (x + ½)/2³².
static __device__ T unit(unsigned x) { return (T(x) + T(0.5)) * T(2.3283064365386963e-10); }

// σ of a sample.
static __device__ T sigma_of(unsigned k0, unsigned k1, unsigned sample, const unsigned *counter, unsigned by_step,
                             T least, T spread) {
  if (spread == T(0)) return least;
  unsigned w[4];
  words(k0, k1, 0xffffffffu, sample, counter, by_step, w);
  return least * exp(spread * unit(w[0]));
}

// to(f, b) (+)= σ_b d_f ξ(f, b): four numbers a thread, by Box and Muller.
extern "C" __global__ void noise(MEMORY, unsigned k0, unsigned k1, unsigned to, unsigned deviations,
                                 unsigned features, unsigned batch, unsigned by_step, unsigned add, T least,
                                 T spread) {
  unsigned blocks = (features + 3) / 4;
  EACH(i, blocks * batch) {
    unsigned b = i % batch, block = i / batch, sample = order[counter[0] * batch + b], w[4];
    words(k0, k1, block, sample, counter, by_step, w);
    T sigma = sigma_of(k0, k1, sample, counter, by_step, least, spread);
    for (unsigned j = 0; j < 4 && 4 * block + j < features; j++) {
      T u = unit(w[j & 2u]), phi = T((int)w[j | 1u]) * T(1.4629180792671596e-9);
      T draw = sigma * sqrt(u < T(1) ? T(-2) * log(u) : T(0)) * (j & 1u ? sin(phi) : cos(phi));
      unsigned f = 4 * block + j, place = to + f * batch + b;
      if (deviations != NONE) draw *= arena[deviations + f];
      arena[place] = (add ? arena[place] : T(0)) + draw;
    }
  }
}

// Wiener weights 1/(1 + σ_b² c_f) of a sample's coordinates, and their mean in one row more.
extern "C" __global__ void tell(MEMORY, unsigned k0, unsigned k1, unsigned to, unsigned variances, unsigned features,
                                unsigned batch, unsigned by_step, T least, T spread) {
  EACH(b, batch) {
    T sigma = sigma_of(k0, k1, order[counter[0] * batch + b], counter, by_step, least, spread), total = T(0);
    for (unsigned f = 0; f < features; f++) {
      T weight = T(1) / (T(1) + sigma * sigma * arena[variances + f]);
      arena[to + f * batch + b] *= weight;
      total += weight;
    }
    arena[to + features * batch + b] = total / T(features);
  }
}

// C = A B, or C += A B, in tiles of 64 × 64: for views whose rows overlap, which cuBLAS does not take.
extern "C" __global__ void product(MEMORY, unsigned m, unsigned n, unsigned k, unsigned a, unsigned a_row,
                                   unsigned a_column, unsigned b, unsigned b_row, unsigned b_column, unsigned c,
                                   unsigned c_row, unsigned accumulate) {
  __shared__ T left[16 * 65], right[16 * 65];
  unsigned row = blockIdx.y * 64, column = blockIdx.x * 64, y = threadIdx.x / 16, x = threadIdx.x % 16;
  T sum[4][4];
  for (unsigned r = 0; r < 4; r++)
    for (unsigned s = 0; s < 4; s++) sum[r][s] = T(0);
  for (unsigned first = 0; first < k; first += 16) {
    for (unsigned e = threadIdx.x; e < 1024; e += 256) {
      unsigned i = a_column == 1 ? e / 16 : e % 64, q = a_column == 1 ? e % 16 : e / 64;
      bool inside = row + i < m && first + q < k;
      left[q * 65 + i] = inside ? arena[a + (row + i) * a_row + (first + q) * a_column] : T(0);
      unsigned j = b_column == 1 ? e % 64 : e / 16, p = b_column == 1 ? e / 64 : e % 16;
      inside = column + j < n && first + p < k;
      right[p * 65 + j] = inside ? arena[b + (first + p) * b_row + (column + j) * b_column] : T(0);
    }
    __syncthreads();
    for (unsigned q = 0; q < 16; q++)
      for (unsigned r = 0; r < 4; r++)
        for (unsigned s = 0; s < 4; s++) sum[r][s] += left[q * 65 + y + 16 * r] * right[q * 65 + x + 16 * s];
    __syncthreads();
  }
  for (unsigned r = 0; r < 4; r++)
    for (unsigned s = 0; s < 4; s++) {
      unsigned i = row + y + 16 * r, j = column + x + 16 * s;
      if (i < m && j < n) {
        unsigned place = c + i * c_row + j;
        arena[place] = (accumulate ? arena[place] : T(0)) + sum[r][s];
      }
    }
}

// A number a row.
extern "C" __global__ void fill_rows(MEMORY, unsigned source, unsigned to, unsigned rows, unsigned columns) {
  EACH(i, rows * columns) arena[to + i] = arena[source + i / columns];
}

// The sum of every row, a block a row.
extern "C" __global__ void sum_rows(MEMORY, unsigned source, unsigned to, unsigned rows, unsigned columns,
                                    unsigned by_step, T scale) {
  for (unsigned r = blockIdx.x; r < rows; r += gridDim.x) {
    T sum = T(0);
    for (unsigned i = threadIdx.x; i < columns; i += 256) sum += arena[source + r * columns + i];
    sum = sum_of_block(sum);
    if (threadIdx.x == 0) arena[to + r + (by_step ? counter[0] : 0)] = scale * sum;
  }
}

// a = e^z / Σ e^z, sample by sample.
extern "C" __global__ void softmax(MEMORY, unsigned z, unsigned to, unsigned inverse, unsigned rows,
                                   unsigned batch) {
  unsigned b = blockIdx.x * 32 + threadIdx.x % 32, lane = threadIdx.x / 32;
  bool inside = b < batch;
  T top = T(-3e38), sum = T(0);
  if (inside)
    for (unsigned i = lane; i < rows; i += 8) top = arena[z + i * batch + b] > top ? arena[z + i * batch + b] : top;
  top = max_of_sample(top);
  if (inside)
    for (unsigned i = lane; i < rows; i += 8) sum += exp(arena[z + i * batch + b] - top);
  T factor = T(1) / sum_of_sample(sum);
  if (!inside) return;
  for (unsigned i = lane; i < rows; i += 8) arena[to + i * batch + b] = exp(arena[z + i * batch + b] - top) * factor;
}

// y = max(z, 0) + 1e-9, a = y / Σ y, sample by sample.
static __device__ T clipped(T z) { return z <= T(0) ? T(1e-9) : z + T(1e-9); }
extern "C" __global__ void normalise(MEMORY, unsigned z, unsigned to, unsigned inverse, unsigned rows,
                                     unsigned batch) {
  unsigned b = blockIdx.x * 32 + threadIdx.x % 32, lane = threadIdx.x / 32;
  bool inside = b < batch;
  T sum = T(0);
  if (inside)
    for (unsigned i = lane; i < rows; i += 8) sum += clipped(arena[z + i * batch + b]);
  T factor = T(1) / sum_of_sample(sum);
  if (!inside) return;
  for (unsigned i = lane; i < rows; i += 8) arena[to + i * batch + b] = clipped(arena[z + i * batch + b]) * factor;
  if (lane == 0) arena[inverse + b] = factor;
}

// ∂L/∂z of a head from δ = ∂L/∂a.
static __device__ void head_back(T *arena, unsigned a, unsigned delta, unsigned d_z, unsigned inverse, unsigned rows,
                                 unsigned batch, bool softmax) {
  unsigned b = blockIdx.x * 32 + threadIdx.x % 32, lane = threadIdx.x / 32;
  bool inside = b < batch;
  T dot = T(0);
  if (inside)
    for (unsigned i = lane; i < rows; i += 8) dot += arena[a + i * batch + b] * arena[delta + i * batch + b];
  T mean = sum_of_sample(dot);
  if (!inside) return;
  T factor = softmax ? T(0) : arena[inverse + b];
  for (unsigned i = lane; i < rows; i += 8) {
    T x = arena[a + i * batch + b], d = arena[delta + i * batch + b] - mean;
    // A clipped component is the floor over the sum, by the same rounding.
    arena[d_z + i * batch + b] = softmax ? x * d : x <= T(1e-9) * factor ? T(0) : d * factor;
  }
}
extern "C" __global__ void softmax_back(MEMORY, unsigned a, unsigned delta, unsigned d_z, unsigned inverse,
                                        unsigned rows, unsigned batch) {
  head_back(arena, a, delta, d_z, inverse, rows, batch, true);
}
extern "C" __global__ void normalise_back(MEMORY, unsigned a, unsigned delta, unsigned d_z, unsigned inverse,
                                          unsigned rows, unsigned batch) {
  head_back(arena, a, delta, d_z, inverse, rows, batch, false);
}

// ‖a − ã‖ of every sample, and its gradient times a scale.
extern "C" __global__ void loss(MEMORY, unsigned a, unsigned target, unsigned delta, unsigned errors, unsigned rows,
                                unsigned batch, T scale) {
  unsigned b = blockIdx.x * 32 + threadIdx.x % 32, lane = threadIdx.x / 32;
  bool inside = b < batch;
  T square = T(0);
  if (inside)
    for (unsigned i = lane; i < rows; i += 8) {
      T d = arena[a + i * batch + b] - arena[target + i * batch + b];
      square += d * d;
    }
  T error = sqrt(sum_of_sample(square));
  if (!inside) return;
  T factor = error == T(0) ? T(0) : scale / error;
  for (unsigned i = lane; i < rows; i += 8)
    arena[delta + i * batch + b] = factor * (arena[a + i * batch + b] - arena[target + i * batch + b]);
  if (lane == 0) arena[errors + b] = error;
}

// Derivatives of a convolution's input from those by tap.
extern "C" __global__ void overlap(MEMORY, unsigned taps, unsigned to, unsigned kernel, unsigned positions,
                                   unsigned batch, unsigned add) {
  EACH(i, (positions + kernel - 1) * batch) {
    unsigned r = i / batch;
    T sum = add ? arena[to + i] : T(0);
    for (unsigned k = 0; k < kernel; k++)
      if (r >= k && r - k < positions) sum += arena[taps + (k * positions + r - k) * batch + i % batch];
    arena[to + i] = sum;
  }
}

// to (+)= factor · from.
extern "C" __global__ void add_scaled(MEMORY, unsigned source, unsigned to, unsigned count, unsigned add, T factor) {
  EACH(i, count) arena[to + i] = (add ? arena[to + i] : T(0)) + factor * arena[source + i];
}

// Adam's update, unless the loss of the step is not finite.
extern "C" __global__ void adam(MEMORY, unsigned parameters, unsigned gradient, unsigned m, unsigned v,
                                unsigned count, unsigned coefficients, unsigned losses, T beta1, T beta2,
                                T epsilon) {
  unsigned t = counter[0];
  T loss = arena[losses + t];
  if (!(loss - loss == T(0))) return;
  T rate = arena[coefficients + 2 * t], correction = arena[coefficients + 2 * t + 1];
  EACH(i, count) {
    T g = arena[gradient + i];
    T first = beta1 * arena[m + i] + (T(1) - beta1) * g, second = beta2 * arena[v + i] + (T(1) - beta2) * g * g;
    arena[m + i] = first;
    arena[v + i] = second;
    arena[parameters + i] -= rate * first / (sqrt(second * correction) + epsilon);
  }
}

// Parameters to an interval; a NaN stays one.
extern "C" __global__ void clamp_to(MEMORY, unsigned at, unsigned count, T least, T largest) {
  EACH(i, count) {
    T p = arena[at + i];
    arena[at + i] = p < least ? least : p > largest ? largest : p;
  }
}

// The next step.
extern "C" __global__ void advance(MEMORY) {
  if (threadIdx.x == 0) counter[0] += 1;
}
