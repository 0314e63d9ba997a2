// One activation, its formulas in place of capital names, its number at the end of the kernels' names.
static __device__ T value_NUMBER(T z, T theta) { return VALUE; }
static __device__ T by_argument_NUMBER(T z, T theta) { return BY_ARGUMENT; }
static __device__ T by_parameter_NUMBER(T z, T theta) { return BY_PARAMETER; }

// x = (1−η) before + η f(z; θ).
extern "C" __global__ void activate_NUMBER(MEMORY, unsigned z, unsigned before, unsigned to, unsigned place,
                                           unsigned span, unsigned eta_at, unsigned count, T relaxation) {
  T eta = eta_at == NONE ? relaxation : arena[eta_at];
  EACH(i, count) {
    T x = eta * value_NUMBER(arena[z + i], place == NONE ? T(0) : arena[place + i / span]);
    if (before != NONE) x += (T(1) - eta) * arena[before + i];
    arena[to + i] = x;
  }
}

// ∂L/∂z = η δ f′(z), ∂L/∂before, and each segment's sums of η δ ∂f/∂θ and δ (f(z) − before).
extern "C" __global__ void activate_back_NUMBER(MEMORY, unsigned z, unsigned before, unsigned delta, unsigned d_z,
                                                unsigned d_before, unsigned add, unsigned place, unsigned span,
                                                unsigned eta_at, unsigned d_theta, unsigned d_eta,
                                                unsigned segment, unsigned segments, unsigned count, T relaxation) {
  T eta = eta_at == NONE ? relaxation : arena[eta_at];
  for (unsigned r = blockIdx.x; r < segments; r += gridDim.x) {
    unsigned start = r * segment, end = start + segment < count ? start + segment : count;
    T theta = place == NONE || start >= count ? T(0) : arena[place + start / span];
    T by_theta = T(0), by_eta = T(0);
    for (unsigned i = start + threadIdx.x; i < end; i += 256) {
      T x = arena[z + i], d = arena[delta + i];
      by_theta += eta * d * by_parameter_NUMBER(x, theta);
      by_eta += d * (value_NUMBER(x, theta) - (before == NONE ? T(0) : arena[before + i]));
      arena[d_z + i] = eta * d * by_argument_NUMBER(x, theta);
      if (d_before != NONE) arena[d_before + i] = (T(1) - eta) * d + (add ? arena[d_before + i] : T(0));
    }
    if (d_theta != NONE) by_theta = sum_of_block(by_theta);
    if (d_eta != NONE) by_eta = sum_of_block(by_eta);
    if (threadIdx.x == 0 && d_theta != NONE) arena[d_theta + r] = by_theta;
    if (threadIdx.x == 0 && d_eta != NONE) arena[d_eta + r] = by_eta;
  }
}
