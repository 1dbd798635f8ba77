"""`scripts/bench durability`: what is left of accepted events after kills, power cuts and failures between two steps.

`box` runs the built daemon, `receiver` answers it badly, `oracle` judges; `kills`, `failpoints` and `power` make trouble;
`disk` is the disk that loses what was not flushed, `trace` reads what strace recorded.
"""
