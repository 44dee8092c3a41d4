# SPDX-License-Identifier: Apache-2.0
"""kinds - the mutants of a C file: condition, comparison, constant, call, wipe. docs/testing.md, "Mutants", lists them."""
import hashlib
import re

from cfile import CFile

KINDS = ('condition', 'comparison', 'constant', 'call', 'wipe')
OTHER_SIDE = {'<': '<=', '<=': '<', '>': '>=', '>=': '>', '==': '!=', '!=': '=='}
WIPE = re.compile(r'(.*_)?(wipe|cleanse|clean)$|explicit_bzero$')
NAMED = re.compile(r'[A-Z][A-Z0-9_]+$')
NOT_A_NUMBER = re.compile(r'(OK|NULL|EOF|ERR_\w+|[A-Z]+_C)$')  # which error it is, is no limit
INTEGER = re.compile(r'(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*$')
CLEANUP = re.compile(r'#\s*define\s+(\w+)\s+__attribute__\(\(cleanup\((\w+)\)\)\)\s+([\w ]+)')
WORDS_BEFORE_OPERAND = ('return', 'case', 'else', 'do')
ENDS_OPERAND = {',', ';', '?', ':', '=', '{', '}', '|=', '&=', '^=', '+=', '-=', '*=', '/=', '%=', '<<=', '>>='}
OPENERS, CLOSERS = ('(', '[', '{'), (')', ']', '}')
SUCCESS = {'status': 'OK', 'sw': 'SW_OK', 'bool': 'true'}


class Mutant:
    """Text [start, end) of a file becomes `new`. The id names the place for people; the key stays when lines or folders move."""

    def __init__(self, file, kind, n, start, end, new):
        self.path, self.kind, self.n, self.start, self.end = file.path, kind, n, start, end
        self.new = new + '\n' * (file.text.count('\n', start, end) - new.count('\n'))
        self.line, self.column = file.place(start)
        self.source = file.lines[self.line - 1].strip()

    def name(self, digest):
        self.key = f'{self.column}:{self.kind}:{self.n}:{digest}'
        self.id = f'{self.path}:{self.line}:{self.key}'

    def apply(self, text):
        return text[:self.start] + self.new + text[self.end:]


def wipers(headers):
    """What the macros with a cleanup attribute that wipes stand for: {'SECRET': 'struct secret'}."""
    return {m[1]: m[3].strip() for text in headers for m in CLEANUP.finditer(text) if WIPE.match(m[2])}


def mutants_of(path, text, macros=None, quiet=()):
    """All mutants of a file, in the order of the text, with their names. quiet: calls that are not worth dropping."""
    file = CFile(path, text)
    macros = {**(macros or {}), **wipers([text])}
    found = []

    def add(kind, n, start, end, new):
        found.append(Mutant(file, kind, n, start, end, new))

    for i, t in enumerate(file.tokens):
        if t.function:
            condition(file, i, add)
            operand(file, i, add)
            comparison(file, i, add)
            call(file, i, add, quiet)
            attribute(file, i, add, macros)
        constant(file, i, add)
    found.sort(key=lambda m: (m.start, KINDS.index(m.kind), m.n))
    name_all(file, found)
    return found


def name_all(file, found):
    seen = {}
    functions = {t.start: t.function[0] for t in file.tokens if t.function}
    for m in found:
        where = (file.path.rsplit('/', 1)[-1], functions.get(m.start, ''), m.source)
        place = (where, m.column, m.kind, m.n)
        lines = seen.setdefault(place, [])
        lines.append(m.line)
        digest = hashlib.sha256('\0'.join((*where, str(len(lines)))).encode()).hexdigest()[:10]
        m.name(digest)


def condition(file, i, add):
    """if and while: denied, never, always; what the condition does besides is still done."""
    t = file.tokens[i]
    if t.text not in ('if', 'while') or not file.is_at(i + 1, '('):
        return
    first, last = i + 2, file.tokens[i + 1].mate - 1
    start, end, c = file.tokens[first].start, file.tokens[last].end, file.source(first, last)
    if len(top(file, first, last, OTHER_SIDE)) != 1 or top(file, first, last, ('&&', '||', '?')):
        add('condition', 1, start, end, f'!({c})')  # a lone comparison is denied by the kind "comparison"
    add('condition', 2, start, end, f'({c}) && 0')
    if t.text == 'if':
        add('condition', 3, start, end, f'({c}) || 1')


