# SPDX-License-Identifier: Apache-2.0
"""cfile - one C file as tokens: brackets matched, functions named, file-scope initialisers known.

A lexer is enough: the five kinds of mutants need tokens, brackets and precedence, and the compiler refuses the rest.
"""
import bisect
import re

TOKEN = re.compile(r'''
 (?P<skip>\s+|//[^\n]*|/\*.*?\*/|(?m:^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*))
|(?P<text>L?"(?:\\.|[^"\\])*"|L?'(?:\\.|[^'\\])*')
|(?P<word>[A-Za-z_]\w*)
|(?P<number>\.?[0-9](?:[eEpP][+-]|[\w.])*)
|(?P<sign><<=|>>=|\.\.\.|->|\+\+|--|&&|\|\||<<|>>|[<>=!+*/%&|^-]=|.)
''', re.X | re.S)
OPEN, CLOSE = '([{', ')]}'


class Token:
    def __init__(self, kind, text, start):
        self.kind, self.text, self.start, self.end = kind, text, start, start + len(text)
        self.mate = None  # index of the matching bracket
        self.function = None  # (name, words of its type) of the body that holds it
        self.table = False  # in an initialiser at file scope


class CFile:
    def __init__(self, path, text):
        self.path, self.text = path, text
        self.lines = text.split('\n')
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.tokens = [Token(m.lastgroup, m[0], m.start()) for m in TOKEN.finditer(text) if m.lastgroup != 'skip']
        self._match()
        self._scopes()

    def place(self, at):
        """Line and column, from 1; the column counts characters, a tab is one."""
        line = bisect.bisect_right(self.starts, at)
        return line, at - self.starts[line - 1] + 1

    def source(self, first, last):
        """The text of tokens first to last, both included."""
        return self.text[self.tokens[first].start:self.tokens[last].end]

    def is_at(self, i, *words):
        """Are these words the tokens from i on?"""
        return [t.text for t in self.tokens[i:i + len(words)]] == list(words)

    def _match(self):
        stack = []
        for i, t in enumerate(self.tokens):
            if t.kind != 'sign':
                continue
            if t.text in OPEN:
                stack.append(i)
            elif t.text in CLOSE and stack:
                t.mate = stack.pop()
                self.tokens[t.mate].mate = i

    def _scopes(self):
        i = first = 0
        while i < len(self.tokens):
            t = self.tokens[i]
            if t.text == ';':
                first = i + 1
            elif t.mate is not None and t.text in OPEN:
                if t.text == '{':
                    first = self._block(first, i)
                i = t.mate
            i += 1

    def _block(self, first, at):
        """A brace at file scope opens a body, an initialiser or a type; where the next declaration begins."""
        before = self.tokens[at - 1]
        inside = self.tokens[at + 1:self.tokens[at].mate]
        if before.text == ')' and before.mate:
            name = self.tokens[before.mate - 1].text
            words = [t.text for t in self.tokens[first:before.mate - 1]]
            for t in inside:
                t.function = (name, words)
            return self.tokens[at].mate + 1
        for t in inside if before.text == '=' else ():
            t.table = True
        return first
