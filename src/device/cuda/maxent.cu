// The dual of maximum entropy with Skilling's entropy and quadratic priors, in f64: Newton's method of maxent/dual.rs, whose
// comments say why, for many data vectors, a block for each of them. A block goes from α to α by itself; its dual lives in shared memory.
// Threads of a block agree on every number that a branch asks for.
#define EACH(i, first, count) for (unsigned i = (first) + threadIdx.x; i < (count); i += blockDim.x)
// Not copied into its callers: the code is to stay small.
#define CALLED static __device__ __noinline__
#define EPSILON 2.220446049250313e-16

// What shared memory holds: vectors over modes, over frequencies and over the rows R of quadratic priors, a square over
// modes, and where there are rows L⁻¹Bᵀ and the band L of M = LLᵀ, M = diag(1/h) + RᵀR/α.
enum { DATA, MU, RESIDUAL, TRIAL_MU, TRIAL_RESIDUAL, STEP, FIT, INVERSE, VALUES, SLOPES = VALUES + 3, OVER_MODES = SLOPES + 3 };
enum { U, H, TRIAL_U, TRIAL_H, STEP_U, SCRATCH, OVER_FREQUENCIES };
enum { NU, ROW_RESIDUAL, TRIAL_NU, TRIAL_ROW_RESIDUAL, STEP_NU, ROW_VALUES, ROW_SLOPES = ROW_VALUES + 3, OVER_ROWS = ROW_SLOPES + 3 };
enum { CONVERGED, ROUNDING_FLOOR, FAILED };
// Status, iterations, active modes, χ², Σh, entropy, gap, N_good, ln P(α|g) of an optimum.
enum { FIGURES = 9 };
extern __shared__ double room[];

// The model, and where the dual of this block stands.
struct Dual {
  const double *rows, *columns, *sigma, *start;
  unsigned points, width, modes, stride;
  // Row i of R is `span` numbers from column `first[i]` on; column j meets rows `meets[across·j..]`. RᵀR row by row, from
  // the diagonal backwards, `span` numbers each.
  const double *row_values, *targets, *column_values, *row_gram;
  const unsigned *first, *meets;
  unsigned rows_of_priors, span, across;
  double outside, alpha;
  unsigned active, held, known[3];
  double times[3];
};

static __device__ double *over_modes(const Dual &d, unsigned which) { return room + which * d.modes; }
static __device__ double *over_frequencies(const Dual &d, unsigned which) {
  return room + OVER_MODES * d.modes + which * d.points;
}
// Below the diagonal L of the Newton matrix LLᵀ (the diagonal is the matrix's, 1/L_kk stands apart), above it columns of L⁻¹. Rows of odd length meet all banks.
static __device__ unsigned square_row(const Dual &d) { return d.modes | 1; }
static __device__ double *over_rows(const Dual &d, unsigned which) {
  return room + OVER_MODES * d.modes + OVER_FREQUENCIES * d.points + which * d.rows_of_priors;
}
static __device__ double *square(const Dual &d) { return over_rows(d, OVER_ROWS); }
static __device__ double *panel(const Dual &d) { return square(d) + d.modes * square_row(d); }
// The diagonal's inverse, then what lies before it in its row.
static __device__ double *band(const Dual &d) { return panel(d) + d.points * square_row(d); }

static __device__ double magnitude(double x) { return x < 0 ? -x : x; }
static __device__ bool is_finite(double x) { return x - x == 0; }

// Sums and least values over the block, in every thread.
CALLED double sum_of_block(double own) {
  __shared__ double part[32];
  for (unsigned half = 16; half > 0; half /= 2) own += __shfl_xor_sync(0xffffffffu, own, half);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = own;
  __syncthreads();
  double sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / 32; warp++) sum += part[warp];
  __syncthreads();
  return sum;
}
static __device__ double least_of_block(double own) {
  __shared__ double part[32];
  for (unsigned half = 16; half > 0; half /= 2) {
    double other = __shfl_xor_sync(0xffffffffu, own, half);
    own = other < own ? other : own;
  }
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = own;
  __syncthreads();
  double least = part[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; warp++) least = part[warp] < least ? part[warp] : least;
  __syncthreads();
  return least;
}

