"""Rewrites 2012-style CUDA C++ so that g++ compiles it against include/cuda_runtime.h (spec 6.6).

Works on tokens: launches become calls, kernels a body that the runtime calls for each thread, ``__shared__`` variables
thread-local ones with checked indices. Every token but a launch's head keeps its line, and a ``#line`` directive names
the original, so that errors of the compiler and at run time do, too. What is not supported is an error here.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

#: Identifiers that are refused, by what they belong to.
UNSUPPORTED = {
    "textures and surfaces": r"tex(1D|2D|3D|1Dfetch|ture|Cubemap)\w*|surf(1D|2D|3D|ace|Cubemap)\w*"
    r"|cuda(Bind|Unbind)Texture\w*|cuda(Create|Destroy)(Texture|Surface)Object|cuda(Texture|Surface)Object_t",
    "warp intrinsics": r"__shfl\w*|__ballot\w*|__any(_sync)?|__all(_sync)?|__activemask|__match_(any|all)_sync"
    r"|__reduce_\w+_sync|__vote\w*",
    "inline assembly": r"asm|__asm|__asm__",
    "cooperative groups": r"cooperative_groups|cudaLaunchCooperativeKernel\w*|cudaGridSynchronize",
    "launches from kernels": r"cudaGetParameterBuffer\w*|cudaLaunchDevice\w*",
    "asynchronous copies": r"__pipeline_\w+|memcpy_async",
}
_UNSUPPORTED = [(what, re.compile(pattern)) for what, pattern in UNSUPPORTED.items()]

#: Names that are common words elsewhere: refused only before these tokens.
_UNSUPPORTED_BEFORE = {"texture": ("<",), "surface": ("<",), "asm": ("(", "volatile", "__volatile__", "goto")}

_UNSUPPORTED_HEADER = re.compile(r"#\s*include\s*[<\"]((cooperative_groups|thrust/|cub/|curand_kernel)[^>\"]*)")

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|\\\r?\n|//(?:\\\r?\n|[^\n])*|/\*.*?\*/)+)
      | (?P<string>(?:u8|[uUL])?R"(?P<mark>[^()\\\s"]{0,16})\(.*?\)(?P=mark)"
                 | (?:u8|[uUL])?"(?:\\.|[^"\\\n])*"
                 | (?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
      | (?P<word>[A-Za-z_$][\w$]*)
      | (?P<number>\.?\d(?:'?[\w.]|(?<=[eEpP])[+-])*)
      | (?P<punctuation><<<|>>>|<<=|<<|<=>|<=|>=|->|::|\#\#|&&|\|\||[+\-*/%&|^!=]=|\+\+|--|.)""",
    re.VERBOSE | re.DOTALL,
)
_DIRECTIVE = re.compile(
    r"""\#(?:\\\r?\n|/\*.*?\*/|//(?:\\\r?\n|[^\n])*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[^\n])*""",
    re.VERBOSE | re.DOTALL,
)
_DEFINE = re.compile(r"(\#\s*define(?:\s|\\\r?\n)+[\w$]+(?:\([^)]*\))?)(.*)", re.DOTALL)
_SPLICE = re.compile(r"\\\r?\n")

_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = set(_OPENING.values())

#: Words before an index or a call that make it an expression; any other word would be a type.
_EXPRESSION_WORDS = {
    "return", "else", "do", "case", "throw", "sizeof", "co_return", "goto", "and", "or", "not", "xor", "new", "delete",
}  # fmt: skip

_RUNTIME = "::convnet_emulation::"


class TranslationError(Exception):
    """One or more constructs that cannot be translated: ``FILE:LINE: message``, one a line."""


@dataclass
class Token:
    """A piece of source text; ``kind`` is a group of _TOKEN, or ``directive``. ``line`` counts from 1."""

    kind: str
    text: str
    line: int


