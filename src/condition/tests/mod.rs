//! Tests of the condition machine.
