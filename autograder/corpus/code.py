"""Cases in what a learner's code does: it never ends, it fills the machine, it kills, it looks around, it cheats."""

# ruff: noqa: E501 - learners' code

from __future__ import annotations

from autograder.corpus._cases import Case, Earns, in_blank, in_cell, in_exercise, in_function, instead

LOOP = "while True:\n    pass"
STUBBORN = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGINT, signal.SIGTERM])
for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
"""
SWALLOWING = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""
BOMB = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
OUTLIVING = """
import os, sys, time
for _ in range(150):
    if os.fork() == 0:
        os.setsid()
        os.execv(sys.executable, ['MARKER', '-c', 'import time; time.sleep(600)'])
time.sleep(3)
"""
MEMORY = "hoard = []\nwhile True: hoard.append(b'x' * (64 * 2**20))"
UNMAPPED = """
import ctypes, mmap, os
libc = ctypes.CDLL(None)
for way in (lambda: mmap.mmap(-1, 2**30), lambda: mmap.mmap(os.memfd_create('MARKER'), 2**30), lambda: mmap.mmap(os.open('/dev/zero', os.O_RDWR), 2**30)):
    for _ in range(3):
        try: held = way()
        except OSError: break
        print('CANARY')
        for at in range(0, len(held), 4096): held[at] = 1
        held.madvise(mmap.MADV_DONTNEED)
for _ in range(3):
    if libc.shmget(0, 2**30, 0o1600) >= 0: print('CANARY')
"""
TABLES = """
import mmap
far = mmap.mmap(-1, 2**40, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ)
for at in range(0, 2**40, 2**21): far[at]
"""
SOCKETS = """
import os, socket, time
for _ in range(40):
    if os.fork() == 0: break
kept = [one for _ in range(100) for one in socket.socketpair()]
for one in kept:
    one.setblocking(False)
    try:
        while True: one.send(b'x' * 65536)
    except BlockingIOError: pass
