# SPDX-License-Identifier: Apache-2.0
"""build - a copy of the tree, built once; a mutant is one file compiled anew and linked to the copy's other objects."""
import filecmp
import hashlib
import os
import shlex
import shutil
import subprocess

# No warnings: a mutant that gcc warns of is one; no -g: objects can be compared; FRAMES: unit/wipe looks into frames.
FLAGS = ['CFLAGS=-O2 -w', 'CC=gcc', 'FRAMES=1']
OBJECTS = 'build/gcc-frames'


class Failed(Exception):
    pass


def read(path):
    with open(path) as f:
        return f.read()


def tracked(root):
    """The files of the tree as git sees them, changed and new ones too; of the pages of docs those that a test reads."""
    out = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', '-z'], cwd=root, capture_output=True)
    if out.returncode:
        raise Failed(f'git does not list the files of {root}; run in a clone')
    paths = sorted(p for p in out.stdout.decode().split('\0') if p and os.path.isfile(os.path.join(root, p)))
    tests = ''.join(read(os.path.join(root, p)) for p in paths if p.startswith('tests/') and p.endswith('.c'))
    return [p for p in paths if not p.endswith('.md') or f'"{p}"' in tests]


def fingerprint(root, paths):
    """Names the state of the tree: what was judged at another state is not known at this one."""
    h = hashlib.sha256()
    for p in paths:
        with open(os.path.join(root, p), 'rb') as f:
            h.update(p.encode() + b'\0' + f.read() + b'\0')
    return h.hexdigest()[:16]


class Tree:
    """The copy that was built without a mutant."""

    def __init__(self, folder):
        self.folder, self.lines = folder, {}

    def make(self, *args):
        return subprocess.run(['make', '--no-print-directory', 'V=1', *FLAGS, *args], cwd=self.folder, capture_output=True, text=True,
                              env={k: v for k, v in os.environ.items() if k in ('PATH', 'HOME', 'TMPDIR')})

    def build(self, root, paths, programs, jobs):
        for p in paths:
            copy_if_changed(os.path.join(root, p), os.path.join(self.folder, p))
        done = self.make(f'-j{jobs}', *(f'{OBJECTS}/{p}' for p in programs))
        if done.returncode:
            raise Failed('the tree does not build:\n' + done.stderr[-2000:])

    def commands(self, path, program):
        """How make would compile `path` and link `program` if `path` had changed: two argument lists."""
        if (path, program) not in self.lines:
            done = self.make('-n', '-W', path, f'{OBJECTS}/{program}')
            lines = [shlex.split(x) for x in done.stdout.split('\n') if ' -o ' in x]
            here = [x for x in lines if x[-1] == path and '-c' in x]
            link = [x for x in lines if f'{OBJECTS}/{program}' in x and '-c' not in x]
            if done.returncode or len(here) != 1 or len(link) != 1:
                raise Failed(f'make does not say how {path} is compiled and linked into {program}; take its line out of the table')
            self.lines[path, program] = here[0], link[0]
        return self.lines[path, program]


def copy_if_changed(source, target):
    if os.path.exists(target) and filecmp.cmp(source, target, shallow=False):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)
    shutil.copymode(source, target)


def remove_strangers(folder, paths):
    """What an earlier state of the tree had and this one has not."""
    known = set(paths)
    for where, folders, files in os.walk(folder):
        if where == folder:
            folders[:] = [f for f in folders if f != 'build']
        for name in files:
            path = os.path.join(where, name)
            if os.path.relpath(path, folder) not in known:
                os.remove(path)


class Bench:
    """Where one mutant at a time is built and run: a second copy of the sources, with the mutant in it."""

    def __init__(self, tree, folder, paths):
        self.tree, self.folder = tree, folder
        shutil.rmtree(folder, ignore_errors=True)
        for p in paths:
            copy_if_changed(os.path.join(tree.folder, p), os.path.join(folder, p))
        os.makedirs(os.path.join(folder, 'build'), exist_ok=True)

    def run(self, args, cwd):
        return subprocess.run(args, cwd=cwd, capture_output=True, text=True).returncode == 0

    def compile(self, mutant, program):
        """'' when the object is there, else why it is no mutant: it does not compile, or it is the same program."""
        original = os.path.join(self.tree.folder, mutant.path)
        here = os.path.join(self.folder, mutant.path)
        with open(original) as f:
            text = f.read()
        with open(here, 'w') as f:
            f.write(mutant.apply(text))
        args = list(self.tree.commands(mutant.path, program)[0])
        args[args.index('-o') + 1] = 'build/mutant.o'
        good = self.run(args, self.folder)
        with open(here, 'w') as f:
            f.write(text)
        if not good:
            return 'does not compile'
        before = os.path.join(self.tree.folder, OBJECTS, mutant.path[:-2] + '.o')
        return 'same' if filecmp.cmp(before, os.path.join(self.folder, 'build/mutant.o'), shallow=False) else ''

    def link(self, mutant, program):
        """The program with the mutant's object; it stands before the archives, whose own member is then not taken."""
        args = list(self.tree.commands(mutant.path, program)[1])
        new, old = os.path.join(self.folder, 'build/mutant.o'), f'{OBJECTS}/{mutant.path[:-2]}.o'
        args = [a for a in args if a != old]
        args.insert(next(i for i, a in enumerate(args) if a.endswith(('.o', '.a'))), new)
        out = os.path.join(self.folder, 'build', program)
        args[args.index('-o') + 1] = out
        if not self.run(args, self.tree.folder):
            raise Failed(f'{mutant.id} compiles but does not link into {program}')
        return out
