"""A network as a list of operations: traced, folded, rewritten and analysed."""
