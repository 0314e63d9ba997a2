//! Which form of the data a solver fits.

use crate::problem::{ForwardModel, Problem};
use crate::real::Real;
use nalgebra::DMatrix;
use std::borrow::Cow;

/// Which form of the data a solver fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataView {
    /// The data as measured: ½‖g − K a‖². \[LO\]'s choice; noise does not enter.
    #[default]
    Raw,
    /// The whitened data: ½χ².
    Whitened,
}

impl DataView {
    /// The kernel of this view.
    pub(super) fn kernel<T: Real>(self, model: &ForwardModel<T>) -> &DMatrix<T> {
        match self {
            DataView::Raw => model.kernel(),
            DataView::Whitened => model.whitened_kernel(),
        }
    }

    /// The data of a problem in this view.
    pub(super) fn data<T: Real>(self, problem: &Problem<T>) -> &[T] {
        match self {
            DataView::Raw => problem.data(),
            DataView::Whitened => problem.whitened_data(),
        }
    }

    /// Raw data, one vector a column, in this view.
    pub(super) fn columns<'a, T: Real>(
        self,
        model: &ForwardModel<T>,
        data: &'a DMatrix<T>,
    ) -> Cow<'a, DMatrix<T>> {
        match self {
            DataView::Raw => Cow::Borrowed(data),
            DataView::Whitened => Cow::Owned(model.whitening().apply_matrix(data)),
        }
    }
}
