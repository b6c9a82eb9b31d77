"""Which values of an image are black and white: by rules, by its pixels, bounded in memory."""