def top(file, first, last, texts):
    """Indices of the tokens of these texts between first and last that no bracket holds."""
    at, found = first, []
    while at <= last:
        t = file.tokens[at]
        if t.kind == 'sign' and t.text in texts:
            found.append(at)
        at = t.mate + 1 if t.text in OPENERS and t.mate else at + 1
    return found


def operand(file, i, add):
    """One operand of && or || does not count; the condition of ?: is denied, never and always true."""
    t = file.tokens[i]
    if t.kind != 'sign' or t.text not in ('&&', '||', '?'):
        return
    first, last = left(file, i), i - 1
    if t.text == '?':
        c = file.source(first, last)
        for n, new in ((4, f'!({c})'), (5, f'(({c}) && 0)'), (6, f'(({c}) || 1)')):
            add('condition', n, file.tokens[first].start, file.tokens[last].end, new)
        return
    ignore = ('({}) || 1', '({}) && 0')[t.text == '||']
    spans = [(right_of_last(file, first, last, t.text), last)]
    if not chained(file, i, t.text):
        spans.append((i + 1, right(file, i)))
    for a, b in spans:
        add('condition', 7, file.tokens[a].start, file.tokens[b].end, '(' + ignore.format(file.source(a, b)) + ')')


def left(file, i):
    """The first token of what stands left of the operator at i: up to a bracket, a comma, an assignment, a return."""
    at, ends = i - 1, ENDS_OPERAND | ({'||'} if file.tokens[i].text == '&&' else set())
    while at > 0:
        t = file.tokens[at]
        if t.text in CLOSERS and t.mate is not None:
            at = t.mate - 1
            continue
        if t.text in OPENERS or t.text in ends or t.text in WORDS_BEFORE_OPERAND:
            return at + 1
        at -= 1
    return 0


def right(file, i):
    """The last token of what stands right of the operator at i."""
    at = i + 1
    while at < len(file.tokens):
        t = file.tokens[at]
        if t.text in OPENERS and t.mate:
            at = t.mate + 1
            continue
        if t.text in CLOSERS or t.text in ENDS_OPERAND or t.text in ('&&', '||'):
            return at - 1
        at += 1
    return i + 1


def right_of_last(file, first, last, operator):
    before = top(file, first, last, (operator,))
    return before[-1] + 1 if before else first


def chained(file, i, operator):
    """Does the same operator follow? Then its own turn takes what is between."""
    after = right(file, i) + 1
    return after < len(file.tokens) and file.tokens[after].text == operator


def comparison(file, i, add):
    t = file.tokens[i]
    if t.kind == 'sign' and t.text in OTHER_SIDE:
        add('comparison', 1, t.start, t.end, OTHER_SIDE[t.text])


def constant(file, i, add):
    """A number, or the name of one, one more and one less. In tables at file scope: names and decimal numbers only."""
    t = file.tokens[i]
    if not (t.function or t.table) or not is_number(file, i) or is_fixed(file, i):
        return
    if t.table and t.text.startswith(('0x', '0X')):
        return
    add('constant', 1, t.start, t.end, f'({t.text} + 1)')
    add('constant', 2, t.start, t.end, f'({t.text} - 1)')


def is_number(file, i):
    t = file.tokens[i]
    if t.kind == 'number':
        return bool(INTEGER.match(t.text))
    after = file.tokens[i + 1]
    return t.kind == 'word' and bool(NAMED.match(t.text)) and not NOT_A_NUMBER.match(t.text) and after.text != '(' \
        and after.kind not in ('word', 'text') and not file.is_at(i - 1, '.') and not file.is_at(i - 1, '->')


def is_fixed(file, i):
    """Not mutants: case labels, `{ 0 }`, designators, sizes of arrays, tables in functions, what SECRET stands before."""
    if file.is_at(i - 1, '{', '0', '}') or file.tokens[i - 1].text == 'case' or file.is_at(i + 1, '...'):
        return True
    if file.is_at(i - 1, '[') and file.is_at(i + 1, ']', '=') and file.tokens[i - 2].text in ('{', ','):
        return True
    first = statement(file, i)
    if file.tokens[first].text in ('static', 'enum', 'case'):
        return file.tokens[i].function is not None
    return declares(file, first) and in_size(file, first, i)


