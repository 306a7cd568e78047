"""Signals reach whoever waits for them, wherever they strike."""

import select
import signal
import subprocess
import sys
import time

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


# Each new thread restores its signals and may be given one while the main thread sleeps; that one never hears of it.
BUSY = """
import os, signal, threading
from castline.cli.signals import set_on_signal

def begin_threads():
    while True:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()

stop = threading.Event()
set_on_signal(stop)
for _ in range(3):
    threading.Thread(target=begin_threads, daemon=True).start()
os.write(1, b".")
while True:
    stop.wait()
    stop.clear()
    os.write(1, b".")
"""


def test_a_signal_that_comes_to_another_thread_is_heard() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        try:
            for number in range(200):
                assert select.select([process.stdout], [], [], 20.0)[0], f"signal {number} was not heard"
                assert process.stdout.read(1) == b"."
                time.sleep(0.002)
                process.send_signal(signal.SIGTERM)
        finally:
            process.kill()
