"""Lists the declarations and the used names of a Swift file, lexically.

The compiler's index would be exact, but needs a build. This parser needs a second for all of Sources, and knows scopes,
generic parameters, nested types, extensions and locals well enough to tell whose name an identifier is.
"""
import dataclasses
import re

import swift_source

_TOKEN = re.compile(r"`\w+`|[A-Za-z_]\w*|\$\w+|\d[\w.]*|->|\.\.[.<]|\n|[^\s\w]")
_NAME = re.compile(r"[A-Za-z_]\w*$")
_LOCAL = re.compile(r"[a-z_]\w*$")  # Locals begin in lower case; what else stands in a pattern is a type.
_TYPES = {"struct", "class", "enum", "protocol", "actor", "extension"}
_KEYWORDS = _TYPES | {
    "func", "let", "var", "case", "init", "deinit", "subscript", "typealias", "associatedtype", "import", "if",
    "else", "for", "while", "repeat", "switch", "default", "guard", "return", "throw", "throws", "rethrows", "try",
    "catch", "do", "in", "is", "as", "where", "self", "Self", "super", "nil", "true", "false", "async", "await",
    "some", "any", "inout", "static", "break", "continue", "fallthrough", "defer", "operator", "precedencegroup",
    "get", "set", "willSet", "didSet", "_",
}
_ACCESS = {"public", "open", "package", "internal", "fileprivate", "private"}
PRIVATE = {"fileprivate", "private"}


@dataclasses.dataclass
class Scope:
    """A pair of braces: the body of a type or extension, or any other body."""

    parent: "Scope | None"
    type_name: str = ""  # Dotted path of the type whose members it declares; empty for a body of statements.
    is_extension: bool = False
    is_enum: bool = False
    access: str = ""
    names: set = dataclasses.field(default_factory=set)  # Locals, parameters and generic parameters.


@dataclasses.dataclass
class Declaration:
    """A name declared at file scope, or a member of a type."""

    name: str
    kind: str
    access: str
    line: int
    owner: str = ""  # Dotted path of the type; empty at file scope.
    in_extension: bool = False


@dataclasses.dataclass
class Use:
    """An identifier that is not the name of a declaration."""

    name: str
    line: int
    scope: Scope
    shadows: frozenset
    is_member: bool  # It follows a dot.
    base: str  # The identifier before the dot, if that is a single one.
    following: tuple  # The two tokens after it.
    is_label: bool


@dataclasses.dataclass
class SwiftFile:
    """All that one file declares, imports and uses."""

    imports: list = dataclasses.field(default_factory=list)  # (module, line)
    declarations: list = dataclasses.field(default_factory=list)
    uses: list = dataclasses.field(default_factory=list)


def parse(text):
    """Parses a Swift file's text into a SwiftFile."""
    code = swift_source.blanked(text, swift_source.regions(text), {swift_source.CODE})
    return _Parser(code).run()


