//! What the rest of the crate builds on communicators; what they must do themselves is in `tests/ranks.rs`.

use super::*;
use crate::test_support::on_ranks;
use nalgebra::DMatrix;

fn columns<T: Real>(communicator: &impl Communicator<T>) {
    let root = communicator.rank() == 0;
    for (rows, columns, block) in [(3, 17, 1), (2, 9, 4), (5, 1, 1), (0, 4, 1), (4, 0, 2)] {
        let all = DMatrix::from_fn(rows, columns, |i, j| T::lit((i + 10 * j) as f64));
        let given = if root { all.clone() } else { DMatrix::zeros(0, 0) };
        let (own, count) = scatter_columns(communicator, &given, rows, block).unwrap();
        let range = share(columns, block, communicator.rank(), communicator.size());
        assert_eq!((own.clone(), count), (all.columns(range.start, range.len()).into(), columns));
        let gathered = gather_columns(communicator, own, columns, block).unwrap();
        assert_eq!(gathered, root.then_some(all));
    }
}

#[test]
fn columns_are_dealt_out_and_collected() {
    columns::<f64>(&Alone);
    for size in 1..=9 {
        on_ranks::<f32, _>(size, |rank| columns(&rank));
        on_ranks::<f64, _>(size, |rank| columns(&&rank));
    }
}

#[test]
fn shares_are_equal_and_leave_nothing_out() {
    for (count, block, size) in [(256, 1, 3), (2, 1, 4), (100, 8, 3), (0, 8, 2), (17, 8, 4)] {
        let shares: Vec<_> = (0..size).map(|rank| share(count, block, rank, size)).collect();
        assert_eq!((shares[0].start, shares[size - 1].end), (0, count));
        assert!(shares.windows(2).all(|w| w[0].end == w[1].start));
        assert!(shares.iter().all(|s| s.start % block == 0 || s.is_empty()));
        let lengths = shares.iter().map(|s| s.len());
        assert!(lengths.clone().max().unwrap() < lengths.min().unwrap() + 2 * block);
    }
}

#[test]
fn a_rank_that_has_ended_is_an_error_of_the_others() {
    let outcomes = on_ranks::<f64, _>(4, |rank| match rank.rank() {
        2 => Ok(()),
        _ => rank.all_reduce_sum(&[1.0], &mut [0.0]),
    });
    for (rank, outcome) in outcomes.into_iter().enumerate() {
        // Rank 3 hands its number to rank 2, which has ended or not by then, and waits for the sum.
        assert_eq!(outcome.is_err(), rank != 2, "{rank}: {outcome:?}");
        if let Err(e) = outcome {
            assert!(matches!(e, Error::OtherRank { .. }), "{e}");
        }
    }
}

#[test]
fn an_error_of_one_rank_is_one_of_all() {
    let refused = Error::Empty { argument: "samples", expected: 1 };
    for culprit in 0..3 {
        let outcomes = on_ranks::<f32, _>(3, |rank| {
            agree(&rank, if rank.rank() == culprit { Err(refused.clone()) } else { Ok(7) })
        });
        for (rank, outcome) in outcomes.into_iter().enumerate() {
            let e = outcome.unwrap_err();
            if rank == culprit {
                assert_eq!(e, refused);
            } else {
                assert!(matches!(e, Error::OtherRank { rank, .. } if rank == culprit), "{e}");
            }
        }
    }
    assert!(on_ranks::<f32, _>(3, |rank| agree(&rank, Ok(7))).iter().all(|v| *v == Ok(7)));
}

#[test]
fn a_message_of_another_length_is_refused() {
    let outcomes = on_ranks::<f64, _>(2, |rank| match rank.rank() {
        0 => rank.send(1, &[1.0, 2.0]),
        _ => rank.receive(0, &mut [0.0]),
    });
    assert!(outcomes[0].is_ok());
    assert!(matches!(outcomes[1], Err(Error::LengthMismatch { argument: "values", .. })));
}