def lex(source: str, file: str, first_line: int = 1, directives: bool = True) -> list[Token]:
    """All of ``source`` as tokens: their texts, joined, are ``source`` again. Raises TranslationError."""
    tokens: list[Token] = []
    at, line, line_start = 0, first_line, True
    while at < len(source):
        if directives and line_start and source[at] == "#":
            match = _DIRECTIVE.match(source, at)
            kind = "directive"
        else:
            match = _TOKEN.match(source, at)
            kind = match.lastgroup if match else None
            if kind == "mark":
                kind = "string"
        text = match.group() if match else ""
        if source.startswith("/*", at) and kind != "space":
            raise TranslationError(f"{file}:{line}: this comment does not end")
        if text in ('"', "'") and directives:
            raise TranslationError(f"{file}:{line}: this quotation does not end")
        tokens.append(Token(kind, text, line))
        newlines = text.count("\n")
        line += newlines
        line_start = (line_start or newlines > len(_SPLICE.findall(text))) if kind == "space" else False
        at += len(text)
    return tokens


#: Macros that are known to be defined, or not to be.
_KNOWN_MACROS = {"CONVNET_EMULATION": True, "__CUDACC__": False, "__CUDA_ARCH__": False, "__NVCC__": False}


class _Conditionals:
    """Which parts of a source the preprocessor leaves out, as far as _KNOWN_MACROS tell."""

    _IF = re.compile(r"#\s*(ifdef|ifndef|if|elif|else|endif)\b\s*(.*)", re.DOTALL)
    _DEFINED = re.compile(r"(!?)\s*defined\s*(?:\(\s*(\w+)\s*\)|(\w+))")

    def __init__(self) -> None:
        self.levels: list[tuple[bool, bool | None]] = []  # (outside is active, this branch: yes, no, unknown)

    def active(self) -> bool:
        return all(outside and branch is not False for outside, branch in self.levels)

    def see(self, directive: str) -> None:
        match = self._IF.match(directive)
        if not match:
            return
        kind, rest = match[1], match[2].split("//")[0].split("/*")[0].strip()
        if kind in ("if", "ifdef", "ifndef"):
            self.levels.append((self.active(), self._value(kind, rest)))
        elif self.levels and kind == "endif":
            self.levels.pop()
        elif self.levels:
            outside, branch = self.levels[-1]
            after = {None: None, True: False, False: True if kind == "else" else self._value("if", rest)}[branch]
            self.levels[-1] = (outside, after)

    def _value(self, kind: str, rest: str) -> bool | None:
        if kind in ("ifdef", "ifndef"):
            known = _KNOWN_MACROS.get(rest)
            return known if known is None or kind == "ifdef" else not known
        if rest in ("0", "1"):
            return rest == "1"
        match = self._DEFINED.fullmatch(rest)
        known = _KNOWN_MACROS.get(match[2] or match[3]) if match else None
        return known if known is None or not match[1] else not known


