"""How far a result can be trusted: maps, and what is said of them."""
