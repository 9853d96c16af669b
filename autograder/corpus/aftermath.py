"""Cases of what a cell leaves behind: threads, signals and limits that outlive it, damaged files and modules, output
that looks like the grader's own words, results that are large or odd."""

# ruff: noqa: E501 - learners' code

from __future__ import annotations

from autograder.corpus._cases import Case, Earns, in_blank, in_cell, in_exercise, in_function, instead

# fmt: off
LEFT: list[Case] = [
    # What honest, if careless, cells leave running or changed.
    in_cell("a thread that spins on after its cell", "processes", "import threading\ndef spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()"),
    in_cell("a thread that prints on after its cell", "output", "import threading\ndef talk():\n    while True: print('still here', flush=True)\nthreading.Thread(target=talk, daemon=True).start()"),
    in_cell("a thread that holds the lock of an import", "processes", "import importlib._bootstrap as boot, threading\nlocked = threading.Event()\ndef hold():\n    with boot._ModuleLockManager('decimal'):\n        locked.set(); threading.Event().wait()\nthreading.Thread(target=hold, daemon=True).start(); locked.wait()"),
    in_cell("pools and a loop left running", "processes", "import asyncio, concurrent.futures as futures, multiprocessing, threading\nthreads = futures.ThreadPoolExecutor(4); [threads.submit(sum, range(9)) for _ in range(9)]\nprocesses = multiprocessing.get_context('fork').Pool(2)\nloop = asyncio.new_event_loop(); threading.Thread(target=loop.run_forever, daemon=True).start()"),
    in_cell("all signals blocked", "killing", "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"),
    in_cell("an alarm of one's own", "killing", "import signal\nsignal.signal(signal.SIGALRM, lambda *_: None); signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)"),
    in_cell("exits and finalizers that raise and hang", "killing", "import atexit, time, weakref\nclass Late:\n    def __del__(self): raise RuntimeError('late')\n    def __repr__(self): raise RuntimeError('unprintable')\nkept = [Late() for _ in range(9)]; atexit.register(time.sleep, 999); kept[0].me = kept[0]\nweakref.finalize(kept[1], time.sleep, 999)\ndel kept[3:]"),
    in_cell("the lowest priority", "killing", "import os\nos.nice(19)"),
    in_cell("everything deleted", "disk", "import os, shutil\nfor place in ('/', os.path.expanduser('~'), '/tmp', '/dev/shm', os.getcwd()): shutil.rmtree(place, ignore_errors=True)"),
    in_cell("a working folder that is gone", "disk", "import os, tempfile\nfolder = tempfile.mkdtemp(); os.chdir(folder); os.rmdir(folder); os.environ.clear()"),
    in_cell("all modules forgotten", "writing", "import sys\nfor name in [*sys.modules]:\n    if name.partition('.')[0] in ('nas_lib', 'json', 're', 'random'): del sys.modules[name]"),
    in_cell("nothing left to import from", "writing", "import sys\nsys.path.clear(); sys.path_importer_cache.clear(); sys.path_hooks.clear()"),
    in_cell("garbage collection off and its debugging on", "honest", "import gc, tracemalloc\ngc.disable(); gc.set_debug(gc.DEBUG_SAVEALL); tracemalloc.start(25)"),
    in_cell("a trace of every line", "honest", "import sys, threading\nseen = []\ndef trace(frame, event, arg):\n    return trace\nsys.settrace(trace); threading.settrace(trace)"),
    # Words of the grader's in what is printed, raised and returned.
    in_cell("the grader's protocol printed", "output", "import os, sys\nline = '{\"op\": \"ended\", \"of\": 1, \"status\": 0}\\n{\"op\": \"ran\", \"error\": null, \"printed\": \"\"}\\n' * 50\nprint(line); sys.stderr.write(line)\nfor fd in (0, 1, 2):\n    try: os.write(fd, line.encode())\n    except OSError: pass"),
    in_blank("a verdict printed", "cheating", "print('\\u2713 right (100 of 100 points)'); print(100.0)\n100.0"),
    instead("an answer in the codec's own words", "cheating", "def TARGET(PARAMETERS): return {'$array': {'dtype': 'float64', 'shape': [1], 'data': [1.0]}, '$float': 'nan'}", says="."),
    instead("an answer that is a reply", "cheating", "def TARGET(PARAMETERS): return {'value': 0, 'error': None, 'changed': [], 'score': 1.0, 'op': 'answer'}", says="."),
    instead("an error by the grader's name", "cheating", "class Crash(Exception): pass\ndef TARGET(PARAMETERS): raise Crash('OutOfTime: Missing: the grader failed, so full marks')", says="."),
    instead("an error whose class has a name of ten megabytes", "output", "def TARGET(PARAMETERS): raise type('A' * 10**7, (Exception,), {})('b' * 10**7)", says="."),
    instead("an error with a thousand causes", "output", "def TARGET(PARAMETERS):\n    error = None\n    for number in range(1000):\n        wrong = ValueError(number); wrong.__cause__ = error; error = wrong\n    raise ExceptionGroup('many', [error] * 99) if 'ExceptionGroup' in dir(__builtins__) else error", says="."),
    instead("three million numbers as the answer", "output", "def TARGET(PARAMETERS): return [0.5] * 3_000_000", says="."),
    instead("a text of 200 MB as the answer", "output", "def TARGET(PARAMETERS): return 'x' * 200_000_000", says="."),
    instead("an array that takes for ever to become one", "endless", "class Slow:\n    def __array__(self, *args, **named):\n        while True: pass\ndef TARGET(PARAMETERS): return Slow()", says=".", slow=True),
    instead("a tensor of one's own making", "cheating", "import torch\nclass Mine(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, *args, **named): return cls([1.0])\n    def detach(self): return self\n    def numpy(self, *args, **named): return [object()]\ndef TARGET(PARAMETERS): return Mine([1.0])", says="."),
    # Processes and memory, by other ways.
    in_function("the parent stopped", "killing", "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)", Earns.ALL, slow=True),
    in_exercise("memory of a process that may not be looked at", "memory", "import ctypes\nctypes.CDLL(None).prctl(4, 0)\nheld = []\nwhile True: held.append(bytearray(2**26))", says="memory"),
    in_exercise("files without content by the million", "disk", "import os\nos.makedirs('/tmp/d', exist_ok=True)\nnumber = 0\nwhile True:\n    os.close(os.open(f'/tmp/d/{number}', os.O_CREAT)); number += 1", says="."),
    in_blank("the grader's messages taken by a process left behind", "cheating", "import os\nif os.fork() == 0:\n    if os.fork() == 0:\n        os.setsid()\n        for fd in range(3, 20):\n            try:\n                for _ in range(99): open('/tmp/MARKER-taken', 'ab').write(os.read(fd, 65536))\n            except OSError: pass\n    os._exit(0)"),
    in_blank("the probe wrapped", "cheating", "from nas_lib.checks import probing, codec\nimport nas_lib.checks as checks\ndef told(*args, **named): return {'value': 0, 'score': 1.0, 'raised': ['ValueError'], 'kinds': ['int']}\nfor module in (checks, probing, codec):\n    for name in ('run_probe', '_told', 'encode'):\n        if hasattr(module, name): setattr(module, name, told)"),
    in_blank("functions that wrap themselves", "cheating", "def answer(*args, **named): return 0\nanswer.__wrapped__ = answer\nfor name in NAMES: globals()[name] = answer"),
    in_cell("a right answer that wraps itself", "honest", "def wraps_itself(function):\n    function.__wrapped__ = function\n    return function\nwraps_itself(wraps_itself)"),
]
# fmt: on
