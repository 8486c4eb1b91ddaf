"""The order of events of a sweep: the controller, the worker loop, one trial and how it ends."""
