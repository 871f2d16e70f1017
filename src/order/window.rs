//! A sliding window over the input, from the oldest line without a record to the newest line admitted.

use std::collections::VecDeque;

use super::spill::{Spill, Spilled};
use super::{Order, WindowLimits};
use crate::model::{Failure, FailureKind, Record, weight};

/// So many bytes of lines are read ahead whatever the limit of memory.
const LEAST_READ_AHEAD: u64 = 8 << 20;

/// The jobs admitted and not yet written.
#[derive(Debug)]
pub(crate) struct Window {
    order: Order,
    limits: WindowLimits,
    /// Index of the line that the next job gets.
    end: u64,
    /// Records taken.
    finished: u64,
    /// Records given out.
    written: u64,
    /// In input order, one slot for each line from the oldest unwritten one on; else the records that can be written.
    slots: VecDeque<Slot>,
    /// Bytes of the records in the slots.
    held: u64,
    spill: Spill,
    /// Whether the disk has refused a record since memory was last within its budget.
    is_disk_full: bool,
    /// Whether it was ever said that it did.
    is_refusal_told: bool,
}

#[derive(Debug)]
enum Slot {
    Awaited,
    /// With its weight.
    Held(Box<Record>, u64),
    Spilled(Spilled),
}

impl Window {
    pub(crate) fn new(order: Order, limits: WindowLimits) -> Self {
        Self {
            order,
            limits,
            end: 0,
            finished: 0,
            written: 0,
            slots: VecDeque::new(),
            held: 0,
            spill: Spill::new(limits.disk),
            is_disk_full: false,
            is_refusal_told: false,
        }
    }

    /// Whether another line may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.admitted() - self.written < self.limits.records.get() && !self.is_exhausted()
    }

    /// About how many bytes of lines that were read may wait for their turn: as many as of finished records, but never too
    /// few to keep the pool busy.
    pub(crate) fn read_ahead_bytes(&self) -> u64 {
        self.limits.memory.max(LEAST_READ_AHEAD)
    }

    /// Whether neither memory nor disk takes another record. Then only the oldest unwritten line may go on.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.is_disk_full
    }

    /// Takes in the next line of the input, and gives its index.
    pub(crate) fn admit(&mut self) -> u64 {
        let index = self.end;
        self.end += 1;
        if self.order == Order::Input {
            self.slots.push_back(Slot::Awaited);
        }
        index
    }

    /// Takes the record of an admitted line.
    pub(crate) fn put(&mut self, record: Box<Record>) {
        let place = match self.order {
            Order::Completion => {
                self.slots.push_back(Slot::Awaited);
                self.slots.len() - 1
            }
            Order::Input => usize::try_from(record.index - self.written).expect("the window fits into memory"),
        };
        debug_assert!(matches!(self.slots[place], Slot::Awaited), "line {} has two records", record.index);
        self.slots[place] = self.keep(record, place == 0);
        self.finished += 1;
    }

    /// The next record to write, if it is there.
    pub(crate) fn pop(&mut self) -> Option<Box<Record>> {
        let record = match self.slots.front_mut()? {
            Slot::Awaited => return None,
            slot => match std::mem::replace(slot, Slot::Awaited) {
                Slot::Held(record, weight) => {
                    self.held -= weight;
                    record
                }
                Slot::Spilled(spilled) => self.read_back(spilled),
                Slot::Awaited => unreachable!("it has just been looked at"),
            },
        };
        self.slots.pop_front();
        self.written += 1;
        self.is_disk_full &= self.held > self.limits.memory;
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
        let newest = self.slots.iter().rposition(|slot| !matches!(slot, Slot::Awaited));
        let newest = newest.map_or(0, |place| place as u64 + 1);
        started.map(|index| index + 1).max().unwrap_or(0).max(self.written + newest)
    }

    /// Lines admitted.
    pub(crate) fn admitted(&self) -> u64 {
        self.end
    }

    /// Records taken, given out or not.
    pub(crate) fn finished(&self) -> u64 {
        self.finished
    }

    /// Records given out; in input order, the index of the oldest unwritten line.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Holds a record in memory, or writes it away if memory is used up and it cannot be written out next.
    fn keep(&mut self, record: Box<Record>, is_next: bool) -> Slot {
        let weight = weight::of_record(&record);
        if self.held + weight > self.limits.memory && !is_next {
            match self.spill.write(&record) {
                Ok(spilled) => return Slot::Spilled(spilled),
                Err(error) => {
                    if !std::mem::replace(&mut self.is_refusal_told, true) {
                        tracing::warn!(
                            %error,
                            "temporary files (TMPDIR) take no more records: reading pauses while --memory is used up"
                        );
                    }
                    self.is_disk_full = true;
                }
            }
        }
        self.held += weight;
        Slot::Held(record, weight)
    }

    /// Reads a record back. That it cannot be read is a fault of the disk, and is told in its place.
    fn read_back(&mut self, spilled: Spilled) -> Box<Record> {
        Box::new(self.spill.read(spilled).unwrap_or_else(|error| {
            let message = format!("the record could not be read back from its temporary file: {error}");
            tracing::error!("{message}");
            let failure = Failure::new(FailureKind::InternalError, message);
            Record { index: self.written, error: Some(failure), ..Record::default() }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use proptest::prelude::*;

    use super::*;

    fn record(index: u64) -> Box<Record> {
        Box::new(Record { index, ..Record::default() })
    }

    fn window(order: Order, limit: u64) -> Window {
        Window::new(
            order,
            WindowLimits {
                records: NonZeroU64::new(limit).expect("not zero"),
                memory: 1 << 20,
                ..WindowLimits::default()
            },
        )
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

    #[test]
    fn what_memory_does_not_hold_comes_back_from_disk_in_order() {
        let mut window = window(Order::Input, 100);
        let large = |index| Box::new(Record { body: Some("x".repeat(100_000)), ..*record(index) });
        assert_eq!((0..50).map(|_| window.admit()).last(), Some(49));
        (1..50).for_each(|index| window.put(large(index)));
        assert!(window.held <= window.limits.memory && window.has_room());
        window.put(large(0));
        let out: Vec<_> = std::iter::from_fn(|| window.pop()).collect();
        assert_eq!(out, (0..50).map(large).collect::<Vec<_>>());
        assert_eq!(window.held, 0);
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
