"""The parts of `scripts/bench cameras`: what a camera costs, how late it is noticed, and what is missed while it sleeps."""