// Σh, by which gaps are measured.
static __device__ double scale(const Dual &d) {
  const double *h = over_frequencies(d, H);
  double own = 0;
  EACH(j, 0, d.points) own += h[j];
  return sum_of_block(own);
}
static __device__ double gap(const Dual &d, unsigned residual, unsigned row_residual) {
  const double *r = over_modes(d, residual), *s = over_rows(d, row_residual);
  double own = 0;
  EACH(k, 0, d.active) own += r[k] * r[k];
  EACH(i, 0, d.rows_of_priors) own += s[i] * s[i];
  return 0.5 * sum_of_block(own);
}

// Element i of R h, and element j of Rᵀν.
static __device__ double row_product(const Dual &d, const double *h, unsigned i) {
  double sum = 0;
  for (unsigned q = 0; q < d.span; q++) sum += d.row_values[i * d.span + q] * h[d.first[i] + q];
  return sum;
}
static __device__ double column_product(const Dual &d, const double *nu, unsigned j) {
  double sum = 0;
  for (unsigned q = 0; q < d.across; q++) sum += d.column_values[j * d.across + q] * nu[d.meets[j * d.across + q]];
  return sum;
}

// out = B h for the leading modes.
CALLED void apply(const Dual &d, unsigned h_, double *out, unsigned count) {
  const double *h = over_frequencies(d, h_);
  EACH(k, 0, count) {
    double sum = 0;
    for (unsigned j = 0; j < d.points; j++) sum += d.columns[j * d.stride + k] * h[j];
    out[k] = sum;
  }
  __syncthreads();
}
// Σ_k μ_k B_kj over modes first ≤ k < end.
static __device__ double transposed(const Dual &d, const double *mu, unsigned first, unsigned end, unsigned j) {
  double sum = 0;
  for (unsigned k = first; k < end; k++) sum += d.rows[k * d.width + j] * mu[k];
  return sum;
}
// h = d e^u.
static __device__ void evaluate(const Dual &d, unsigned u_, unsigned h_) {
  const double *u = over_frequencies(d, u_);
  double *h = over_frequencies(d, h_);
  EACH(j, 0, d.points) {
    double x = u[j] > 709 ? 709 : u[j];
    h[j] = d.start[j] * exp(x < -500 ? -500.0 : x);
  }
  __syncthreads();
}
// r = (Bh − g + αμ, Rh − c + αν).
CALLED void residuals(const Dual &d, unsigned h, unsigned mu_, unsigned r_, unsigned nu, unsigned s) {
  const double *mu = over_modes(d, mu_), *data = over_modes(d, DATA);
  double *r = over_modes(d, r_);
  EACH(i, 0, d.rows_of_priors)
    over_rows(d, s)[i] = row_product(d, over_frequencies(d, h), i) + d.alpha * over_rows(d, nu)[i] - d.targets[i];
  apply(d, h, r, d.active);
  EACH(k, 0, d.active) r[k] += d.alpha * mu[k] - data[k];
  __syncthreads();
}
// The trial point becomes the point.
static __device__ void take(const Dual &d) {
  EACH(k, 0, d.active) {
    over_modes(d, MU)[k] = over_modes(d, TRIAL_MU)[k];
    over_modes(d, RESIDUAL)[k] = over_modes(d, TRIAL_RESIDUAL)[k];
  }
  EACH(i, 0, d.rows_of_priors) {
    over_rows(d, NU)[i] = over_rows(d, TRIAL_NU)[i];
    over_rows(d, ROW_RESIDUAL)[i] = over_rows(d, TRIAL_ROW_RESIDUAL)[i];
  }
  EACH(j, 0, d.points) {
    over_frequencies(d, U)[j] = over_frequencies(d, TRIAL_U)[j];
    over_frequencies(d, H)[j] = over_frequencies(d, TRIAL_H)[j];
  }
  __syncthreads();
}

