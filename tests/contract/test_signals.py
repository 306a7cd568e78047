"""Signals reach whoever waits for them, wherever they strike."""

import subprocess
import sys

# The waiting thread is struck while it takes and leaves the event's lock; each event is set once, or this never ends.
PROGRAM = """
import os, signal, threading
from castline.cli.signals import set_on_signal

for _ in range(300):
    stop = threading.Event()
    set_on_signal(stop)
    threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()
    while not stop.wait(0.00001):
        pass
print("stopped")
"""


def test_a_signal_in_the_midst_of_waiting_is_heard() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.returncode) == ("stopped\n", 0), ended.stderr
