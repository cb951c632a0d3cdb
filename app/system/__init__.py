"""What lies outside of us, below everything else: the machine, addresses, and points at which tests make it fail."""