// L of M = LLᵀ by one thread, and L⁻¹Bᵀ, a thread for each column.
CALLED bool eliminate_rows(const Dual &d) {
  const double *h = over_frequencies(d, H);
  double *l = band(d), *z = panel(d), own = 0;
  unsigned w = d.span, row = square_row(d);
  if (threadIdx.x == 0)
    for (unsigned j = 0; j < d.points; j++) {
      unsigned before = j < w - 1 ? j : w - 1;
      double pivot = 1 / h[j] + d.row_gram[j * w] / d.alpha;
      for (unsigned k = before; k > 0; k--) {
        double sum = d.row_gram[j * w + k] / d.alpha;
        for (unsigned q = k + 1; q <= before; q++) sum -= l[j * w + q] * l[(j - k) * w + q - k];
        l[j * w + k] = sum * l[(j - k) * w];
        pivot -= l[j * w + k] * l[j * w + k];
      }
      own += !(pivot > 0 && is_finite(pivot));
      l[j * w] = 1 / sqrt(pivot);
    }
  if (sum_of_block(own) > 0) return false;
  EACH(k, 0, d.active)
    for (unsigned j = 0; j < d.points; j++) {
      unsigned before = j < w - 1 ? j : w - 1;
      double sum = d.columns[j * d.stride + k];
      for (unsigned q = 1; q <= before; q++) sum -= l[j * w + q] * z[(j - q) * row + k];
      z[j * row + k] = sum * l[j * w];
    }
  __syncthreads();
  return true;
}
// v = L⁻¹v and v = L⁻ᵀv over frequencies, by one thread.
static __device__ void forward(const Dual &d, double *v) {
  const double *l = band(d);
  unsigned w = d.span;
  if (threadIdx.x == 0)
    for (unsigned j = 0; j < d.points; j++) {
      unsigned before = j < w - 1 ? j : w - 1;
      for (unsigned q = 1; q <= before; q++) v[j] -= l[j * w + q] * v[j - q];
      v[j] *= l[j * w];
    }
  __syncthreads();
}
static __device__ void backward(const Dual &d, double *v) {
  const double *l = band(d);
  unsigned w = d.span;
  if (threadIdx.x == 0)
    for (unsigned j = d.points; j-- > 0;) {
      v[j] *= l[j * w];
      unsigned before = j < w - 1 ? j : w - 1;
      for (unsigned q = 1; q <= before; q++) v[j - q] -= l[j * w + q] * v[j];
    }
  __syncthreads();
}

