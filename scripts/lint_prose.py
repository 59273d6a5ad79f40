#!/usr/bin/env python3
"""Checks the prose of comments and documents, and the spelling of everything.

usage: scripts/lint_prose.py [--count] [--fix-spelling] [--commits BASE] [--rule RULE] [PATH ...]

Rules, and what each one finds:
- opening: the first sentence of a docstring, or of a paragraph of a doc comment, that begins with one of the "openings" of
  prose.json.
- length: a sentence of more than 40 words in a doc comment of Swift or C. Code in backticks and an address count as one
  word each. Tables and indented code are left out.
- whether: a first sentence that begins with "Whether" before a declaration that is no Boolean.
- spelling: a British spelling in comments, documents, identifiers, string literals or file names.
- private-word: a metaphor in comments or documents for which the field has a term.
- commit: with --commits, a subject since BASE that is not `area: imperative` of at most 72 characters.

Prints `file:line: rule: text` and exits with 1 if there is a finding. --count prints the findings by rule and folder.
--fix-spelling rewrites British spellings in comments and Markdown, not in code, identifiers or string literals. Words,
exceptions and the reasons for them are in scripts/prose.json.
"""
import argparse
import ast
import bisect
import collections
import dataclasses
import fnmatch
import functools
import json
import pathlib
import re
import subprocess
import sys

import swift_source

ROOT = pathlib.Path(__file__).resolve().parent.parent
RULES = json.loads((pathlib.Path(__file__).resolve().parent / "prose.json").read_text())
PLACES = [
    "Sources", "Tests", "Benchmarks", "docs", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md",
    "scripts", "Makefile", "Package.swift", "Dockerfile"]

# Kinds of text. Words inside backticks, and words that can only be identifiers, are code wherever they stand.
PROSE, IDENTIFIER, STRING = "prose", "code", "string"
SHOWN = {PROSE: "prose", IDENTIFIER: "an identifier", STRING: "a string"}


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """A place that breaks a rule."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


class Document:
    """A file cut into prose, code and strings."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.breaks = [match.start() for match in re.finditer("\n", text)]
        self.language = language_of(path)
        self.found = regions_of(self.language, text)

    def line(self, position):
        return bisect.bisect_left(self.breaks, position) + 1


def language_of(path):
    """The language of a file by its name; `None` if it is not checked."""
    name = pathlib.PurePath(path).name
    if name in ("Makefile", "Dockerfile"):
        return "shell"
    suffixes = {
        ".swift": "swift", ".c": "c", ".h": "c", ".cpp": "c", ".modulemap": "c", ".py": "python", ".sh": "shell",
        ".yml": "shell", ".md": "markdown", ".html": "text"}
    if name == "openapi.json":
        return "text"
    return suffixes.get(pathlib.PurePath(name).suffix)


# Cutting files into regions


_PYTHON = re.compile(
    r"(?P<comment>#[^\n]*)|(?P<string>[rRbBfFuU]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'))", re.DOTALL)
_SHELL = re.compile(r"(?:(?<=\s)|^)#[^\n]*", re.MULTILINE)
_MARKDOWN_CODE = re.compile(
    r"^[ \t]*(```|~~~).*?^[ \t]*\1[^\n]*|``.+?``|`[^`]+`|\]\([^)\s]*\)|https?://[^\s>)]+", re.MULTILINE | re.DOTALL)
_COMMENT_CODE = re.compile(r"``[^\n]+?``|`[^`\n]+`|https?://\S+")


def regions_of(language, text):
    """Cuts a text into (kind, start, end), in order and without gaps."""
    if language in ("swift", "c"):
        kinds = {swift_source.CODE: IDENTIFIER, swift_source.STRING: STRING, swift_source.COMMENT: PROSE}
        found = [(kinds[kind], start, end) for kind, start, end in swift_source.regions(text, language)]
    elif language == "python":
        found = _cut(text, _PYTHON, _python_kind)
    elif language == "shell":
        found = _cut(text, _SHELL, lambda match: PROSE)
    elif language == "markdown":
        return _cut(text, _MARKDOWN_CODE, lambda match: IDENTIFIER, rest=PROSE)
    else:
        return [(STRING, 0, len(text))]
    result = []
    for kind, start, end in _joined(found, text):
        if kind != PROSE:
            result.append((kind, start, end))
            continue
        position = start
        for match in _COMMENT_CODE.finditer(text, start, end):
            result += [(PROSE, position, match.start()), (IDENTIFIER, match.start(), match.end())]
            position = match.end()
        result.append((PROSE, position, end))
    return [region for region in result if region[2] > region[1]]


