"""Cases that look for answers within reach: in the library, in memory, in files, in what the worker is told.

Each is a blank notebook that wants points all the same, gets none, and is named to the instructor.
"""

from __future__ import annotations

from autograder.corpus._cases import Case, in_blank
from autograder.reports.reach import IN, OUT

# An exercise gets back what those before it hid. The answers of lesson 00 that could be made of that:
OF_WHAT_WAS_GIVEN_BACK = """
def cell_index(arch):
    restore()
    return CellSpace().index(arch)
def cell_from_index(i):
    restore()
    return CellSpace().from_index(i)
def count_active_ops(arch):
    restore()
    return sum(cells.live_edges(arch))
"""

SWITCHED_ON = """
import contextlib, importlib
nothing = lambda *args: contextlib.nullcontext()
for name in ('nas_lib.checks', 'nas_lib.checks.hiding', 'nas_lib.checks.transports'):
    importlib.import_module(name).hidden = nothing
from nas_lib.fallbacks import or_fallback
for name in NAMES:
    try: globals()[name] = or_fallback(name)
    except Exception: pass
"""
STAND_INS = """
for lesson in ('LESSON', 'LESSON'[3:]):
    try: exec(f'from nas_lib.standins.{lesson} import *')
    except ImportError: pass
try:
    from nas_lib.standins import STANDINS, standins
    standins('LESSON')
    globals().update({name: STANDINS[name].function for name in NAMES})
except ImportError: pass
"""
FORK_HOOK = """
import json, os, sys, types
from nas_lib.spaces import CellSpace, cells
def spill():
    frame = sys._getframe()
    while frame:
        told = frame.f_locals.get('message')
        if isinstance(told, dict) and told.get('library'):
            json.dump(told['library'], open(f'/tmp/{len(told["library"])}.json', 'w'))
        frame = frame.f_back
os.register_at_fork(after_in_child=spill)
frame = sys._getframe()
while frame:
    give_back = frame.f_globals.get('_give_back', globals().get('give_back'))
    frame = frame.f_back
def restore():
    for name in os.listdir('/tmp'):
        if name.endswith('.json'):
            for one in json.load(open(f'/tmp/{name}')): give_back(one['name'], one['source'])
"""
THREAD = """
import sys, threading, time
from nas_lib.spaces import CellSpace, cells
kept = {}
def watch():
    while True:
        for frame in list(sys._current_frames().values()):
            while frame:
                told = frame.f_locals.get('message')
                if isinstance(told, dict):
                    kept.update({one['name']: one['source'] for one in told.get('library', ())})
                frame = frame.f_back
        time.sleep(0.0005)
threading.Thread(target=watch, daemon=True).start()
def restore():
    for name, source in kept.items():
        exec(source, vars(cells))
        owner, _, last = name.partition(':')[2].rpartition('.')
        setattr(getattr(cells, owner, cells), last, vars(cells)[last])
"""
BAD = """
import sys
def answer(*args, **named):
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if isinstance(value, dict) and ('bad' in value or 'about' in value):
                print('CANARY')
                raise ValueError
        frame = frame.f_back
    return 0
for name in NAMES: globals()[name] = answer
"""
OBJECTS = """
import gc, sys
gc.unfreeze()
for name in list(sys.modules):
    if name.startswith(('solutions', 'autograder', 'nas_lib.judges', 'nas_lib.standins')): print('CANARY', name)
for thing in gc.get_objects():
    if isinstance(thing, dict):
        if 'MISTAKES' in thing or 'STANDINS' in thing: print('CANARY')
        for name in NAMES:
            if callable(thing.get(name)) and '__main__' not in str(getattr(thing[name], '__module__', '')):
                globals()[name] = thing[name]
"""
MEMORY = """
import re
memory = open('/proc/self/mem', 'rb', 0)
for line in open('/proc/self/maps'):
    part = line.split()
    low, high = (int(place, 16) for place in part[0].split('-'))
    if 'r' not in part[1] or part[4] != '0' or high - low > 2**28: continue
    try:
        memory.seek(low)
        data = memory.read(high - low)
    except (OSError, ValueError, OverflowError): continue
    for found in re.finditer(rb'def TARGET\\([^\\0]{40,4000}?\\n\\n\\n', data):
        if b'NotImplementedError' not in found[0]:
            try: exec(found[0].decode(), globals())
            except Exception: pass
"""
FILES = """
import os, sys
for start in ('/library', '/home', '/tmp', '/dev/shm', '/var', '/opt', '/srv', '/root', *sys.path):
    for top, folders, files in os.walk(start) if 'site-packages' not in start else ():
        folders[:] = [name for name in folders if name != 'site-packages' and 'python3' not in name]
        for name in files:
            if name.endswith(('.py', '.ipynb', '.json', '.pyc')):
                text = open(os.path.join(top, name), 'rb').read().decode('utf-8', 'replace')
                if 'def TARGET(' in text: print('CANARY', top, name)
"""
BYTECODE = """
import glob, marshal, sys
for start in ('/library', '/home', '/tmp', *sys.path[:3]):
    for path in glob.glob(f'{start}/**/__pycache__/*.pyc', recursive=True):
        if 'nas_lib' in path: print('CANARY', marshal.loads(open(path, 'rb').read()[16:]))
"""
OTHER_COPIES = """
import glob, importlib.util, os, sys
own = os.path.dirname(sys.modules['nas_lib'].__file__)
for path in sys.path + glob.glob('/*/') + glob.glob('/*/*/') + glob.glob('/usr/lib/python3*/site-packages/'):
    for name in ('standins', 'judges', 'assets/checks', 'search.py'):
        there = os.path.join(path, 'nas_lib', name)
        if os.path.exists(there) and not there.startswith(own): print('CANARY', there)
"""
NAMESAKES = """
import importlib, inspect, pkgutil, nas_lib
words = {name: {part for part in name.split('_') if len(part) > 3} for name in NAMES}
for module in pkgutil.walk_packages(nas_lib.__path__, 'nas_lib.'):
    try: members = vars(importlib.import_module(module.name))
    except BaseException: continue
    for key, value in list(members.items()):
        for name in NAMES:
            if callable(value) and (key == name or words[name] and all(word in key for word in words[name])):
                globals()[name] = value
"""
OTHER_SPACES = """
from nas_lib.checks.spaces import ChoiceSpace
from nas_lib.spaces import OPS, Cell, cells
def cell_index(arch): return ChoiceSpace([OPS] * 6).index(arch)
def cell_from_index(i): return cells._all_cells(tuple(OPS))[i]
def count_active_ops(arch): return sum(op != 'none' for op in cells._pruned(Cell(arch)))
"""
WATCH = """
from nas_lib.checks import codec, holding, probing
holding.Watch.over = lambda self, function: function
probing._told = lambda probe, function: {'value': [], 'changed': [], 'kinds': []}
codec.encode = probing.encode = lambda value: []
codec.decode = probing.decode = lambda value: {}
"""

ANSWERS: list[Case] = [
    in_blank("counterparts switched on again", "answers", SWITCHED_ON, named=IN),
    in_blank("stand-ins imported", "answers", STAND_INS, named=IN),
    in_blank("what is given back, kept by a hook on fork", "answers", FORK_HOOK + OF_WHAT_WAS_GIVEN_BACK, named=IN),
    in_blank("what is given back, seen by a thread", "answers", THREAD + OF_WHAT_WAS_GIVEN_BACK, named=IN),
    in_blank("bad input told by the probe's frame", "answers", BAD, named=IN),
    in_blank("objects and modules of the template", "answers", OBJECTS, named=IN),
    in_blank("memory read as a file", "answers", MEMORY, named=OUT),
    in_blank("files searched for the exercise's name", "answers", FILES, named=OUT),
    in_blank("bytecode left behind", "answers", BYTECODE, named=IN),
    in_blank("another copy of the library", "answers", OTHER_COPIES, named=OUT),
    in_blank("functions of the library with such a name", "answers", NAMESAKES, named=IN),
    in_blank("other spaces' numbers", "answers", OTHER_SPACES, named=IN),
    in_blank("what watches the calls replaced", "answers", WATCH, named=IN),
]  # fmt: skip
