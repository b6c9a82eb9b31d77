"""Two image layers compared where they overlap: swiped, side by side, in turns, subtracted."""