def statement(file, i):
    at = i - 1
    while at >= 0:
        t = file.tokens[at]
        if t.text == '}' and t.mate is not None and not file.is_at(at + 1, ',') and not file.is_at(at + 1, ';'):
            return at + 1
        if t.text in CLOSERS and t.mate is not None:
            at = t.mate - 1
            continue
        if t.text == ';' or t.text == '{' and file.tokens[at - 1].text not in ('=', ',', ')', '{') or \
           t.text == '{' and file.tokens[at - 1].text == ')' and t.function != file.tokens[i].function:
            return at + 1
        at -= 1
    return 0


def declares(file, first):
    a, b = file.tokens[first], file.tokens[first + 1]
    return a.kind == 'word' and (b.kind == 'word' or b.text == '*') and a.text not in WORDS_BEFORE_OPERAND + ('goto',)


def in_size(file, first, i):
    """Inside [ ] before any = of its declarator."""
    at = i - 1
    while at > first:
        t = file.tokens[at]
        if t.text in CLOSERS and t.mate is not None:
            at = t.mate
        elif t.text == '[':
            return file.tokens[at - 1].kind == 'word' or file.tokens[at - 1].text == ']'
        elif t.text in ('=', '(', '{'):
            return False
        at -= 1
    return False


def call(file, i, add, quiet):
    """A call is dropped, or made and its result passed over. A call that wipes is of the kind wipe."""
    t = file.tokens[i]
    if t.kind != 'word' or not file.is_at(i + 1, '(') or file.tokens[i + 1].mate is None or t.text in quiet:
        return
    close = file.tokens[i + 1].mate
    before = i - 3 if file.is_at(i - 3, '(', 'void', ')') else i
    if t.text == 'TRY' and file.is_at(close + 1, ';'):
        inner = file.source(i + 2, close - 1)
        if file.tokens[i + 2].text not in quiet:
            add('call', 1, t.start, file.tokens[close].end, '(void)0')
            add('call', 2, t.start, file.tokens[close].end, f'(void)({inner})')
    elif begins_statement(file, before) and file.is_at(close + 1, ';'):
        add('wipe' if WIPE.match(t.text) else 'call', 1, file.tokens[before].start, file.tokens[close].end, '(void)0')
    elif t.text not in ('if', 'while', 'for', 'switch', 'sizeof', 'return'):
        passed_over(file, i, close, add)


def begins_statement(file, i):
    t = file.tokens[i - 1]
    if t.text in (';', '{', '}', 'else', 'do'):
        return True
    if t.text == ':':
        return not any(file.tokens[at].text == '?' for at in range(statement(file, i), i))
    return t.text == ')' and t.mate and file.tokens[t.mate - 1].text in ('if', 'while', 'for', 'switch')


def passed_over(file, i, close, add):
    ok = expected(file, i, close)
    if ok:
        start, end = file.tokens[i].start, file.tokens[close].end
        add('call', 1, start, end, ok)
        add('call', 2, start, end, f'((void){file.source(i, close)}, {ok})')


def expected(file, i, close):
    """What the call at i answers when all is well, as far as the text shows it; else None."""
    tokens = file.tokens
    if file.is_at(i - 1, 'return') and file.is_at(close + 1, ';'):
        return success_of(tokens[i].function[1])
    after = close + 1
    if file.is_at(i - 1, '=') and tokens[i - 2].kind == 'word' and file.is_at(i - 3, '(') and file.is_at(close + 1, ')'):
        after = close + 2
    if after < len(tokens) - 1 and tokens[after].text in ('==', '!=') and tokens[after + 1].text in ('OK', 'SW_OK'):
        return tokens[after + 1].text
    if file.is_at(i - 2, 'st', '=') and file.is_at(close + 1, ';'):
        return 'OK'
    return None


def success_of(words):
    if '*' in words:
        return None
    return next((SUCCESS[w] for w in words if w in SUCCESS), None)


def attribute(file, i, add, macros):
    """A declaration whose variable is wiped at its end becomes a plain one."""
    t = file.tokens[i]
    if t.text in macros and file.tokens[i + 1].kind == 'word':
        add('wipe', 2, t.start, t.end, macros[t.text])
