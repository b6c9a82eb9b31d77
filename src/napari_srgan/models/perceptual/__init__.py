"""Networks that see as people do, in part: what images are compared by."""