def _joined(found, text):
    """The regions with comments joined that have nothing but space between them, so that phrases can span lines."""
    result = []
    for i, (kind, start, end) in enumerate(found):
        is_space = kind == IDENTIFIER and text[start:end].isspace() and 0 < i < len(found) - 1
        if is_space and found[i - 1][0] == found[i + 1][0] == PROSE:
            kind = PROSE
        if result and kind == PROSE == result[-1][0]:
            result[-1] = (PROSE, result[-1][1], end)
        else:
            result.append((kind, start, end))
    return result


def _python_kind(match):
    if match.group("comment"):
        return PROSE
    before = match.string[match.string.rfind("\n", 0, match.start()) + 1:match.start()]
    is_docstring = not before.strip() and match.group().lstrip("rRbBfFuU").startswith(('"""', "'''"))
    return PROSE if is_docstring else STRING


def _cut(text, pattern, kind, rest=IDENTIFIER):
    result, position = [], 0
    for match in pattern.finditer(text):
        result += [(rest, position, match.start()), (kind(match), match.start(), match.end())]
        position = match.end()
    result.append((rest, position, len(text)))
    return [region for region in result if region[2] > region[1]]


# Spelling


_WORD = re.compile(r"[A-Za-z]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ISE = re.compile(r"(\w{3,}?)(is)(e|ed|es|er|ers|ing|able|ation|ations|ational|ingly)$")
_YSE = re.compile(r"((?:re|un)?(?:anal|paral|catal|dial|hydrol|electrol))ys(e|ed|er|ers|ing|able)$")
_OUR = re.compile(rf"(\w{{0,5}}?)({'|'.join(RULES['our'])})([a-z]*)$")
_RE = re.compile(rf"(\w{{0,5}}?)({'|'.join(word[:-2] for word in RULES['re'])})(res?|red|ring)$")
_DOUBLED_L = re.compile(rf"(\w{{0,4}}?)({'|'.join(RULES['doubled_l'])})l(ed|ing|ings|er|ers|or|ors)$")
_AMERICAN_ISE = re.compile(rf"(?:un|re|over|mis|non|pre)?(?:{'|'.join(RULES['ise_is_american'])}|\w*wise)$")


@functools.lru_cache(maxsize=None)
def american(word):
    """The American spelling of a lowercase word; `None` if it is not a British one."""
    if word in RULES["words"]:
        return RULES["words"][word]
    if match := _ISE.match(word):
        if not _AMERICAN_ISE.match(match.group(1) + "ise"):
            return f"{match.group(1)}iz{match.group(3)}"
    if match := _YSE.match(word):
        return f"{match.group(1)}yz{match.group(2)}"
    if match := _OUR.match(word):
        return f"{match.group(1)}{match.group(2)[:-2]}r{match.group(3)}"
    if match := _RE.match(word):
        ending = {"re": "er", "res": "ers", "red": "ered", "ring": "ering"}[match.group(3)]
        return match.group(1) + match.group(2) + ending
    if match := _DOUBLED_L.match(word):
        return "".join(match.groups())
    return None


@functools.lru_cache(maxsize=None)
def british_parts(word):
    """The British parts of a word, which may be in camel case: (offset, part, its American spelling)."""
    result = []
    for match in _PART.finditer(word):
        part = match.group()
        if better := american(part.lower()):
            better = better.upper() if part.isupper() else better.capitalize() if part[0].isupper() else better
            result.append((match.start(), part, better))
    return tuple(result)


def spelling(document):
    """British spellings of a document: (position, kind, British, American)."""
    for kind, start, end in document.found:
        for match in _WORD.finditer(document.text, start, end):
            parts = british_parts(match.group())
            if not parts:
                continue
            used = kind
            if kind == PROSE and is_identifier(document.text, match):
                used = IDENTIFIER
            for offset, part, better in parts:
                if not is_allowed(document.path, used, part.lower()):
                    yield match.start() + offset, used, part, better


def is_identifier(text, match):
    """Whether a word in prose can only be an identifier, an option or a file name."""
    before, after = text[max(0, match.start() - 2):match.start()], text[match.end():match.end() + 2]
    return (re.search("[a-z][A-Z]", match.group()) is not None or before.endswith("_") or after.startswith("_")
            or before == "--" or re.match(r"\.[a-z]", after) is not None or re.search(r"\w\.$", before) is not None
            or after.startswith("("))


def is_allowed(path, kind, word):
    return any(
        entry["word"] in (word, "*") and kind in entry["kinds"] and any(fnmatch.fnmatch(path, glob) for glob in entry["paths"])
        for entry in RULES["allowed"])


def check_spelling(document):
    for position, kind, part, better in spelling(document):
        yield Finding(document.path, document.line(position), "spelling", f"'{part}' in {SHOWN[kind]}: '{better}'")
    for match in _WORD.finditer(document.path):
        for _, part, better in british_parts(match.group()):
            if not is_allowed(document.path, IDENTIFIER, part.lower()):
                yield Finding(document.path, 1, "spelling", f"'{part}' in the file's name: '{better}'")


def fixed(document):
    """The text with American spellings in prose."""
    text = document.text
    found = [(position, part, better) for position, kind, part, better in spelling(document) if kind == PROSE]
    for position, part, better in sorted(found, reverse=True):
        text = text[:position] + better + text[position + len(part):]
    return text


# Private words


_BANNED = [
    # A phrase may go on in the next line of a comment.
    (re.compile(rf"\b(?:{entry['pattern']})\b".replace(" ", r"[\s/*#]+"), re.IGNORECASE),
     entry["instead"], entry.get("paths", ["*"]))
    for entry in RULES["banned"]]


def check_words(document):
    for kind, start, end in document.found:
        if kind != PROSE:
            continue
        for pattern, instead, globs in _BANNED:
            if any(fnmatch.fnmatch(document.path, glob) for glob in globs):
                for match in pattern.finditer(document.text, start, end):
                    words = " ".join(re.findall(r"\w+", match.group()))
                    yield Finding(document.path, document.line(match.start()), "private-word", f"'{words}': {instead}")


# First sentences


def check_openings(document):
    """Findings of the rules "opening" and "whether"."""
    for position, sentence, is_boolean in doc_comments(document):
        match = re.match(r"[\s*_\"'(\[]*([A-Za-z]+)", sentence)
        if not match:
            continue
        word = match.group(1)
        line = document.line(position + match.start(1))
        if word in RULES["openings"]:
            yield Finding(document.path, line, "opening", _shortened(sentence))
        elif word == "Whether" and not is_boolean():
            yield Finding(document.path, line, "whether", _shortened(sentence))


# Sentences


_MOST_WORDS = 40


def check_lengths(document):
    """Findings of the rule "length"."""
    if document.language not in ("swift", "c"):
        return
    for position, paragraph, _ in doc_comments(document):
        before = document.text[document.text.rfind("\n", 0, position) + 1:position]
        if paragraph.startswith("|") or re.search(r"/// {4,}$", before):
            continue
        text = _COMMENT_CODE.sub(lambda match: "x" * len(match.group()), paragraph)
        for sentence in re.finditer(r"\S.*?(?:[.!?][)\"']*(?=\s|\Z)|\Z)", text, re.DOTALL):
            if len(re.findall(r"\w[\w'’-]*", sentence.group())) > _MOST_WORDS:
                original = paragraph[sentence.start():sentence.end()]
                yield Finding(
                    document.path, document.line(position + sentence.start()), "length", _shortened(original))


def _shortened(sentence):
    text = re.split(r"(?<=[.!?]) ", " ".join(sentence.split()))[0]
    return text if len(text) <= 90 else text[:89] + "…"


def doc_comments(document):
    """The paragraphs of doc comments: (position, paragraph, a function that tells if a Boolean follows)."""
    if document.language == "python":
        yield from _docstrings(document)
    elif document.language in ("swift", "c"):
        yield from _documentation(document)


def _documentation(document):
    text = document.text
    comments = swift_source.regions(text, document.language)
    starts = {start for kind, start, _ in comments if kind == swift_source.COMMENT}
    code = None
    for match in re.finditer(r"///(?!/)<?[^\n]*(?:\n[ \t]*///(?!/)[^\n]*)*|/\*\*(?!/).*?\*/", text, re.DOTALL):
        if match.start() not in starts:
            continue
        if code is None:
            code = swift_source.blanked(text, comments, {swift_source.CODE})
        # Marks are blanked rather than cut, so that positions stay.
        body = re.sub(r"///<?|^/\*\*|\*/$|(?m:^[ \t]*\*(?!\*))", lambda m: " " * len(m.group()), match.group())
        following = code[match.end():match.end() + 3000]
        test = is_boolean_in_swift if document.language == "swift" else is_boolean_in_c
        for paragraph in re.finditer(r"(?:\A|\n[ \t]*\n)\s*(?!- )(\S.*?)(?=\n[ \t]*\n|\n[ \t]*- |\Z)", body, re.DOTALL):
            yield match.start() + paragraph.start(1), paragraph.group(1), functools.partial(test, following)


def is_boolean_in_swift(code) -> bool:
    """Whether the declaration that code begins with is a Boolean property or a function that returns one."""
    declaration = _declaration(code)
    match = re.search(
        r"\b(let|var|func|subscript|case|init|struct|class|enum|protocol|typealias|extension)\b", declaration)
    if not match:
        return False
    keyword, rest = match.group(1), declaration[match.end():]
    if keyword in ("func", "subscript"):
        _, arrow, result = rest.rpartition("->")
        return bool(arrow) and re.search(r"\bBool\b", result) is not None
    if keyword == "case" or keyword == "typealias":
        return re.search(r"\bBool\b", rest) is not None
    if keyword not in ("let", "var"):
        return False
    name, equals, value = rest.partition("=")
    if ":" in name:
        return re.search(r"\bBool\b", name) is not None
    value = value.strip()
    is_literal = re.match(r"(true|false)\b|!\w", value) is not None
    is_expression = re.search(r"[=!<>]=|&&|\|\||\bBool\b|\((true|false)\)", value) is not None
    return bool(equals) and (is_literal or is_expression)


def _declaration(code):
    """The declaration that blanked Swift code begins with, up to its body and without attributes."""
    code = re.sub(r"^(\s*#if[^\n]*\n)*", "", code)
    attribute = re.compile(r"\s*@\w+")
    result, depth, position, has_begun = [], 0, 0, False
    while position < len(code):
        if not has_begun and (match := attribute.match(code, position)):
            position = match.end()
            if code.startswith("(", position):
                position = _closing(code, position)
            continue
        character = code[position]
        if character == "{" and depth == 0:
            break
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            break
        if character == "\n" and depth == 0 and has_begun:
            if not re.match(r"\s*(->|throws|async|where|[=+\-&|?:.])", code[position + 1:]) and not re.search(
                    r"[=,:]\s*$|->\s*$", "".join(result)):
                break
        has_begun = has_begun or not character.isspace()
        result.append(character)
        position += 1
    return "".join(result)


def _closing(code, position):
    depth = 0
    while position < len(code):
        depth += (code[position] in "([{") - (code[position] in ")]}")
        position += 1
        if depth == 0:
            break
    return position


def is_boolean_in_c(code):
    """Whether the C declaration that code begins with is a Boolean; C functions tell a truth value as an int too."""
    return re.match(r"[^;{(]*\b(bool|_Bool|int)\b", code) is not None


def _docstrings(document):
    try:
        tree = ast.parse(document.text)
    except SyntaxError:
        return
    starts = [0] + [position + 1 for position in document.breaks]
    for node in ast.walk(tree):
        has_docstring = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        if has_docstring and ast.get_docstring(node):
            expression = node.body[0].value
            offset = len(document.text[starts[expression.lineno - 1]:].encode()[:expression.col_offset].decode())
            position = starts[expression.lineno - 1] + offset
            quote = re.compile(r"[rRuU]?(\"\"\"|'''|\"|')\s*").match(document.text, position)
            paragraph = ast.get_docstring(node).split("\n\n")[0]
            yield quote.end(), paragraph, functools.partial(is_boolean_in_python, node)


def is_boolean_in_python(node):
    """Whether a function is annotated as bool, or returns nothing but comparisons and other truth values."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    if node.returns is not None:
        return ast.unparse(node.returns) == "bool"
    returned = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return)]
    return bool(returned) and all(map(_is_truth_value, returned))


def _is_truth_value(value):
    if isinstance(value, ast.Constant):
        return isinstance(value.value, bool)
    if isinstance(value, ast.BoolOp):
        return all(map(_is_truth_value, value.values))
    if isinstance(value, ast.Call):
        name = value.func.id if isinstance(value.func, ast.Name) else getattr(value.func, "attr", "")
        return re.match(r"(any|all|isinstance|bool|startswith|endswith|is_|has_|exists|is[a-z]+$)", name) is not None
    return isinstance(value, ast.Compare) or isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)


# Commits


_NO_VERBS = {"a", "an", "it", "no", "that", "the", "there", "this", "when", "where"}
_VERBS_ALL_THE_SAME = {
    "alias", "bias", "bleed", "breed", "bring", "embed", "exceed", "feed", "focus", "need", "ping", "proceed", "ring",
    "seed", "shed", "speed", "spring", "string", "swing"}


def check_commits(base):
    log = subprocess.run(
        ["git", "log", "--no-merges", "--format=%h %s", f"{base}..HEAD"],
        cwd=ROOT, check=True, capture_output=True, text=True)
    for line in log.stdout.splitlines():
        name, _, subject = line.partition(" ")
        if problem := subject_problem(subject):
            yield Finding(f"commit {name}", 0, "commit", f"{problem}: {subject}")


def subject_problem(subject):
    """The fault of a commit's subject; `None` if it is `area: imperative` of at most 72 characters."""
    if len(subject) > 72:
        return f"{len(subject)} characters, more than 72"
    match = re.match(r"[A-Za-z][\w/+.,& -]{0,30}: (\S+)", subject)
    if not match:
        return "not 'area: imperative'"
    verb = match.group(1).lower()
    if verb in _NO_VERBS or re.search(r"([^s]s|ed|ing)$", verb) and verb not in _VERBS_ALL_THE_SAME:
        return f"'{match.group(1)}' is no imperative"
    if subject.endswith("."):
        return "ends with a period"
    return None


# The whole tree


def files(root, places):
    """The paths of the files that are checked, relative to the root."""
    for place in places:
        path = root / place
        for found in sorted(path.rglob("*")) if path.is_dir() else [path]:
            name = found.relative_to(root).as_posix()
            if language_of(name) and found.is_file() and "/." not in name and "__pycache__" not in name:
                if not any(fnmatch.fnmatch(name, glob) for glob in RULES["excluded"]):
                    yield name


def check(document):
    """All findings of a document."""
    for rule in (check_openings, check_lengths, check_spelling, check_words):
        yield from rule(document)


def print_counts(findings):
    rules = sorted({finding.rule for finding in findings})
    counts = collections.Counter()
    for finding in findings:
        parts = finding.path.split("/")
        folder = "/".join(parts[:2]) if len(parts) > 2 else parts[0]
        counts[folder, finding.rule] += 1
        counts["all", finding.rule] += 1
    folders = sorted({folder for folder, _ in counts} - {"all"}) + ["all"]
    print(f"{'':24}" + "".join(f"{rule:>14}" for rule in rules))
    for folder in folders:
        print(f"{folder:24}" + "".join(f"{counts[folder, rule]:14}" for rule in rules))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="*", help="files and folders (default: the whole repository)")
    parser.add_argument("--count", action="store_true", help="print the findings by rule and folder")
    parser.add_argument(
        "--fix-spelling", action="store_true", help="rewrite British spellings in comments and Markdown")
    parser.add_argument(
        "--commits", metavar="BASE", help="check the subjects of the commits since BASE instead of files")
    parser.add_argument("--rule", help="print the findings of one rule only")
    options = parser.parse_args()
    if options.commits:
        findings = list(check_commits(options.commits))
    else:
        places = [pathlib.Path(path).resolve().relative_to(ROOT).as_posix() for path in options.paths] or PLACES
        findings = []
        for name in files(ROOT, places):
            document = Document(name, (ROOT / name).read_text())
            if options.fix_spelling and (text := fixed(document)) != document.text:
                (ROOT / name).write_text(text)
                document = Document(name, text)
            findings += check(document)
    findings = sorted(finding for finding in findings if options.rule in (None, finding.rule))
    if options.count:
        print_counts(findings)
    else:
        for finding in findings:
            print(finding)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
