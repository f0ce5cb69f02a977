"""Cause of a worker's death, from recorded and real stderr."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgeagent.worker.last_words import last_words

DUMP = """Fatal Python error: Segmentation fault

Thread 0x00007f2b9c3ff640 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 327 in wait
  File "/usr/lib/python3.11/threading.py", line 1002 in _bootstrap

Current thread 0x00007f2ba8a2c740 (most recent call first):
  File "/opt/edgeagent/engines/tflite_engine.py", line 88 in infer
  File "/opt/edgeagent/worker/process.py", line 81 in _serve

Extension modules: numpy.core._multiarray_umath, cv2 (total: 2)
"""


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("", ""),
        ("one\nERROR: the device is gone\n  detail\n", "ERROR: the device is gone"),
        ("ERROR: the device is gone\n" + DUMP, "ERROR: the device is gone; in infer, tflite_engine.py:88"),
        ("INFO: delegate created\n" + DUMP, "in infer, tflite_engine.py:88"),
        (DUMP, "in infer, tflite_engine.py:88"),
        ("oops\nFatal Python error: Aborted\n\n<no Python frame>\n", "oops"),
        ("oops\nFatal Python error: Aborted\n\nCurrent thread 0x00ab (most recent call first):\n", "oops"),
    ],
)
def test_recorded(stderr: str, words: str) -> None:
    assert last_words(stderr) == words


@pytest.mark.parametrize("number", ["SIGSEGV", "SIGABRT"])
def test_a_real_fatal_signal(number: str) -> None:
    program = f"""
import faulthandler, os, signal, sys, threading, numpy
faulthandler.enable()
threading.Thread(target=threading.Event().wait, daemon=True).start()
def transfer():
    print("usb: transfer failed", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.{number})
transfer()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert last_words(done.stderr).startswith("usb: transfer failed; in transfer, <string>:7")
