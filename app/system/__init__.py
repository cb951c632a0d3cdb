"""What the operating system has for us, and the points at which tests make it fail: below everything else."""
