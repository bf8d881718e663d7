"""What all tests need: interrupts that arrive."""

import signal

# A shell that runs jobs in the background makes them ignore SIGINT, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