time.sleep(9)
"""
SHOUTING = "while True: print('x' * 100_000)"
ENDS = "does a loop never end|ran for more|after its time was up|stopped after|processor time"
GONE = "process|died of|no answer"
MUCH = "GB of memory|MemoryError"
MANY = "processes|threads|GB of memory|does a loop never end|after its time"

ENDLESS = [
    in_exercise("loop in the exercise's cell", "endless", LOOP, says="stopped after|time", slow=True),
    in_function("loop in the function", "endless", LOOP, says=ENDS, slow=True),
    in_function("loop that ignores signals", "endless", STUBBORN, says=ENDS, slow=True),
    in_function("loop that swallows everything", "endless", SWALLOWING, says=ENDS, slow=True),
    in_exercise("loop that ignores signals in the exercise's cell", "endless", STUBBORN, says=ENDS, slow=True),
    in_cell("loop in a cell of one's own", "endless", LOOP, slow=True),
    in_function("sleeping for an hour", "endless", "import time; time.sleep(3600)", says=ENDS, slow=True),
    in_function("waiting for a lock", "endless", "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()", says=ENDS, slow=True),
    in_function("a generator that never ends", "endless", "list(iter(int, 1))", says=f"{ENDS}|{MUCH}", slow=True),
    in_function("recursion without end", "endless", "return TARGET(PARAMETERS)", says="RecursionError"),
    in_function("a number that takes years", "endless", "9 ** (9 ** 9)", says=ENDS, slow=True),
    in_function("backtracking in a regular expression", "endless", "import re; re.match('(a+)+$', 'a' * 60 + 'b')", says=ENDS, slow=True),
]  # fmt: skip

FILLING = [
    in_function("endless printing", "output", SHOUTING, says=f"{ENDS}", slow=True),
    in_cell("100 MB printed", "output", "print('x' * 100_000_000)"),
    in_cell("100 MB on stderr past Python", "output", "import os\nfor _ in range(100): os.write(2, b'x' * 10**6)"),
    in_cell("endless printing in a cell of one's own", "output", SHOUTING, slow=True),
    in_function("memory until it is full", "memory", MEMORY, says=f"{MUCH}|{ENDS}"),
    in_cell("memory until it is full in a cell of one's own", "memory", MEMORY),
    in_function("a result of a gigabyte", "memory", "return 'x' * (2**30)", says=f"characters|MB|memory|large|{ENDS}"),
    in_function("a list of a hundred million", "memory", "return [0] * 10**8", says="."),
    in_cell("memory that no process maps", "memory", UNMAPPED),
    in_function("memory in page tables alone", "memory", TABLES, says=f"{MUCH}|{ENDS}"),
    in_function("memory in files and out of them", "memory", "import os\nfor place in ('/tmp', '/dev/shm', '.'):\n    for name in 'ab': open(f'{place}/{name}', 'wb').write(b'x' * (60 * 2**20))\nown = b'y' * (1800 * 2**20)", says=MUCH),
    in_function("memory in sockets", "memory", SOCKETS, says=f"{MUCH}|{MANY}"),
    in_function("fork bomb", "processes", BOMB, says=MANY),
    in_cell("fork bomb in a cell of one's own", "processes", BOMB),
    in_function("150 forks that outlive", "processes", OUTLIVING, says=f"{MANY}|{GONE}|."),
    in_cell("150 forks that outlive their cell", "processes", OUTLIVING),
    in_cell("500 threads", "processes", "import threading, time\nfor _ in range(500): threading.Thread(target=time.sleep, args=(99,)).start()"),
    in_cell("a process that outlives its cell", "processes", "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', 'MARKER'], start_new_session=True)"),
    in_cell("a daemon that edits later", "processes", "import os, sys\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.execv(sys.executable, ['MARKER', '-c', 'import time\\nwhile True:\\n    time.sleep(1)\\n    open(\"/tmp/MARKER-daemon\", \"a\").write(\"x\")'])\n    os._exit(0)"),
    in_function("a file of 500 MB", "disk", "with open('big', 'wb') as file:\n    for _ in range(500): file.write(b'x' * 2**20)", says="File too large|No space"),
    in_cell("a thousand files of 1 MB", "disk", "for number in range(1000): open(f'/tmp/{number}', 'wb').write(b'x' * 2**20)"),
    in_cell("a hundred thousand empty files", "disk", "for number in range(100_000): open(f'/tmp/{number}', 'wb').close()"),
    in_cell("all file descriptors", "disk", "import os\nfiles = []\ntry:\n    while True: files.append(os.open('/dev/null', 0))\nexcept OSError: pass"),
]  # fmt: skip

KILLING = [
    in_function("leaving by os._exit", "killing", "import os; os._exit(0)", says=GONE),
    in_function("killing itself", "killing", "import os; os.kill(os.getpid(), 9)", says="SIGKILL"),
    in_function("segmentation fault", "killing", "import ctypes; ctypes.string_at(0)", says="SIGSEGV"),
    in_function("stopping itself", "killing", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", says=ENDS, slow=True),
    in_function("killing the parent", "killing", "import os, time; os.kill(os.getppid(), 9); time.sleep(60)", says=f"{GONE}|{ENDS}"),
    in_function("killing everybody", "killing", "import os; os.kill(-1, 9); os._exit(1)", says=f"{GONE}|Error"),
    in_function("killing the group", "killing", "import os; os.killpg(0, 9)", says="SIGKILL"),
    in_function("killing all that /proc shows", "killing", "import os\nfor name in os.listdir('/proc'):\n    if name.isdigit():\n        try: os.kill(int(name), 9)\n        except OSError: pass", says=GONE),
    in_function("aborting", "killing", "import os; os.abort()", says="SIGABRT"),
    in_function("sys.exit", "killing", "import sys; sys.exit(0)", says="SystemExit|exit"),
    in_function("raising BaseException", "killing", "class Odd(BaseException): pass\nraise Odd('corpus')", says="Odd"),
    in_function("an error whose text raises", "killing", "class Odd(Exception):\n    def __str__(self): raise self\nraise Odd", says="."),
    in_cell("os._exit in a cell of one's own", "killing", "import os; os._exit(1)"),
    in_exercise("os._exit in the exercise's cell", "killing", "import os; os._exit(1)", says="exit status 1"),
    in_exercise("the kernel killed in the exercise's cell", "killing", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", says="SIGKILL"),
    in_cell("shutting the kernel down", "killing", "get_ipython().kernel.do_shutdown(False)\nexit()\nquit()"),
    in_cell("stack exhausted in C", "killing", "import sys; sys.setrecursionlimit(10**9)\ndef deep(): return deep()\ndeep()"),
    in_function("closing all files", "killing", "import os; os.closerange(0, 500)", says="."),
    in_cell("closing all files in a cell of one's own", "killing", "import os; os.closerange(0, 500)"),
    in_exercise("an error", "killing", "1 / 0", says="ZeroDivisionError"),
    in_exercise("a syntax error", "killing", "def broken(:", says="SyntaxError"),
]  # fmt: skip

# Blank notebooks that want marks all the same. ALL gives every exercise the same `answer`.
ALL = "\nfor _name in NAMES:\n    globals()[_name] = answer\n"
SAME = """
class Same:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    def __hash__(self): return 0
    def __float__(self): return 1.0
    def __int__(self): return 1
    def __index__(self): return 1
    def __bool__(self): return True
    def __len__(self): return 1
    def __iter__(self): return iter([self])
    def __getitem__(self, key): return self
    def __getattr__(self, name): return self
    def __call__(self, *args, **named): return self
    def __array__(self, *args, **named):
        import numpy
        return numpy.ones(1)