// αI + BM⁻¹Bᵀ, its diagonal inflated, in tiles of 2 × 2, which may stick out to the right. Without rows M⁻¹ is diag(h).
static __device__ void gram(const Dual &d, double inflation) {
  const double *h = over_frequencies(d, H), *left = d.rows_of_priors ? panel(d) : d.columns;
  double *a = square(d);
  unsigned between = d.rows_of_priors ? square_row(d) : d.stride;
  unsigned row = square_row(d), tiles = (d.active + 1) / 2;
  EACH(tile, 0, tiles * (tiles + 1) / 2) {
    unsigned y = (unsigned)((sqrt(8.0 * tile + 1) - 1) / 2);
    while (y * (y + 1) / 2 > tile) y--;
    while ((y + 1) * (y + 2) / 2 <= tile) y++;
    unsigned i = 2 * y, k = 2 * (tile - y * (y + 1) / 2);
    double s00 = 0, s01 = 0, s10 = 0, s11 = 0;
    for (unsigned j = 0; j < d.points; j++) {
      const double *b = left + j * between;
      double weight = d.rows_of_priors ? 1 : h[j];
      double left0 = weight * b[i], left1 = weight * b[i + 1], right0 = b[k], right1 = b[k + 1];
      s00 += left0 * right0;
      s01 += left0 * right1;
      s10 += left1 * right0;
      s11 += left1 * right1;
    }
    double shift = i == k ? d.alpha : 0, factor = i == k ? inflation : 1;
    a[i * row + k] = (s00 + shift) * factor;
    if (i != k) a[i * row + k + 1] = s01;
    if (i + 1 < d.active) {
      a[(i + 1) * row + k] = s10;
      a[(i + 1) * row + k + 1] = (s11 + shift) * factor;
    }
  }
  __syncthreads();
}
// L column by column; every thread works out the pivot for itself.
static __device__ bool eliminate(const Dual &d) {
  double *a = square(d), *inverse = over_modes(d, INVERSE);
  unsigned row = square_row(d);
  for (unsigned k = 0; k < d.active; k++) {
    double pivot = a[k * row + k];
    for (unsigned m = 0; m < k; m++) pivot -= a[k * row + m] * a[k * row + m];
    if (!(pivot > 0 && is_finite(pivot))) {
      __syncthreads();
      return false;
    }
    double root = 1 / sqrt(pivot);
    EACH(i, k + 1, d.active) {
      double sum = a[i * row + k];
      for (unsigned m = 0; m < k; m++) sum -= a[i * row + m] * a[k * row + m];
      a[i * row + k] = sum * root;
    }
    if (threadIdx.x == 0) inverse[k] = root;
    __syncthreads();
  }
  return true;
}
// Factors the Newton matrix at the point, with as little added to its diagonal as makes it positive definite.
CALLED bool factor(const Dual &d) {
  if (d.rows_of_priors && !eliminate_rows(d)) return false;
  for (double jitter = 0; jitter <= 1; jitter = jitter == 0 ? 50 * EPSILON : 100 * jitter) {
    gram(d, 1 + jitter);
    if (eliminate(d)) return true;
  }
  return false;
}
// step = (LLᵀ)⁻¹ step, with FIT for what is between. What a turn reads of all threads, it does not write.
static __device__ void substitute(const Dual &d) {
  const double *a = square(d), *inverse = over_modes(d, INVERSE);
  double *b = over_modes(d, STEP), *y = over_modes(d, FIT);
  unsigned row = square_row(d);
  for (unsigned k = 0; k < d.active; k++) {
    double x = b[k] * inverse[k];
    if (threadIdx.x == 0) y[k] = x;
    EACH(i, k + 1, d.active) b[i] -= x * a[i * row + k];
    __syncthreads();
  }
  for (unsigned k = d.active; k-- > 0;) {
    double x = y[k] * inverse[k];
    if (threadIdx.x == 0) b[k] = x;
    EACH(i, 0, k) y[i] -= x * a[k * row + i];
    __syncthreads();
  }
}
// tr (LLᵀ)⁻¹ = ‖L⁻¹‖², a thread for each column.
CALLED double trace_of_inverse(const Dual &d) {
  double *a = square(d), own = 0;
  const double *inverse = over_modes(d, INVERSE);
  unsigned row = square_row(d);
  EACH(j, 0, d.active) {
    double *x = a + j * row;
    own += inverse[j] * inverse[j];
    for (unsigned i = j + 1; i < d.active; i++) {
      double sum = a[i * row + j] * inverse[j];
      for (unsigned k = j + 1; k < i; k++) sum += a[i * row + k] * x[k];
      x[i] = -sum * inverse[i];
      own += x[i] * x[i];
    }
  }
  return sum_of_block(own);
}

