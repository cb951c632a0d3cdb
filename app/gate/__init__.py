"""Who and what is let in: keys, rates, limits, and the way from the bytes of a request to checked work."""
