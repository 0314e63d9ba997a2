//! The one room with `unsafe`: calls of functions compiled for instruction sets detected at run time,
//! and the raw-pointer matrix product behind bounds-checked views.
#![allow(unsafe_code)]

mod gemm;
mod product;
mod register;
mod simd;
mod transpose;

pub(crate) use gemm::{MatMut, MatRef, gemm, gemm_scaled};
pub(crate) use simd::{Vectorise, dispatch, has_fused_multiply_add, has_wide_gather, vectorised};
pub(crate) use transpose::columns_from;
