//! The tables against a naive model, one state after another, and with somebody who reads them meanwhile.

mod model;
mod readers;
mod stopped;
mod tables;