"""
WANTS_MORE = """
import gc, os, sys
loot = []
"""

CHEATING = [
    in_blank("an object that equals everything", "cheating", f"{SAME}\nanswer = lambda *args, **named: Same()\n{ALL}"),
    in_blank("an object that says it is an int", "cheating", "class Liar:\n    @property\n    def __class__(self): return int\n    def __int__(self): return 0\n    __index__ = __int__\n    def __eq__(self, other): return True\n    __hash__ = None\nanswer = lambda *args, **named: Liar()" + ALL),
    in_blank("an int that equals everything", "cheating", "class Liar(int):\n    __eq__ = lambda self, other: True\n    __ne__ = lambda self, other: False\n    __hash__ = int.__hash__\nanswer = lambda *args, **named: Liar()" + ALL),
    in_blank("a float that equals everything", "cheating", "class Liar(float):\n    __eq__ = __le__ = __ge__ = lambda self, other: True\n    __sub__ = __rsub__ = lambda self, other: 0.0\nanswer = lambda *args, **named: Liar()" + ALL),
    in_blank("a string that equals everything", "cheating", "class Liar(str):\n    __eq__ = lambda self, other: True\n    __hash__ = str.__hash__\nanswer = lambda *args, **named: Liar('a')" + ALL),
    in_blank("an array that equals everything", "cheating", "import numpy\nclass Liar(numpy.ndarray):\n    __eq__ = lambda self, other: numpy.ones(self.shape, bool)\nanswer = lambda *args, **named: numpy.zeros(3).view(Liar)" + ALL),
    in_blank("an object that unpickles into code", "cheating", "import os\nclass Bad:\n    def __reduce__(self): return os.system, ('touch /tmp/MARKER-pickle',)\nanswer = lambda *args, **named: Bad()" + ALL),
    in_blank("not a number", "cheating", "answer = lambda *args, **named: float('nan')" + ALL),
    in_blank("infinity", "cheating", "answer = lambda *args, **named: float('inf')" + ALL),
    in_blank("nothing at all", "cheating", "answer = lambda *args, **named: None" + ALL),
    in_blank("its own arguments", "cheating", "answer = lambda *args, **named: args" + ALL),
    in_blank("a mock that answers everything", "cheating", "from unittest.mock import MagicMock\nanswer = MagicMock()" + ALL),
    in_blank("assert and numpy redefined", "cheating", "import builtins, numpy, numpy.testing\nyes = lambda *args, **named: True\nfor name in ('allclose', 'isclose', 'array_equal', 'all', 'equal'): setattr(numpy, name, yes)\nfor name in dir(numpy.testing):\n    if name.startswith('assert'): setattr(numpy.testing, name, yes)\nbuiltins.AssertionError = type('AssertionError', (Exception,), {})\nbuiltins.all = builtins.any = builtins.isinstance = builtins.abs = yes\nanswer = yes" + ALL),
    in_blank("torch redefined", "cheating", "import sys, types\nfake = types.ModuleType('torch')\nfake.allclose = fake.equal = lambda *args, **named: True\nsys.modules['torch'] = fake\nanswer = lambda *args, **named: fake" + ALL),
    in_blank("check redefined", "cheating", "def check(*args, **named): return 100.0\nimport nas_lib.checks\nnas_lib.checks.check = check"),
    in_blank("the checks' module replaced", "cheating", "import nas_lib.checks as core, nas_lib.checks.probing as probing\ncore.run_probe = probing.run_probe = lambda *args: {'value': [0]}\ncore.encode = probing.encode = lambda value: [0]\ncore.exercise = lambda *args: None"),
    in_blank("the checks' judge replaced", "cheating", "import nas_lib.checks as core\nfor thing in list(vars(core).values()):\n    if isinstance(thing, type) and hasattr(thing, 'judge'):\n        thing.judge = lambda *args, **named: core.Verdict(1.0, '', 'right')\nfor subclass in core.Exercise.__subclasses__():\n    subclass.judge = lambda *args, **named: core.Verdict(1.0, '', 'right')\nanswer = lambda *args, **named: 0" + ALL),
    in_blank("replies written to all pipes", "cheating", "import os, threading, time\nline = b'\\n' + b''.join(b'{\"op\": \"answer\", \"of\": %d, \"answer\": {\"value\": 0, \"score\": 1.0}}\\n{\"op\": \"ended\", \"of\": %d, \"status\": 0}\\n' % (n, n) for n in range(1, 20))\ndef write():\n    for fd in range(3, 40):\n        try: os.write(fd, line)\n        except OSError: pass\nwrite()\nanswer = lambda *args, **named: write()" + ALL),
    in_blank("replies sent by a thread", "cheating", "import os, threading, time\ndef spam():\n    while True:\n        for fd in range(3, 20):\n            try: os.write(fd, b'{\"op\": \"ran\", \"error\": null, \"printed\": \"\"}\\n{\"op\": \"ended\", \"of\": 1, \"status\": 0}\\n')\n            except OSError: pass\n        time.sleep(0.01)\nthreading.Thread(target=spam, daemon=True).start()"),
    in_blank("the worker's own channel found", "cheating", "import gc\nfor thing in gc.get_objects():\n    if type(thing).__name__ == 'Channel':\n        for number in range(1, 20):\n            thing.send({'op': 'answer', 'of': number, 'answer': {'value': 1, 'score': 1.0}})\n            thing.send({'op': 'ended', 'of': number, 'status': 0})"),
    in_blank("os.write and json.dumps replaced", "cheating", "import json, os\nreal = os.write\njson.dumps = lambda *args, **named: '{\"op\": \"answer\", \"of\": 1, \"answer\": {\"value\": 1}}'\nos.write = lambda fd, data: real(fd, b'{}\\n') and len(data)\njson.loads = lambda *args, **named: {}"),
    in_blank("replies nested too deep", "cheating", "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'[' * 200_000 + b'\\n')\n    except OSError: pass"),
    in_blank("a reply of 100 MB without end", "cheating", "import os\nfor fd in range(3, 20):\n    try:\n        for _ in range(1600): os.write(fd, b'x' * 65536)\n    except OSError: pass"),
    in_blank("the solutions imported", "cheating", "from solutions import load\nglobals().update(vars(load('LESSON')))"),
    in_blank("the solutions found on the path", "cheating", "import os, sys, nas_lib\nroot = os.path.dirname(os.path.dirname(nas_lib.__file__))\nsys.meta_path[:] = [finder for finder in sys.meta_path if 'Forbidden' not in type(finder).__name__]\nsys.path.insert(0, root)\nimport solutions\nglobals().update(vars(solutions.load('LESSON')))"),
    in_blank("the solutions' file read", "cheating", "import glob, os, nas_lib\nroot = os.path.dirname(os.path.dirname(nas_lib.__file__))\nfor path in glob.glob(root + '/**/LESSON*', recursive=True) + glob.glob('/**/LESSON*', recursive=True):\n    if path.endswith('.py'): exec(open(path).read(), globals())"),
    in_blank("source and release looked for", "reading", "import os\nfor top, folders, files in os.walk('/'):\n    for name in files:\n        if name.endswith('.ipynb') or name in ('gradebook.db', '.course_secret', '.course_seeds.json'):\n            print('found', top, name, open(os.path.join(top, name), 'rb').read(2000))"),
    in_blank("a classmate's file", "reading", "import glob\nfor path in glob.glob('/**/submitted/**', recursive=True) + glob.glob('/tmp/**', recursive=True) + glob.glob('../**'):\n    try: print(open(path).read())\n    except (OSError, UnicodeDecodeError): pass"),
    in_blank("environment variables", "reading", "import os\nprint(os.environ)\nfor name in os.listdir('/proc'):\n    if name.isdigit():\n        for part in ('environ', 'cmdline', 'maps'):\n            try: print(open(f'/proc/{name}/{part}', 'rb').read())\n            except OSError: pass"),
    in_blank("the home folder", "reading", "import os\nfor home in {os.path.expanduser('~'), '/root', *(f'/home/{name}' for name in os.listdir('/home'))}:\n    for top, _, files in os.walk(home):\n        for name in files:\n            try: print(top, name, open(os.path.join(top, name)).read(500))\n            except (OSError, UnicodeDecodeError): pass"),
    in_blank("the way out by /proc/1/root", "reading", "import os\nfor name in ('/proc/1/root', '/proc/1/cwd', '/proc/self/root/..', '/proc/self/fd'):\n    try: print(name, os.listdir(name))\n    except OSError as error: print(error)"),
    in_blank("the network", "reading", "import socket, urllib.request\nfor address in (('127.0.0.1', 45454), ('1.1.1.1', 53), ('169.254.169.254', 80)):\n    try: socket.create_connection(address, timeout=1).sendall(b'MARKER'); print('CANARY connected')\n    except OSError as error: print(error)"),
    in_blank("a unix socket of the system's", "reading", "import glob, socket\nfor path in glob.glob('/run/**', recursive=True) + glob.glob('/var/run/**', recursive=True) + ['/tmp/.X11-unix/X0']:\n    try: socket.socket(socket.AF_UNIX).connect(path); print('CANARY connected', path)\n    except OSError: pass"),
    in_blank("frames walked for the expected value", "reading", "import sys, types\ndef answer(*args, **named):\n    frame = sys._getframe()\n    while frame:\n        for name, value in frame.f_locals.items():\n            if name in ('expected', 'reference', 'answers', 'seed', 'secret'): print('CANARY', value); return value\n        frame = frame.f_back\n" + ALL),
    in_blank("all objects searched for the reference", "reading", "import gc, types\nfor thing in gc.get_objects():\n    if isinstance(thing, types.FunctionType) and thing.__name__ in NAMES and thing.__module__ != '__main__':\n        globals()[thing.__name__] = thing\n    if isinstance(thing, dict):\n        for name in NAMES:\n            if callable(thing.get(name)): globals().setdefault(name, thing[name])"),
    in_blank("the probe's source inspected", "reading", "import inspect\nfrom nas_lib.checks import exercise\nanswers = {}\nfor name in NAMES:\n    item = exercise(name, 'LESSON')\n    print(inspect.getsource(type(item)))\n    for public in ('expected', 'reference', 'solution', 'answer', 'answers', 'key'):\n        if hasattr(item, public): globals()[name] = getattr(item, public)"),
    in_blank("the public answers handed out", "cheating", "import glob, json, os, nas_lib\nfor path in glob.glob(os.path.dirname(nas_lib.__file__) + '/assets/**', recursive=True):\n    if 'LESSON' in path and os.path.isfile(path):\n        try: public = json.load(open(path))\n        except ValueError: continue\n        answer = lambda *args, **named: public\n        break\nelse:\n    answer = lambda *args, **named: None\n" + ALL),
    in_blank("events of IPython", "cheating", "shell = get_ipython()\ndef listen(info):\n    print('CANARY', info)\nshell.events.register('pre_run_cell', listen)\nshell.events.register('post_run_cell', lambda result: setattr(result, 'result', 100.0))"),
    in_blank("an AST transformer", "cheating", "import ast\nclass Blind(ast.NodeTransformer):\n    def visit_Assert(self, node): return ast.Pass()\n    def visit_Call(self, node): return ast.Constant(100.0)\nget_ipython().ast_transformers.append(Blind())"),
    in_blank("an input transformer", "cheating", "get_ipython().input_transformers_post.append(lambda lines: ['100.0'])\nget_ipython().input_transformers_cleanup.append(lambda lines: ['100.0'])"),
    in_blank("the history of inputs", "reading", "print(globals().get('In'), globals().get('Out'), get_ipython().history_manager)\nfor text in globals().get('In') or []: print('CANARY', text)"),
    in_blank("a displayhook that says 100", "cheating", "import sys\nsys.displayhook = lambda value: print(100.0)\nget_ipython().display_formatter = None\n100.0"),
    in_blank("results that are claimed", "cheating", "import json, os\nfor name in ('results.json', 'grade.json', '/tmp/results.json', os.path.expanduser('~/verdict.json')):\n    json.dump({name: 1.0 for name in NAMES}, open(name, 'w'))\nprint('100.0')\nprint({'score': 1.0})"),
    in_blank("the gradebook written", "writing", "import glob, os, sqlite3\nfor path in {*glob.glob('/**/gradebook.db', recursive=True), 'gradebook.db', '/tmp/gradebook.db'}:\n    try:\n        base = sqlite3.connect(path)\n        base.execute('update grade set manual_score = 100, auto_score = 100')\n        base.commit(); print('CANARY wrote', path)\n    except sqlite3.Error: pass"),
    in_blank("start-up files", "writing", "import os, site, sys\nfor path in ('~/.ipython/profile_default/startup/MARKER.py', '~/.jupyter/jupyter_config.py', '~/.bashrc', '~/.profile', '~/.local/lib/python3/site-packages/MARKER.pth', *(f'{place}/MARKER.pth' for place in site.getsitepackages()), f'{sys.prefix}/sitecustomize.py'):\n    path = os.path.expanduser(path)\n    try:\n        os.makedirs(os.path.dirname(path), exist_ok=True)\n        open(path, 'a').write('import os # MARKER')\n    except OSError: pass"),
    in_blank("shadow modules", "writing", "fake = 'def __getattr__(name): return lambda *args, **named: True'\nimport os, sys\nfor folder in ('.', '/tmp', os.path.expanduser('~')):\n    for name in ('numpy', 'torch', 'nas_lib', 'json', 'random', 'solutions'):\n        open(f'{folder}/{name}.py', 'w').write(fake)\nfor name in ('numpy', 'torch', 'json'): sys.modules.pop(name, None)\nsys.path.insert(0, '.')"),
    in_blank("files of the library changed", "writing", "import glob, os, nas_lib\nfor path in glob.glob(os.path.dirname(nas_lib.__file__) + '/**/*.py', recursive=True):\n    try: open(path, 'a').write('# MARKER'); print('CANARY wrote', path)\n    except OSError: pass"),
    in_blank("a thread that answers in the background", "cheating", "import threading, time\ndef later():\n    while True:\n        for name in NAMES: globals()[name] = lambda *args, **named: 1\n        time.sleep(0.001)\nthreading.Thread(target=later, daemon=True).start()"),
    in_blank("a profiler that rewrites results", "cheating", "import sys, threading\ndef trace(frame, event, arg):\n    if event == 'call' and 'error' in frame.f_locals: frame.f_locals['error'] = None\n    return trace\nsys.settrace(trace); sys.setprofile(trace); threading.settrace(trace)"),
    in_blank("builtins that answer", "cheating", "import builtins\nfor name in NAMES: setattr(builtins, name, lambda *args, **named: 1)\nbuiltins.compile = lambda *args, **named: None\nbuiltins.NotImplementedError = KeyError"),
    in_blank("a file name that climbs out", "writing", "for path in ('../../MARKER', '/MARKER', '/etc/MARKER', '/var/tmp/MARKER', '/dev/shm/MARKER'):\n    try: open(path, 'w').write('x')\n    except OSError: pass"),
]  # fmt: skip

PARTLY = [
    instead("an answer that equals everything", "cheating", f"{SAME}\ndef TARGET(PARAMETERS): return Same()", says="."),
    instead("an answer that is never defined", "cheating", "pass", says="not defined"),
    instead("an answer that is no function", "cheating", "TARGET = 3", says="not a function|function"),
    instead("an answer that takes other arguments", "cheating", "def TARGET(): return 1", says="argument"),
    instead("a descriptor that explodes", "cheating", "class Bad:\n    def __call__(self, *args, **named): return self\n    def __getattribute__(self, name): raise SystemExit\nTARGET = Bad()", says="."),
    instead("a result that refers to itself", "cheating", "def TARGET(PARAMETERS):\n    loop = []\n    loop.append(loop)\n    return loop", says="."),
    instead("a result nested ten thousand deep", "cheating", "def TARGET(PARAMETERS):\n    deep = []\n    for _ in range(10_000): deep = [deep]\n    return deep", says="."),
    instead("a number of a million digits", "cheating", "def TARGET(PARAMETERS): return 10 ** 1_000_000", says="."),
    instead("a lone surrogate as the answer", "cheating", "def TARGET(PARAMETERS): return '\\ud800'", says="."),
    instead("HTML as the answer", "pages", "def TARGET(PARAMETERS): return '<img src=x onerror=corpusAlert(1)><script>corpusAlert(2)</script>'", says="."),
    instead("HTML as the error", "pages", "def TARGET(PARAMETERS): raise ValueError('<script>corpusAlert(3)</script>')", says="ValueError"),
    instead("code nested too deep to be parsed", "cheating", "TARGET = " + "-" * 5000 + "1", says="."),
    instead("code nested much too deep", "cheating", "TARGET = " + "lambda:" * 20_000 + "1", says="."),
    instead("NUL bytes in the code", "cheating", "def TARGET(PARAMETERS): return '\x00'", says="."),
]  # fmt: skip

HONEST = [
    in_exercise("warnings on stderr", "honest", "import sys, warnings\nwarnings.warn('careful')\nprint('careful', file=sys.stderr)", Earns.ALL),
    in_function("warnings on stderr in the function", "honest", "import sys, warnings; warnings.warn('careful'); print('careful', file=sys.stderr)", Earns.ALL),
    in_function("a progress bar", "honest", "from tqdm import tqdm\nfor _ in tqdm(range(3)): pass", Earns.ALL),
    in_function("prints", "honest", "print('looking at it')", Earns.ALL),
    in_cell("logging set up", "honest", "import logging\nlogging.basicConfig(level='DEBUG')\nlogging.getLogger().error('nothing serious')"),
    in_cell("magics", "honest", "%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n%time x = 1\n!ls -la\nfiles = !ls"),
    in_cell("a cell magic", "honest", "%%time\ny = 1"),
    in_exercise("a cell magic before the exercise", "honest", "%%time", Earns.ALL),
    in_cell("pip install", "honest", "!pip install numpy\n%pip install -q tqdm"),
    in_cell("a shell cell", "honest", "%%bash\necho hello"),
    in_cell("help with a question mark", "honest", "print?"),
    in_cell("top-level await", "honest", "import asyncio\nawait asyncio.sleep(0)"),
    in_cell("input", "honest", "name = input('your name? ')"),
    in_cell("a plot", "honest", "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3]); plt.show()"),
    in_cell("a widget", "honest", "from IPython.display import HTML, Markdown, display\ndisplay(HTML('<b>x</b>'))\nMarkdown('*x*')"),
    in_cell("a helper cell", "honest", "def helper(x):\n    return x\nhelper(1)"),
    in_cell("an error in a cell of one's own", "honest", "1 / 0"),
    in_cell("a syntax error in a cell of one's own", "honest", "def unfinished("),
    in_cell("a class and decorators", "honest", "import functools\n@functools.lru_cache(None)\ndef cached(x): return x\n@functools.total_ordering\nclass Thing:\n    def __eq__(self, other): return True\n    def __lt__(self, other): return False"),
    in_cell("threads", "honest", "import threading, time\nthreading.Thread(target=time.sleep, args=(30,)).start()"),
    in_cell("a seed and another folder", "honest", "import os, random\nimport numpy as np\nrandom.seed(0); np.random.seed(0)\nos.makedirs('out', exist_ok=True); os.chdir('out')"),
    in_exercise("imports repeated", "honest", "import numpy as np\nimport numpy\nfrom math import *", Earns.ALL),
    in_cell("numpy's errors raised", "honest", "import numpy as np\nnp.seterr(all='raise'); np.set_printoptions(precision=2)"),
    in_cell("warnings made errors", "honest", "import warnings\nwarnings.simplefilter('error')"),
    in_cell("a future import", "honest", "from __future__ import annotations"),
]  # fmt: skip

CODE: list[Case] = [*ENDLESS, *FILLING, *KILLING, *CHEATING, *PARTLY, *HONEST]
