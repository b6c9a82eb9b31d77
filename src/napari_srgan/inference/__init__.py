"""Run a network over arrays of any size: planning, tiling, devices."""
