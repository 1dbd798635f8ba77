"""The head of the configuration that every bench gives its appliance: a device, a state folder, a runtime with one thread, a socket, a log that can be read back.

It ends in `[log]`, for whoever wants to see more. Wants `folder` and `library` when it is formatted; cameras, models, monitors and endpoints are the bench's own.
"""

APPLIANCE = """
[device]
id = "bench"
[storage]
path = "{folder}/state"
[runtime]
onnxruntime = "{library}"
threads = 1
[api]
socket = "{folder}/stakeout.sock"
[log]
format = "text"
"""

YARD = """
[[model]]
name = "yard-classifier"
path = "{root}/models/yard-classifier"
"""
