"""Reference values of the kernels, from their definitions in 50-digit arithmetic (mpmath).

    python3 kernel_reference.py > kernel_reference.txt

Each line: kernel, beta, x, omega, Re K, Im K. Inputs are printed so that they read back as the very
binary numbers used here (all but one of the times, beta (1 - 2^-44), are exact in single precision too);
values have 20 digits. The formulas are those of the definitions, with no rearrangement: at 50 digits
beyond the exponents neither cancellation nor overflow matters.
"""

import struct

import mpmath
from mpmath import mp, mpc, mpf

mp.dps = 50


def single(v):
    """v rounded to single precision."""
    return struct.unpack("f", struct.pack("f", v))[0]


MAGNITUDES = [1e-8, 1e-3, 1.0, 30.0, 800.0, 1e4, 1e6]  # of beta * omega
BETAS = [1.0, 37.5]


def frequencies(beta):
    positive = [single(m / beta) for m in MAGNITUDES]
    return [-w for w in reversed(positive)] + [0.0] + positive


def times(beta):
    return [0.0, beta * 2.0**-20, beta / 2, beta * (1 - 2.0**-16), beta * (1 - 2.0**-44), beta]


def matsubara(beta, odd):
    return [single(float((2 * n + odd) * mp.pi / beta)) for n in (-3, 0, 1, 500)]


def fermion_time(beta, tau, w):
    return mp.exp(-tau * w) / (1 + mp.exp(-beta * w))


def boson_time(beta, tau, w):
    return 1 / beta if w == 0 else w * mp.exp(-tau * w) / (1 - mp.exp(-beta * w))


def fermion_matsubara(beta, wn, w):
    return 1 / (mpc(0, wn) - w)


def boson_matsubara(beta, nu, w):
    return mpf(-1) if nu == 0 else w / (mpc(0, nu) - w)


KERNELS = {
    "fermion-time": (times, fermion_time, False),
    "fermion-time-symmetric": (
        times,
        lambda b, t, w: fermion_time(b, t, w) + fermion_time(b, t, -w),
        True,
    ),
    "fermion-matsubara": (lambda b: matsubara(b, 1), fermion_matsubara, False),
    "fermion-matsubara-symmetric": (
        lambda b: matsubara(b, 1),
        lambda b, x, w: fermion_matsubara(b, x, w) + fermion_matsubara(b, x, -w),
        True,
    ),
    "boson-time": (times, boson_time, False),
    "boson-time-symmetric": (
        times,
        lambda b, t, w: (boson_time(b, t, w) + boson_time(b, b - t, w)) / 2,
        True,
    ),
    "boson-matsubara": (lambda b: matsubara(b, 0), boson_matsubara, False),
    "boson-matsubara-symmetric": (
        lambda b: matsubara(b, 0),
        lambda b, x, w: mpf(1) if x == 0 else w**2 / (x**2 + w**2),
        True,
    ),
    "laplace": (times, lambda b, t, w: mp.exp(-t * w), True),
}


def main():
    print(f"# kernel_reference.py, mpmath {mpmath.__version__}, {mp.dps} digits")
    print("# kernel beta x omega re im")
    for name, (axis, formula, half_line) in KERNELS.items():
        for beta in BETAS:
            for x in axis(beta):
                for w in frequencies(beta):
                    if half_line and w < 0:
                        continue
                    k = mpc(formula(mpf(beta), mpf(x), mpf(w)))
                    re, im = (mp.nstr(v, 20, min_fixed=0, max_fixed=0) for v in (k.real, k.imag))
                    print(name, repr(beta), repr(x), repr(w), re, im)


if __name__ == "__main__":
    main()