// du of multipliers of the modes first ≤ k < end, and of those of the rows.
CALLED void step_u(const Dual &d, unsigned mu, unsigned first, unsigned end, bool rows) {
  EACH(j, 0, d.points)
    over_frequencies(d, STEP_U)[j] =
        transposed(d, over_modes(d, mu), first, end, j) + (rows ? column_product(d, over_rows(d, STEP_NU), j) : 0);
  __syncthreads();
}
// Turns the right-hand side in (STEP, STEP_NU) into −Hessian⁻¹ of it.
CALLED void direction(const Dual &d) {
  double *a = over_modes(d, STEP), *b = over_rows(d, STEP_NU), *v = over_frequencies(d, SCRATCH);
  const double *z = panel(d);
  unsigned row = square_row(d);
  if (d.rows_of_priors) {
    EACH(j, 0, d.points) v[j] = column_product(d, b, j) / d.alpha;
    __syncthreads();
    forward(d, v);
  }
  EACH(k, 0, d.active) {
    double sum = -a[k];
    for (unsigned j = 0; d.rows_of_priors && j < d.points; j++) sum += z[j * row + k] * v[j];
    a[k] = sum;
  }
  __syncthreads();
  substitute(d);
  if (!d.rows_of_priors) return;
  EACH(j, 0, d.points) {
    double sum = -v[j];
    for (unsigned k = 0; k < d.active; k++) sum += z[j * row + k] * a[k];
    v[j] = sum;
  }
  __syncthreads();
  backward(d, v);
  EACH(i, 0, d.rows_of_priors) b[i] = -(b[i] + row_product(d, v, i)) / d.alpha;
  __syncthreads();
}
static __device__ double slope(const Dual &d, unsigned residual, unsigned row_residual) {
  const double *r = over_modes(d, residual), *s = over_rows(d, row_residual);
  double own = 0;
  EACH(k, 0, d.active) own += r[k] * over_modes(d, STEP)[k];
  EACH(i, 0, d.rows_of_priors) own += s[i] * over_rows(d, STEP_NU)[i];
  return sum_of_block(own);
}
// The trial point at point + t·step; the derivative of the dual along the step there.
CALLED double advance(const Dual &d, double t) {
  EACH(k, 0, d.active) over_modes(d, TRIAL_MU)[k] = over_modes(d, MU)[k] + t * over_modes(d, STEP)[k];
  EACH(i, 0, d.rows_of_priors) over_rows(d, TRIAL_NU)[i] = over_rows(d, NU)[i] + t * over_rows(d, STEP_NU)[i];
  EACH(j, 0, d.points)
    over_frequencies(d, TRIAL_U)[j] = over_frequencies(d, U)[j] + t * over_frequencies(d, STEP_U)[j];
  __syncthreads();
  evaluate(d, TRIAL_U, TRIAL_H);
  residuals(d, TRIAL_H, TRIAL_MU, TRIAL_RESIDUAL, TRIAL_NU, TRIAL_ROW_RESIDUAL);
  return slope(d, TRIAL_RESIDUAL, TRIAL_ROW_RESIDUAL);
}
// How far along the step no exponent exceeds 50.
CALLED double step_limit(const Dual &d) {
  const double *u = over_frequencies(d, U), *du = over_frequencies(d, STEP_U);
  double own = 1;
  EACH(j, 0, d.points)
    if (u[j] + du[j] > 50 && du[j] > 0) {
      double t = u[j] < 49 ? (50 - u[j]) / du[j] : 1 / du[j];
      own = t < own ? t : own;
    }
  return least_of_block(own);
}

// Hermite's polynomials of `order` points at t, for value and slope of point i.
static __device__ void hermite(const Dual &d, unsigned order, unsigned i, double t, double &value, double &slope) {
  double l = 1, derivative = 0;
  for (unsigned j = 0; j < order; j++)
    if (j != i) {
      double distance = d.times[i] - d.times[j];
      l *= (t - d.times[j]) / distance;
      derivative += 1 / distance;
    }
  double from = t - d.times[i];
  value = (1 - 2 * from * derivative) * l * l;
  slope = from * l * l;
}
// Puts the point of one multiplier before those held, whose places are `between` apart; its step begins as what leads to 0.
static __device__ void hold(const Dual &d, double *values, double *slopes, unsigned between, double value, double &step) {
  for (unsigned i = 2; i > 0; i--) {
    values[i * between] = values[(i - 1) * between];
    slopes[i * between] = slopes[(i - 1) * between];
  }
  values[0] = value;
  slopes[0] = d.alpha * step;
  step = -value;
}
// Continues (μ, ν)(ln α) to another α; each mode from the points at which it is known.
static __device__ void predict(Dual &d, double alpha) {
  const double *mu = over_modes(d, MU), *nu = over_rows(d, NU);
  double *step = over_modes(d, STEP), *step_nu = over_rows(d, STEP_NU), t = log(alpha);
  EACH(k, 0, d.active) step[k] = mu[k];
  EACH(i, 0, d.rows_of_priors) step_nu[i] = nu[i];
  __syncthreads();
  direction(d);
  for (unsigned i = 2; i > 0; i--) d.times[i] = d.times[i - 1], d.known[i] = d.known[i - 1];
  d.times[0] = log(d.alpha);
  d.known[0] = d.active;
  d.held = d.held < 3 ? d.held + 1 : 3;
  EACH(k, 0, d.active) hold(d, over_modes(d, VALUES) + k, over_modes(d, SLOPES) + k, d.modes, mu[k], step[k]);
  EACH(i, 0, d.rows_of_priors)
    hold(d, over_rows(d, ROW_VALUES) + i, over_rows(d, ROW_SLOPES) + i, d.rows_of_priors, nu[i], step_nu[i]);
  unsigned done = 0;
  for (unsigned order = d.held; order > 0; order--) {
    unsigned end = d.known[order - 1];
    for (unsigned i = 0; i < order; i++) {
      double value, slope;
      hermite(d, order, i, t, value, slope);
      EACH(k, 0, end)
        if (k >= done) step[k] += value * over_modes(d, VALUES + i)[k] + slope * over_modes(d, SLOPES + i)[k];
      if (order == d.held)
        EACH(r, 0, d.rows_of_priors)
          step_nu[r] += value * over_rows(d, ROW_VALUES + i)[r] + slope * over_rows(d, ROW_SLOPES + i)[r];
    }
    done = end > done ? end : done;
  }
  __syncthreads();
  step_u(d, STEP, 0, d.active, true);
  advance(d, 1);
  double size = scale(d), own = 0;
  EACH(j, 0, d.points) own += magnitude(over_frequencies(d, H)[j] - over_frequencies(d, TRIAL_H)[j]);
  if (sum_of_block(own) <= 0.3 * size) take(d);
}

