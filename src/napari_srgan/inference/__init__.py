"""Run a network over arrays of any size: planning, streaming, tiling, devices."""
