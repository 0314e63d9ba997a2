// One activation, its formulas in place of capital names, its number at the end of the kernels' names.
static __device__ T value_NUMBER(T z, T theta) { return VALUE; }
static __device__ T by_argument_NUMBER(T z, T theta) { return BY_ARGUMENT; }
static __device__ T by_parameter_NUMBER(T z, T theta) { return BY_PARAMETER; }

// x = (1−η) before + η f(z; θ).
extern "C" __global__ void activate_NUMBER(MEMORY, unsigned z, unsigned before, unsigned to, unsigned place,
                                           unsigned count, T relaxation) {
  T theta = place == NONE ? T(0) : arena[place];
  EACH(i, count) {
    T x = relaxation * value_NUMBER(arena[z + i], theta);
    if (before != NONE) x += (T(1) - relaxation) * arena[before + i];
    arena[to + i] = x;
  }
}

// ∂L/∂z = η δ f′(z), ∂L/∂before, and each block's sum of η δ ∂f/∂θ.
extern "C" __global__ void activate_back_NUMBER(MEMORY, unsigned z, unsigned delta, unsigned d_z, unsigned d_before,
                                                unsigned add, unsigned place, unsigned partials, unsigned count,
                                                T relaxation) {
  T theta = place == NONE ? T(0) : arena[place], sum = T(0);
  EACH(i, count) {
    T x = arena[z + i], d = arena[delta + i];
    sum += relaxation * d * by_parameter_NUMBER(x, theta);
    arena[d_z + i] = relaxation * d * by_argument_NUMBER(x, theta);
    if (d_before != NONE) arena[d_before + i] = (T(1) - relaxation) * d + (add ? arena[d_before + i] : T(0));
  }
  sum = sum_of_block(sum);
  if (threadIdx.x == 0 && partials != NONE) arena[partials + blockIdx.x] = sum;
}
