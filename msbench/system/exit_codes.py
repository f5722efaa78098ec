"""What the end of a process says to whoever started it: a shell, a suite, SLURM's scripts."""

DONE = 0
FAILED = 1  # a run that failed, or a bug
BAD_INPUT = 2
SAVED = 85  # a signal asked for the end and the run saved itself: start it again, as slurm/cells.sh does
INTERRUPTED = 130  # Ctrl-C, as shells have it: 128 + SIGINT
CLOSED_PIPE = 141  # 128 + SIGPIPE: whoever read the output has gone
