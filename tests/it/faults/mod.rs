//! The fault list as a table: each row is a server that does one thing wrong, and what must come of it.
//!
//! A section is one run of the program over one list: the lines of all its rows, good lines between them. So every row is also
//! a test that no other record is lost, doubled or out of order.

mod codings;
mod connect;
mod framing;
mod heads;
mod http2;
mod lengths;
mod mutations;
mod redirects;
mod retries;
mod row;
mod section;
mod untested;
