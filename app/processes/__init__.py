"""One attempt at one job: a child process, what is said to it, and the watch over it."""