class _Parser:
    def __init__(self, code):
        self.tokens, self.lines = [], []
        line = 1
        for match in _TOKEN.finditer(code):
            token = match.group()
            if token == "\n":
                line += 1
            else:
                self.tokens.append(token.strip("`") if token[0] == "`" and len(token) > 2 else token)
                self.lines.append(line)
        self.tokens += [""] * 4
        self.lines += [line] * 4
        self.file = SwiftFile()
        self.root = Scope(None)
        self.scope = self.root
        self.pending = None  # The scope of a type whose brace has not come yet.
        self.shadows = set()  # Generic parameters and parameters of the declaration being read.
        self.access = ""
        self.names = set()  # Indices of tokens that name declarations.

    def run(self):
        tokens = self.tokens
        for index in range(len(tokens) - 4):
            token = tokens[index]
            if token == "{":
                self._open(index)
            elif token == "}":
                self.scope = self.scope.parent or self.root
                self.shadows = set()
            elif token in _ACCESS and tokens[index + 1] != "(" and tokens[index - 1] != ".":
                self.access = token
            elif token in _KEYWORDS and tokens[index - 1] != ".":
                self._keyword(index, token)
            elif _NAME.match(token) and index not in self.names and token not in _KEYWORDS and token not in _ACCESS:
                self._use(index, token)
        return self.file

    def _open(self, index):
        scope = self.pending or Scope(self.scope)
        scope.names |= self.shadows
        if self.pending is None:
            scope.names |= self._closure_parameters(index)
        self.pending, self.shadows, self.scope = None, set(), scope

    def _closure_parameters(self, index):
        names = set()
        for position in range(index + 1, min(index + 40, len(self.tokens))):
            token = self.tokens[position]
            if token == "in":
                return names if self.tokens[position + 1] != ":" else set()
            if token in "{};=" or token in _KEYWORDS - {"_", "inout", "async", "throws"}:
                return set()
            if _LOCAL.match(token):
                names.add(token)
        return set()

    def _keyword(self, index, token):
        tokens = self.tokens
        following = tokens[index + 1]
        if token == "import":
            self._import(index)
        elif token in _TYPES and _NAME.match(following) and following not in ("func", "var", "let", "subscript"):
            if tokens[index - 1] not in (":", ","):
                self._type(index, token)
        elif token == "func":
            self._declare(index + 1, "func")
            self._signature(index + 2)
        elif token in ("typealias", "associatedtype"):
            self._declare(index + 1, "type")
            self._generics(index + 2)
        elif token in ("let", "var"):
            self._variables(index + 1)
        elif token == "for" and tokens[index - 1] not in ("(", ","):
            position = index + 1
            while tokens[position] not in ("in", "", "{"):
                if _LOCAL.match(tokens[position]) and tokens[position] not in _KEYWORDS:
                    self._declare_local(position)
                position += 1
        elif token == "init" and self.scope.type_name and following in ("(", "<", "?", "!"):
            position = index + 1
            while tokens[position] not in ("(", ""):
                position += 1
            label = tokens[position + 1]
            if _NAME.match(label) and label != "_":
                self._add(f"init({label}:)", "init", index)
            self.access = ""
            self._signature(index + 1)
        elif token == "subscript" and self.scope.type_name:
            self._signature(index + 1)
            self.access = ""
        elif token == "case" and self.scope.type_name and self.pending is None:
            self._cases(index + 1)

    def _import(self, index):
        position = index + 1
        while self.tokens[position] in _TYPES | {"func", "let", "var", "typealias"}:
            position += 1
        self.file.imports.append((self.tokens[position], self.lines[position]))
        self.names.add(position)
        self.access = ""

    def _type(self, index, keyword):
        tokens, position = self.tokens, index + 1
        path = [tokens[position]]
        while keyword == "extension" and tokens[position + 1] == "." and _NAME.match(tokens[position + 2]):
            position += 2
            path.append(tokens[position])
        outer = self.scope.type_name
        name = ".".join(path)
        access = self.access
        if keyword != "extension":
            if self._is_local():
                self.scope.names.add(name)
                self.names.add(index + 1)
            else:
                self._declare(index + 1, "type")
        self.access = ""
        self.shadows = set()
        self.pending = Scope(
            self.scope, f"{outer}.{name}" if outer else name, keyword == "extension", keyword == "enum",
            access if access in PRIVATE else self.scope.access)
        self._generics(position + 1)

    def _is_local(self):
        return self.scope is not self.root and not self.scope.type_name

    def _declare(self, position, kind):
        name = self.tokens[position]
        self.shadows = set()
        if _NAME.match(name):
            self.names.add(position)
            if self._is_local():
                self.scope.names.add(name)
            else:
                self._add(name, kind, position)
        self.access = ""

    def _declare_local(self, position):
        self.names.add(position)
        self.scope.names.add(self.tokens[position])

    def _add(self, name, kind, position):
        access = self.access or (self.scope.access if self.scope.type_name else "")
        self.file.declarations.append(Declaration(
            name, kind, access, self.lines[position], self.scope.type_name, self.scope.is_extension))

    def _variables(self, position):
        """Reads the names after `let` or `var`: one, a tuple of them, or several with commas between."""
        tokens = self.tokens
        if tokens[position] == "(":
            while tokens[position] not in (")", ""):
                position += 1
                if _NAME.match(tokens[position]) and tokens[position] not in _KEYWORDS and tokens[position + 1] != ":":
                    access = self.access
                    self._declare(position, "var")
                    self.access = access
            self.access = ""
            return
        access = self.access
        self._declare(position, "var")
        depth, line = 0, self.lines[position]
        while not self._is_local() and self.lines[position + 1] == line and tokens[position + 1]:
            position += 1
            depth += (tokens[position] in "([{<") - (tokens[position] in ")]}>")
            if depth < 0 or tokens[position] == "{":
                return
            if depth == 0 and tokens[position] == "," and tokens[position + 2] in (":", "=", ","):
                self.access = access
                self._declare(position + 1, "var")

    def _cases(self, position):
        tokens = self.tokens
        while _NAME.match(tokens[position]):
            self._declare(position, "case")
            position += 1
            if tokens[position] == "(":
                position = self._closing(position) + 1
            if tokens[position] == "=":
                position += 2
            if tokens[position] != ",":
                return
            position += 1

    def _closing(self, position):
        depth = 0
        while self.tokens[position]:
            depth += (self.tokens[position] == "(") - (self.tokens[position] == ")")
            if depth == 0:
                return position
            position += 1
        return position

    def _signature(self, position):
        """Notes the generic parameters and the parameters of a function, which shadow other names in it."""
        self.shadows = set()
        self._generics(position)
        tokens = self.tokens
        while tokens[position] not in ("(", "{", "}", ""):
            position += 1
        if tokens[position] != "(":
            return
        depth = 0
        while tokens[position]:
            depth += (tokens[position] in "([") - (tokens[position] in ")]")
            if depth == 0:
                return
            if depth == 1 and tokens[position + 1] == ":" and _NAME.match(tokens[position]):
                self.shadows.add(tokens[position])
            position += 1

    def _generics(self, position):
        tokens = self.tokens
        while tokens[position] in ("?", "!"):
            position += 1
        if tokens[position] != "<":
            return
        depth = 0
        while tokens[position] and tokens[position] not in "({":
            depth += (tokens[position] == "<") - (tokens[position] == ">")
            if depth == 0:
                return
            if depth == 1 and tokens[position] in "<,":
                name = tokens[position + 2] if tokens[position + 1] in ("let", "each") else tokens[position + 1]
                self.shadows.add(name)
                (self.pending.names if self.pending else self.shadows).add(name)
            position += 1

    def _use(self, index, token):
        tokens = self.tokens
        previous = tokens[index - 1] if index else ""
        is_member = previous == "."
        base = ""
        if is_member and index >= 2 and _NAME.match(tokens[index - 2]) and (index < 3 or tokens[index - 3] != "."):
            base = tokens[index - 2]
        # `name:` or `label name:` in parentheses is an argument's or a parameter's label.
        is_label = tokens[index + 1] == ":" and previous in ("(", ",") and _LOCAL.match(token) is not None
        if _LOCAL.match(tokens[index + 1]) and tokens[index + 2] == ":" and previous in ("(", ","):
            is_label = True
        self.file.uses.append(Use(
            token, self.lines[index], self.pending or self.scope, frozenset(self.shadows), is_member, base,
            (tokens[index + 1], tokens[index + 2], tokens[index + 3]), is_label))
