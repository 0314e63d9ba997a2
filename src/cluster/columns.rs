//! The columns of a matrix, dealt out to the ranks and collected again.

use super::{Communicator, digits, share};
use crate::error::Result;
use crate::real::Real;
use nalgebra::DMatrix;

/// The share of every rank of the columns of `all`, which only rank 0 needs to have: contiguous, in whole
/// blocks of `block` columns. Also the number of all columns.
///
/// Every rank knows the number of rows.
pub(crate) fn scatter_columns<T, C>(
    communicator: &C,
    all: &DMatrix<T>,
    rows: usize,
    block: usize,
) -> Result<(DMatrix<T>, usize)>
where
    T: Real,
    C: Communicator<T> + ?Sized,
{
    let (rank, size) = (communicator.rank(), communicator.size());
    let mut columns = digits(all.ncols() as u64);
    communicator.broadcast(0, &mut columns)?;
    let columns = columns.iter().rev().fold(0, |n, digit| (n << 16) | digit.as_f64() as usize);
    let mine = share(columns, block, rank, size);
    if rank > 0 {
        let mut own = DMatrix::zeros(rows, mine.len());
        if !own.is_empty() {
            communicator.receive(0, own.as_mut_slice())?;
        }
        return Ok((own, columns));
    }
    for other in 1..size {
        let share = share(columns, block, other, size);
        if rows > 0 && !share.is_empty() {
            communicator.send(other, &all.as_slice()[share.start * rows..share.end * rows])?;
        }
    }
    Ok((all.columns(mine.start, mine.len()).into_owned(), columns))
}

/// All columns on rank 0, from shares as [`scatter_columns`] makes them; elsewhere `None`.
pub(crate) fn gather_columns<T, C>(
    communicator: &C,
    own: DMatrix<T>,
    columns: usize,
    block: usize,
) -> Result<Option<DMatrix<T>>>
where
    T: Real,
    C: Communicator<T> + ?Sized,
{
    let (rank, size, rows) = (communicator.rank(), communicator.size(), own.nrows());
    if rank > 0 {
        if !own.is_empty() {
            communicator.send(0, own.as_slice())?;
        }
        return Ok(None);
    }
    let mut all = own.resize_horizontally(columns, T::zero());
    for other in 1..size {
        let share = share(columns, block, other, size);
        if rows > 0 && !share.is_empty() {
            let place = &mut all.as_mut_slice()[share.start * rows..share.end * rows];
            communicator.receive(other, place)?;
        }
    }
    Ok(Some(all))
}
