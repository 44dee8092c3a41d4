# SPDX-License-Identifier: Apache-2.0
"""report - what the judged mutants of a draw add up to."""
import math
import os

NOTICED = ('noticed', 'loops')
JUDGED = NOTICED + ('survived', 'waits')


def interval(part, whole):
    """Wilson's 95 % interval in percent: where the share of all mutants lies, as far as a draw shows it."""
    z, p = 1.96, part / whole
    middle, half = p + z * z / (2 * whole), z * math.sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole))
    return [round(100 * (middle + s * half) / (1 + z * z / whole)) for s in (-1, 1)]


def row(name, results):
    n, total = sum(r in NOTICED for r in results), len(results)
    low, high = interval(n, total)
    return f'{name:24} {n:5} of {total:5} noticed  {round(100 * n / total):3} %  (95 %: {low} to {high})'


def groups(rows, key):
    found = {}
    for mutant, result in rows:
        found.setdefault(key(mutant), []).append(result)
    return [row(name, results) for name, results in sorted(found.items())]


def survivor(mutant, result, text):
    """The source before and after, each on one line, however many it takes there."""
    first, last = mutant.line - 1, mutant.line + text.count('\n', mutant.start, mutant.end)
    before, after = (' '.join(x.strip() for x in t.split('\n')[first:last]) for t in (text, mutant.apply(text)))
    note = '  (waits)' if result == 'waits' else ''
    return f'{mutant.id}{note}\n\t-{before}\n\t+{after}'


def summary(title, rows, apart, controls, read):
    """rows: (mutant, result) of the draw; apart: how many draws were no mutants, by reason."""
    out = [title, '']
    if rows:
        out += [row('all', [r for _, r in rows]), '', *groups(rows, lambda m: m.kind), '',
                *groups(rows, lambda m: os.path.dirname(m.path)), '']
        out.append(f'of the noticed, {sum(r == "loops" for _, r in rows)} loop; of the survivors, '
                   f'{sum(r == "waits" for _, r in rows)} wait')
    out.append('counted apart: ' + (', '.join(f'{n} {why}' for why, n in sorted(apart.items())) or 'none'))
    out.append(f'{controls} runs of the unmutated program in between, all passed')
    lost = sorted((m.path, m.line, m.column, m.n, m, r) for m, r in rows if r not in NOTICED)
    if lost:
        out += ['', 'Survivors:', *(survivor(m, r, read(m.path)) for *_, m, r in lost)]
    return '\n'.join(out) + '\n'
