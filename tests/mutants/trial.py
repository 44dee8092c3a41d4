# SPDX-License-Identifier: Apache-2.0
"""trial - one test program under limits: did it pass, fail, loop or wait?"""
import os
import re
import resource
import signal
import subprocess
import time

PASSED, FAILED, LOOPS, WAITS = 'passed', 'failed', 'loops', 'waits'
MEMORY = 8 << 30
FILE = 1 << 30
LAST = re.compile(rb'(\d+) passed, (\d+) failed\s*$')


class Outcome:
    def __init__(self, state, why, cpu, wall, passed):
        self.state, self.why, self.cpu, self.wall, self.passed = state, why, cpu, wall, passed


def cpu_of_session(leader):
    """Seconds that the processes of a session have used, and the children they have waited for."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/stat') as f:
                fields = f.read().rsplit(')', 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf('SC_CLK_TCK')


running = set()


def stop_all():
    """End every program of this session; each is the leader of its own group."""
    for child in list(running):
        end(child)


def start(args, cwd, cpu, log):
    tmp = os.path.join(cwd, 'build')
    args = ['setpriv', '--pdeathsig', 'KILL', *args]  # not even a killed run leaves a mutant that waits
    child = subprocess.Popen(args, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                             env={**os.environ, 'CK_FORK': 'no', 'TMPDIR': tmp, 'COVERS': '/dev/null', 'LC_ALL': 'C'})
    limits = [(resource.RLIMIT_CORE, 0, 0), (resource.RLIMIT_AS, MEMORY, MEMORY), (resource.RLIMIT_FSIZE, FILE, FILE)]
    if cpu:
        limits.append((resource.RLIMIT_CPU, int(cpu), int(cpu) + 2))
    running.add(child)
    for what, soft, hard in limits:
        try:
            resource.prlimit(child.pid, what, (soft, hard))
        except (ProcessLookupError, PermissionError):
            pass
    return child


def wait(child, cpu, wall):
    """Exit status and usage, or None when a limit was met; `spent` is what the whole session has used."""
    begun = time.monotonic()
    look = begun + 1
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        now = time.monotonic()
        if pid:
            child.returncode = status
            return status, usage.ru_utime + usage.ru_stime, now - begun
        if now >= look:
            look = now + 1
            spent = cpu_of_session(child.pid)
            if (cpu and spent >= cpu) or (wall and now - begun >= wall):
                return None, spent, now - begun
        time.sleep(0.02)


def end(child):
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    while child.returncode is None:
        try:
            child.returncode = os.waitpid(child.pid, 0)[1]
        except ChildProcessError:
            break


def run(args, cwd, cpu=0, wall=0):
    """Run a test program; cpu and wall are limits in seconds, 0 for none. Passed: exit 0 and a last line that says so."""
    path = os.path.join(cwd, 'build', 'log')
    with open(path, 'wb') as log:
        child = start(args, cwd, cpu, log)
        try:
            status, spent, took = wait(child, cpu, wall)
        finally:
            running.discard(child)
            end(child)
    with open(path, 'rb') as f:
        f.seek(max(0, os.path.getsize(path) - 200))
        tail = f.read()
    return judge(status, spent, took, cpu, LAST.search(tail))


def judge(status, spent, took, cpu, last):
    def outcome(state, why):
        return Outcome(state, why, spent, took, int(last[1]) if last else 0)

    if status is None:
        return outcome(LOOPS if cpu and spent >= cpu else WAITS, f'{spent:.1f} s of processor in {took:.1f} s')
    if os.WIFSIGNALED(status):
        loops = os.WTERMSIG(status) == signal.SIGXCPU
        return outcome(LOOPS if loops else FAILED, signal.Signals(os.WTERMSIG(status)).name)
    failed = int(last[2]) if last else 0
    if os.WEXITSTATUS(status) == 0 and last and failed == 0:
        return outcome(PASSED, '')
    return outcome(FAILED, f'{failed} tests' if failed else f'exit {os.WEXITSTATUS(status)}')