// Takes in the modes that matter at this α and cut, with the multipliers that leave them without residual.
static __device__ void activate(Dual &d, double cut) {
  double size = scale(d), own = 0;
  EACH(k, 0, d.modes) own += d.sigma[k] * d.sigma[k] * size >= cut * d.alpha;
  unsigned wanted = (unsigned)sum_of_block(own);
  wanted = wanted < 1 ? 1 : wanted;
  if (wanted > d.active) {
    double *mu = over_modes(d, MU), *fit = over_modes(d, FIT);
    apply(d, H, fit, wanted);
    EACH(k, d.active, wanted) mu[k] = (over_modes(d, DATA)[k] - fit[k]) / d.alpha;
    __syncthreads();
    step_u(d, MU, d.active, wanted, false);
    double *u = over_frequencies(d, U), *du = over_frequencies(d, STEP_U), large = 0;
    EACH(j, 0, d.points) large += !(magnitude(du[j]) < 1);
    bool small = sum_of_block(large) == 0 && step_limit(d) >= 1;
    if (small) {
      EACH(j, 0, d.points) u[j] += du[j];
      __syncthreads();
      evaluate(d, U, H);
    } else {
      EACH(k, d.active, wanted) mu[k] = 0;
      __syncthreads();
    }
    d.active = wanted;
  }
  residuals(d, H, MU, RESIDUAL, NU, ROW_RESIDUAL);
}

// The trial point where the derivative along the step has come down to half of what it was, or beyond.
static __device__ bool search_along_step(const Dual &d) {
  double at = slope(d, RESIDUAL, ROW_RESIDUAL), t = step_limit(d);
  for (unsigned i = 0; i < 30; i++) {
    double trial = advance(d, t);
    if (is_finite(trial) && trial <= 0.5 * magnitude(at)) return true;
    double secant = at / (at - trial), own = t;
    double cut = secant > 0.1 ? (secant < 0.5 ? secant : 0.5) : 0.1;
    EACH(j, 0, d.points) {
      double du = over_frequencies(d, STEP_U)[j];
      double excess = du * (over_frequencies(d, TRIAL_H)[j] - over_frequencies(d, H)[j]) / magnitude(at);
      if (excess > 1 && du > 0) {
        double back = t - log(4 * excess) / du;
        own = back < own ? back : own;
      }
    }
    double longest = least_of_block(own);
    t = longest < t && longest > 0.1 * t ? longest : t * cut;
  }
  return false;
}