class _Rewriter:
    """Rewrites the tokens of one file, or of the body of one macro."""

    def __init__(self, tokens: list[Token], file: str, macro: bool = False) -> None:
        self.file = file
        self.macro = macro
        self.tokens = tokens
        self.out = [token.text for token in tokens]  # what is written for each token
        self.errors: list[tuple[int, str]] = []
        self.code: list[int] = []  # positions in tokens of what is code; all indices below are positions in this
        self.match: dict[int, int] = {}  # bracket -> its partner
        self.brace: list[int | None] = []  # the innermost { around each
        self.shared: dict[str, list[tuple[int, int]]] = {}  # name of a shared array -> where it is visible
        self.hidden: dict[str, list[tuple[int, int]]] = {}  # and where another variable hides it
        self.kernels: list[tuple[int, int]] = []  # bodies of kernels
        self._read_structure()

    def rewrite(self) -> str:
        for k in range(len(self.code)):
            self._rewrite_at(k)
        return "".join(self.out)

    # Reading

    def text(self, k: int) -> str:
        """The text of code token k; empty beyond both ends."""
        return self.tokens[self.code[k]].text if 0 <= k < len(self.code) else ""

    def kind(self, k: int) -> str:
        return self.tokens[self.code[k]].kind if 0 <= k < len(self.code) else ""

    def line(self, k: int) -> int:
        return self.tokens[self.code[min(k, len(self.code) - 1)]].line

    def error(self, k: int, message: str) -> None:
        self.errors.append((self.line(k), message))

    def _read_structure(self) -> None:
        """Fills code, match and brace. Branches of a conditional each start from the brackets open before it."""
        conditionals = _Conditionals()
        open_brackets: list[int] = []
        saved: list[list[int]] = []
        for position, token in enumerate(self.tokens):
            if token.kind == "directive":
                conditionals.see(token.text)
                word = re.match(r"#\s*(\w*)", token.text)[1]
                if word in ("if", "ifdef", "ifndef"):
                    saved.append(list(open_brackets))
                elif word in ("else", "elif") and saved:
                    open_brackets = list(saved[-1])
                elif word == "endif" and saved:
                    saved.pop()
                elif conditionals.active():
                    self._rewrite_directive(position)
            elif token.kind != "space" and conditionals.active():
                self._read_bracket(token, len(self.code), open_brackets)
                self.code.append(position)

    def _read_bracket(self, token: Token, k: int, open_brackets: list[int]) -> None:
        if token.text in _CLOSING and open_brackets:
            start = open_brackets[-1]
            if _OPENING[self.text(start)] == token.text:
                open_brackets.pop()
                self.match[start], self.match[k] = k, start
        self.brace.append(next((b for b in reversed(open_brackets) if self.text(b) == "{"), None))
        if token.text in _OPENING and token.kind == "punctuation":
            open_brackets.append(k)

    def _end_of_scope(self, k: int) -> int:
        brace = self.brace[k]
        return self.match.get(brace, len(self.code)) if brace is not None else len(self.code)

    # Writing

    def _write(self, k: int, text: str) -> None:
        self.out[self.code[k]] = text

    def _before(self, k: int, text: str) -> None:
        self.out[self.code[k]] = text + self.out[self.code[k]]

    def _after(self, k: int, text: str) -> None:
        self.out[self.code[k]] += text

    def _rewrite_directive(self, position: int) -> None:
        token = self.tokens[position]
        header = _UNSUPPORTED_HEADER.match(token.text)
        if header:
            self.errors.append((token.line, f"unsupported by the emulation: the header {header[1]}"))
        define = _DEFINE.match(token.text)
        if define:
            line = token.line + define[1].count("\n")
            body = _Rewriter(lex(define[2], self.file, line, directives=False), self.file, macro=True)
            self.out[position] = define[1] + body.rewrite()
            self.errors += body.errors

    def _rewrite_at(self, k: int) -> None:
        text, kind = self.text(k), self.kind(k)
        if kind == "word":
            self._refuse_unsupported(k, text)
            if text == "__global__":
                self._rewrite_kernel(k)
            elif text == "__shared__":
                self._rewrite_shared(k)
            elif text == "__noinline__" and self.text(k - 1) != "(":
                self._write(k, "")
            elif text == "printf":
                self._rewrite_printf(k)
            elif self.text(k + 1) == "[" and text in self.shared:
                self._rewrite_index(k)
        elif text == "<<<" and self.text(k - 1) != "operator":
            self._rewrite_launch(k)

    def _refuse_unsupported(self, k: int, text: str) -> None:
        if self.text(k - 1) in (".", "->"):
            return
        before = _UNSUPPORTED_BEFORE.get(text)
        if before is not None and self.text(k + 1) not in before:
            return
        for what, pattern in _UNSUPPORTED:
            if pattern.fullmatch(text):
                self.error(k, f"unsupported by the emulation: {text} ({what})")

    # Kernels

    def _rewrite_kernel(self, k: int) -> None:
        """``__global__ void f(T x) {body}`` -> ``void f(T x) {run(__func__, [=]() mutable -> void {body}); }``.

        So a kernel stays a function: overloads, template arguments and default arguments work as ever.
        """
        self._write(k, "")
        parameters = self._parameters_after(k + 1)
        if parameters is None:
            self.error(k, "unsupported by the emulation: __global__ without a parameter list after it")
            return
        body = self.match[parameters] + 1
        while self.text(body) not in ("{", ";", ""):
            body += 1
        if self.text(body) == ";" or (self.text(body) == "" and self.macro):
            if self.text(body) == "":
                self.error(k, "unsupported by the emulation: __global__ in a macro without the kernel's body")
            return
        if body not in self.match:
            self.error(k, "the body of this kernel does not end")
            return
        self._after(body, f" {_RUNTIME}run(__func__, [=]() mutable -> void {{")
        self._before(self.match[body], "});")
        self.kernels.append((body, self.match[body]))

    def _parameters_after(self, k: int) -> int | None:
        """The ( of a function's parameters, from within its declaration."""
        while self.text(k) not in (";", "{", "}", ""):
            if self.text(k) in ("__launch_bounds__", "__attribute__", "__align__", "alignas", "decltype"):
                k = self.match.get(k + 1, k + 1)
            elif self.text(k) == "<" and self.kind(k - 1) == "word":
                k = self._end_of_template(k) or k
            elif self.text(k) == "(":
                return k if k in self.match else None
            k += 1
        return None

    def _end_of_template(self, k: int) -> int | None:
        """The > that closes the < at k, if that opens template arguments."""
        depth = 0
        while self.text(k) not in (";", "{", "}", ")", "]", ""):
            text = self.text(k)
            depth += {"<": 1, ">": -1, ">>>": -3}.get(text, 0)
            if depth <= 0:
                return k
            k = self.match.get(k, k) + 1 if text in _OPENING else k + 1
        return None

    def _start_of_template(self, k: int) -> int | None:
        """The < that opens what the > at k closes."""
        depth = 0
        while self.text(k) not in (";", "{", "}", "(", "[", ""):
            text = self.text(k)
            depth += {">": 1, "<": -1, ">>>": 3}.get(text, 0)
            if depth == 0:
                return k
            k = self.match.get(k, k) - 1 if text in _CLOSING else k - 1
        return None

    # Shared memory

    def _rewrite_shared(self, k: int) -> None:
        """``__shared__ T a[3]`` -> ``static thread_local T a[3]``; extern ones become references to the block's memory.

        The threads of a block share one OS thread, so its thread-local variables are theirs. What follows a declaration
        tells the runtime, each time that a thread comes by, where there is something to poison.
        """
        if self.macro and self.text(k + 1) == "":
            self._write(k, "static thread_local")  # a macro that stands for the qualifier
            return
        start = k
        while start > 0 and self.text(start - 1) not in (";", "{", "}", ":", ")"):
            start -= 1
        end, declarators = self._declarators(k + 1)
        if not declarators:
            self.error(k, "unsupported by the emulation: __shared__ without a declaration after it")
            return
        words = {self.text(i): i for i in range(start, end) if self.kind(i) == "word"}
        for word in ("extern", "static"):
            if word in words:
                self._write(words[word], "")
        self._write(k, "static thread_local")
        for name, last in declarators:
            if "extern" in words:
                self._before(name, "(&")
                self._after(name, ")")
                self._after(last, f" = {_RUNTIME}DynamicShared()")
            elif self.text(last + 1) in ("=", "{"):
                self.error(name, f"the __shared__ variable '{self.text(name)}' cannot have an initial value")
            if self.text(name + 1) == "[":
                self.shared.setdefault(self.text(name), []).append((end, self._end_of_scope(k)))
            if "extern" not in words and self.text(end) == ";":
                variable = self.text(name)
                self._after(end, f" const {_RUNTIME}SharedStart convnet_emulation_start_{variable}({variable});")

    def _declarators(self, k: int) -> tuple[int, list[tuple[int, int]]]:
        """The end of the declaration that goes on at k, and the first and last token of its declarators."""
        declarators: list[tuple[int, int]] = []
        name = None
        while self.text(k) not in ("}", ""):
            text = self.text(k)
            if text in (",", ";", "=") and name is not None:
                declarators.append((name, k - 1))
                if text == "=":
                    return k, declarators
                name = None
            if text == ";":
                break
            if text in ("__align__", "alignas", "__attribute__"):
                k = self.match.get(k + 1, k + 1)
            elif text == "<":
                k = self._end_of_template(k) or k
            elif text in _OPENING:
                k = self.match.get(k, k)
            elif self.kind(k) == "word":
                name = k
            k += 1
        if self.macro and self.text(k) == "" and name is not None:
            declarators.append((name, k - 1))
        return k, declarators

    def _rewrite_index(self, k: int) -> None:
        """``a[i]`` -> ``a[(checked<decltype(a), 0>((i), "a"))]``, and so on for ``a[i][j]``."""
        name = self.text(k)
        if not self._visible(name, k) or self.text(k - 1) in (".", "->", "::"):
            return
        previous = self.text(k - 1)
        if self.kind(k - 1) == "word" and previous not in _EXPRESSION_WORDS:
            self.hidden.setdefault(name, []).append((k, self._end_of_scope(k)))
            return
        takes_address = previous == "&" and not self._ends_operand(k - 2)
        dimensions: list[int] = []
        bracket = k + 1
        while self.text(bracket) == "[" and bracket in self.match:
            dimensions.append(bracket)
            bracket = self.match[bracket] + 1
        takes_address = takes_address and self.text(bracket) not in (".", "->", "(")
        for dimension, start in enumerate(dimensions):
            address = ", true" if takes_address and start == dimensions[-1] else ""
            self._after(start, f"({_RUNTIME}checked<decltype({name}), {dimension}{address}>((")
            self._before(self.match[start], f'), "{name}"))')

    def _ends_operand(self, k: int) -> bool:
        """Whether an & after k is the binary one."""
        if self.kind(k) == "word":
            return self.text(k) not in _EXPRESSION_WORDS
        return self.kind(k) == "number" or self.text(k) in (")", "]")

    def _visible(self, name: str, k: int) -> bool:
        def within(ranges: dict[str, list[tuple[int, int]]]) -> int:
            return max((start for start, end in ranges.get(name, []) if start <= k < end), default=-1)

        return within(self.shared) > within(self.hidden)

    # Launches and printf

    def _rewrite_launch(self, k: int) -> None:
        """``f<T><<<grid, block>>>(x)`` -> ``(configure(grid, block), f<T>(x))``, all of the head on its first line."""
        start = self._start_of_kernel_name(k - 1)
        end = self._end_of_configuration(k)
        if start is None or end is None:
            self.error(k, "this <<< has no kernel before it" if start is None else "this <<< has no >>> after it")
            return
        if any(body < k < body_end for body, body_end in self.kernels):
            self.error(k, "unsupported by the emulation: a launch in a kernel (dynamic parallelism)")
        if any(self.tokens[p].kind == "directive" for p in range(self.code[start], self.code[end])):
            self.error(k, "unsupported by the emulation: a preprocessor directive within a launch")
        last = self.match.get(end + 1)
        if self.text(end + 1) == "(":
            if last is None:
                self.error(k, "the arguments of this launch do not end")
                return
        elif not (self.macro and self.text(end + 1) == ""):
            self.error(k, "this launch has no argument list after >>>")
            return
        kernel, configuration = self._flat(start, k - 1), self._flat(k + 1, end - 1)
        newlines = sum(self.tokens[p].text.count("\n") for p in range(self.code[start], self.code[end]))
        for position in range(self.code[start], self.code[end] + 1):
            self.out[position] = ""
        line_end = "\\\n" if self.macro else "\n"
        self._write(start, f"({_RUNTIME}configure({configuration}), {kernel}" + line_end * newlines)
        self._after(last if last is not None else end, ")")

    def _start_of_kernel_name(self, k: int) -> int | None:
        """Where the expression that ends at k, a kernel's name with its template arguments, starts."""
        if self.text(k) == ">":
            opening = self._start_of_template(k)
            if opening is None:
                return None
            k = opening - 1
        while self.text(k) in (")", "]"):
            if k not in self.match:
                return None
            k = self.match[k]
            if self.text(k) == "(" and self.kind(k - 1) != "word":
                return k
            k -= 1
        if self.kind(k) != "word":
            return None
        if self.text(k - 1) == "::":
            before = self._start_of_kernel_name(k - 2) if self._is_qualifier(k - 2) else None
            return before if before is not None else k - 1
        if self.text(k - 1) in ("##", ".", "->"):
            return self._start_of_kernel_name(k - 2)
        return k - 1 if self.text(k - 1) == "template" else k

    def _is_qualifier(self, k: int) -> bool:
        return (self.kind(k) == "word" and self.text(k) not in _EXPRESSION_WORDS) or self.text(k) == ">"

    def _end_of_configuration(self, k: int) -> int | None:
        k += 1
        while self.text(k) not in (";", "}", ")", "]", ""):
            if self.text(k) == ">>>" and (self.text(k + 1) == "(" or self.macro):
                return k
            k = self.match.get(k, k) + 1 if self.text(k) in _OPENING else k + 1
        return None if self.text(k - 1) != ">>>" else k - 1

    def _flat(self, first: int, last: int) -> str:
        """Code tokens first to last on one line."""
        pieces = []
        for position in range(self.code[first], self.code[last] + 1):
            is_space = self.tokens[position].kind == "space"
            pieces.append(" " if is_space else self.out[position])
        return "".join(pieces)

    def _rewrite_printf(self, k: int) -> None:
        """Calls of printf get the runtime's, which knows whether a kernel runs."""
        previous = self.text(k - 1)
        declared = self.kind(k - 1) == "word" and previous not in _EXPRESSION_WORDS
        if self.text(k + 1) == "(" and not declared and previous not in (".", "->", "::"):
            self._write(k, "convnet_emulation_printf")


