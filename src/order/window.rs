//! A sliding window over the input, from the oldest line without a record to the newest line admitted.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use super::Order;
use crate::model::Record;

/// The jobs admitted and not yet written.
#[derive(Debug)]
pub(crate) struct Window {
    order: Order,
    limit: usize,
    /// Index of the line that the next job gets.
    end: u64,
    /// Records given out.
    written: u64,
    /// In input order, one slot for each line from the oldest unwritten one on; else the records that can be written.
    slots: VecDeque<Option<Box<Record>>>,
}

impl Window {
    pub(crate) fn new(order: Order, limit: NonZeroUsize) -> Self {
        Self { order, limit: limit.get(), end: 0, written: 0, slots: VecDeque::new() }
    }

    /// Whether another line may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.admitted() - self.written < u64::try_from(self.limit).unwrap_or(u64::MAX)
    }

    /// Takes in the next line of the input, and gives its index.
    pub(crate) fn admit(&mut self) -> u64 {
        let index = self.end;
        self.end += 1;
        if self.order == Order::Input {
            self.slots.push_back(None);
        }
        index
    }

    /// Takes the record of an admitted line.
    pub(crate) fn put(&mut self, record: Box<Record>) {
        match self.order {
            Order::Completion => self.slots.push_back(Some(record)),
            Order::Input => {
                let slot = usize::try_from(record.index - self.written).expect("the window fits into memory");
                debug_assert!(self.slots[slot].is_none(), "line {} has two records", record.index);
                self.slots[slot] = Some(record);
            }
        }
    }

    /// The next record to write, if it is there.
    pub(crate) fn pop(&mut self) -> Option<Box<Record>> {
        let record = self.slots.front_mut()?.take()?;
        self.slots.pop_front();
        self.written += 1;
        Some(record)
    }

    /// Forgets `count` lines that were admitted and will have no record; in input order they must be the newest.
    pub(crate) fn forget(&mut self, count: u64) {
        self.end -= count;
        if self.order == Order::Input {
            let kept = self.end - self.written;
            self.slots.truncate(usize::try_from(kept).expect("the window fits into memory"));
        }
    }

    /// The index from which on no line has a record or is one of the `started`. Every line before it has to have a
    /// record for the output to be a whole beginning of the input; by completion, none has to.
    pub(crate) fn end_of_records(&self, started: impl Iterator<Item = u64>) -> u64 {
        if self.order == Order::Completion {
            return 0;
        }
        let newest = self.slots.iter().rposition(Option::is_some).map_or(0, |slot| slot as u64 + 1);
        started.map(|index| index + 1).max().unwrap_or(0).max(self.written + newest)
    }

    /// Lines admitted.
    pub(crate) fn admitted(&self) -> u64 {
        self.end
    }

    /// Records given out.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(index: u64) -> Box<Record> {
        Box::new(Record { index, ..Record::default() })
    }

    fn window(order: Order, limit: usize) -> Window {
        Window::new(order, NonZeroUsize::new(limit).expect("not zero"))
    }

    #[test]
    fn it_has_room_again_when_the_oldest_record_is_written() {
        let mut window = window(Order::Input, 2);
        assert_eq!((window.admit(), window.admit(), window.has_room()), (0, 1, false));
        window.put(record(1));
        assert!(window.pop().is_none() && !window.has_room());
        window.put(record(0));
        assert_eq!(window.pop().map(|record| record.index), Some(0));
        assert!(window.has_room());
    }

    #[test]
    fn by_completion_nothing_waits_for_an_older_line() {
        let mut window = window(Order::Completion, 10);
        window.admit();
        window.admit();
        window.put(record(1));
        assert_eq!(window.pop().map(|record| record.index), Some(1));
    }

    #[test]
    fn forgotten_lines_do_not_hold_up_the_end() {
        let mut window = window(Order::Input, 10);
        assert_eq!((0..4).map(|_| window.admit()).last(), Some(3));
        window.put(record(0));
        assert_eq!((window.end_of_records([].into_iter()), window.end_of_records([2].into_iter())), (1, 3));
        window.forget(3);
        assert_eq!((window.pop().map(|record| record.index), window.admitted(), window.written()), (Some(0), 1, 1));
    }

    proptest! {
        #[test]
        fn records_come_out_in_input_order_whatever_finishes_when(order in Just((0..50_u64).collect::<Vec<_>>()).prop_shuffle()) {
            let mut window = window(Order::Input, 50);
            prop_assert_eq!((0..50).map(|_| window.admit()).last(), Some(49));
            let mut out = Vec::new();
            for index in order {
                window.put(record(index));
                out.extend(std::iter::from_fn(|| window.pop()).map(|record| record.index));
            }
            prop_assert_eq!(out, (0..50).collect::<Vec<_>>());
        }
    }
}