// Newton steps until ½‖r‖² ≤ tolerance·α·Σh over the active modes.
static __device__ unsigned newton(const Dual &d, double tolerance, unsigned &iterations, unsigned max_iterations) {
  unsigned stalled = 0;
  double before = 0;
  for (;;) {
    double now = gap(d, RESIDUAL, ROW_RESIDUAL), size = d.alpha * scale(d);
    if (now <= tolerance * size) return CONVERGED;
    bool near = now <= sqrt(EPSILON) * size;
    unsigned stuck = near ? ROUNDING_FLOOR : FAILED;
    if (stalled == 2) return stuck;
    if (iterations == max_iterations || !is_finite(now)) return FAILED;
    // A step with the old matrix will do where convergence in the ratio of the last two gaps does.
    bool will_do = 30 * now * now <= before * tolerance * size;
    before = will_do ? 0 : now;
    if (!will_do && !factor(d)) return FAILED;
    iterations++;
    EACH(k, 0, d.active) over_modes(d, STEP)[k] = over_modes(d, RESIDUAL)[k];
    EACH(i, 0, d.rows_of_priors) over_rows(d, STEP_NU)[i] = over_rows(d, ROW_RESIDUAL)[i];
    __syncthreads();
    direction(d);
    step_u(d, STEP, 0, d.active, true);
    bool accepted = search_along_step(d);
    double trial = gap(d, TRIAL_RESIDUAL, TRIAL_ROW_RESIDUAL);
    if (!accepted || !is_finite(trial)) return stuck;
    if (near && trial >= 0.3 * now) {
      stalled++;
      if (trial >= now) continue;
    } else {
      stalled = 0;
    }
    take(d);
  }
}

// e^x − 1 − x.
static __device__ double excess(double x) {
  if (magnitude(x) >= 1e-2) return expm1(x) - x;
  double series = 1;
  for (double k = 7; k >= 3; k--) series = 1 + x / k * series;
  return 0.5 * x * x * series;
}
// The gap over all modes, and χ².
CALLED double certify(const Dual &d, double &chi2) {
  double *fit = over_modes(d, FIT), own = 0;
  apply(d, H, fit, d.modes);
  EACH(k, 0, d.modes) {
    double rest = over_modes(d, DATA)[k] - fit[k];
    own += rest * rest;
    fit[k] = k < d.active ? over_modes(d, MU)[k] : rest / d.alpha;
  }
  chi2 = d.outside + sum_of_block(own);
  own = 0;
  EACH(j, 0, d.points) {
    double u = transposed(d, fit, 0, d.modes, j) + column_product(d, over_rows(d, NU), j);
    own += over_frequencies(d, H)[j] * excess(u - over_frequencies(d, U)[j]);
  }
  return gap(d, RESIDUAL, ROW_RESIDUAL) + d.alpha * sum_of_block(own);
}

// Moves to the optimum at the α that is set, and writes how it went. Where that is well, L is that of the optimum.
static __device__ bool solve(Dual &d, double tolerance, unsigned max_iterations, double *figures) {
  double cut = 1e-12, chi2, bound, size;
  unsigned iterations = 0, status;
  for (;;) {
    activate(d, cut);
    status = newton(d, 0.5 * tolerance, iterations, max_iterations);
    bound = certify(d, chi2);
    size = scale(d);
    if (bound <= tolerance * d.alpha * size) {
      status = CONVERGED;
      break;
    }
    if (status == CONVERGED && d.active < d.modes) {
      cut *= 1e-3;
      continue;
    }
    if (status == CONVERGED) status = ROUNDING_FLOOR;
    break;
  }
  if (status == FAILED || !is_finite(bound) || !factor(d)) status = FAILED;
  double own = 0, value = 0, square = 0, trace = status == FAILED ? 0 : trace_of_inverse(d);
  EACH(k, 0, d.active) own += log(over_modes(d, INVERSE)[k]);
  // det ∇²φ/det M.
  if (d.rows_of_priors) EACH(j, 0, d.points) own += log(band(d)[j * d.span] / sqrt(over_frequencies(d, H)[j]));
  EACH(i, 0, d.rows_of_priors) {
    double miss = row_product(d, over_frequencies(d, H), i) - d.targets[i];
    square += 0.5 * miss * miss;
  }
  EACH(j, 0, d.points) {
    double h = over_frequencies(d, H)[j], start = d.start[j], x = (h - start) / start;
    value += h <= 0 ? start : h * (magnitude(x) < 0.5 ? log1p(x) : log(h / start)) - (h - start);
  }
  double log_root = sum_of_block(own), divergence = sum_of_block(value), quadratic = sum_of_block(square);
  if (threadIdx.x == 0) {
    figures[0] = status;
    figures[1] = iterations;
    figures[2] = d.active;
    figures[3] = chi2;
    figures[4] = size;
    figures[5] = -divergence;
    figures[6] = bound;
    figures[7] = d.active - d.alpha * trace;
    figures[8] = 0.5 * d.active * log(d.alpha) + log_root - 0.5 * chi2 - d.alpha * divergence - quadratic;
  }
  return status != FAILED;
}