def translate(source: str, file: str) -> str:
    """``source``, the text of ``file``, for g++. Raises TranslationError that names every unsupported construct."""
    rewriter = _Rewriter(lex(source, file), file)
    text = rewriter.rewrite()
    if rewriter.errors:
        raise TranslationError("\n".join(f"{file}:{line}: {message}" for line, message in sorted(rewriter.errors)))
    name = file.replace("\\", "\\\\").replace('"', '\\"')
    return f'#line 1 "{name}"\n{text}'


def translate_file(source: Path, target: Path) -> None:
    """Writes the translation of ``source`` to ``target``. Bytes that are no UTF-8 are kept; the source is only read."""
    with open(source, encoding="utf-8", errors="surrogateescape", newline="") as stream:
        text = translate(stream.read(), str(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        stream.write(text)


def main(arguments: list[str] | None = None) -> int:
    """``translate.py SOURCE TARGET``: exit status 0, or 1 and one line for each thing that is wrong."""
    parser = argparse.ArgumentParser(description="Translate a CUDA source for the emulation on the CPU.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args(arguments)
    if options.target.exists() and options.source.exists() and options.target.samefile(options.source):
        parser.error(f"{options.target} is the source itself; give another file to write")
    try:
        translate_file(options.source, options.target)
    except TranslationError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