// State: α, active modes, μ, ν, u.
static __device__ void load(Dual &d, const double *state) {
  d.alpha = state[0];
  d.active = (unsigned)state[1];
  EACH(k, 0, d.modes) over_modes(d, MU)[k] = state[2 + k];
  EACH(i, 0, d.rows_of_priors) over_rows(d, NU)[i] = state[2 + d.modes + i];
  EACH(j, 0, d.points) over_frequencies(d, U)[j] = state[2 + d.modes + d.rows_of_priors + j];
}
static __device__ void save(const Dual &d, double *state) {
  if (threadIdx.x == 0) state[0] = d.alpha, state[1] = d.active;
  EACH(k, 0, d.modes) state[2 + k] = over_modes(d, MU)[k];
  EACH(i, 0, d.rows_of_priors) state[2 + d.modes + i] = over_rows(d, NU)[i];
  EACH(j, 0, d.width) state[2 + d.modes + d.rows_of_priors + j] = j < d.points ? over_frequencies(d, U)[j] : 0;
}

// A block for every task: a data vector, and the saved state to begin at, or none. It visits `steps` α in turn and ends
// early at one that it does not get to. Weights are not written where there is no room for them.
extern "C" __global__ void maxent(const double *rows, const double *columns, const double *sigma, const double *start,
                                  const double *row_values, const double *targets, const double *column_values,
                                  const double *row_gram, const unsigned *first, const unsigned *meets,
                                  const double *data, const unsigned *tasks, const double *begin, const double *alphas,
                                  double *figures, double *states, double *weights, unsigned points, unsigned width,
                                  unsigned modes, unsigned stride, unsigned rows_of_priors, unsigned span, unsigned across,
                                  unsigned steps, unsigned shared_alphas, unsigned max_iterations, double tolerance) {
  size_t problem = tasks[2 * blockIdx.x], from = tasks[2 * blockIdx.x + 1], state = 2 + modes + rows_of_priors + width;
  Dual d = {rows,          columns,  sigma, start, points, width,          modes, stride, row_values, targets,
            column_values, row_gram, first, meets, rows_of_priors, span, across, data[problem * (modes + 1) + modes]};
  EACH(k, 0, modes) {
    over_modes(d, DATA)[k] = data[problem * (modes + 1) + k];
    over_modes(d, MU)[k] = 0;
  }
  EACH(i, 0, rows_of_priors) over_rows(d, NU)[i] = 0;
  EACH(j, 0, points) over_frequencies(d, U)[j] = 0;
  if (from != 0xffffffffu) load(d, begin + from * state);
  __syncthreads();
  evaluate(d, U, H);
  bool factored = false;
  for (unsigned i = 0; i < steps; i++) {
    size_t result = (size_t)blockIdx.x * steps + i;
    double alpha = alphas[shared_alphas ? i : result];
    if (factored) predict(d, alpha);
    d.alpha = alpha;
    factored = solve(d, tolerance, max_iterations, figures + result * FIGURES);
    save(d, states + result * state);
    if (weights) EACH(j, 0, points) weights[result * points + j] = over_frequencies(d, H)[j];
    if (!factored) return;
  }
}
