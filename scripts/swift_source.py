"""A lexer that tells the code of a Swift or C file from its comments and string literals.

It is shared by check_references.py and lint_prose.py. It knows nested comments, raw and multi-line strings, and string
interpolations, whose expressions are code.
"""
import re

CODE, COMMENT, STRING = "code", "comment", "string"

_NEXT_IN_SWIFT = re.compile(r'//|/\*|#*"|#+/')
_NEXT_IN_C = re.compile(r"//|/\*|\"|'")
_NEXT_IN_INTERPOLATION = re.compile(r'[()]|//|/\*|#*"')
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def regions(text, language="swift"):
    """Cuts a file's text into regions.

    Returns a list of (kind, start, end), in order and without gaps; kind is CODE, COMMENT or STRING. The delimiters of
    a comment or string belong to it.
    """
    result = []
    _read_code(text, 0, result, _NEXT_IN_SWIFT if language == "swift" else _NEXT_IN_C, language == "swift")
    return result


def blanked(text, found, kept):
    """The text with spaces in place of every region whose kind is not in `kept`; line breaks stay where they are."""
    return "".join(
        text[start:end] if kind in kept else re.sub(r"[^\n]", " ", text[start:end]) for kind, start, end in found)


def _read_code(text, position, result, pattern, is_swift):
    start = position
    while match := pattern.search(text, position):
        opening = match.group()
        if opening.startswith("#") and opening.endswith("/") and not _closes_regex(text, match):
            position = match.end()
            continue
        _add(result, CODE, start, match.start())
        position = start = _read_literal(text, match.start(), opening, result, is_swift)
    _add(result, CODE, start, len(text))


def _closes_regex(text, match):
    closing = "/" + "#" * (len(match.group()) - 1)
    return text.find(closing, match.end()) >= 0


def _read_literal(text, position, opening, result, is_swift):
    """Reads the comment or string that begins at a position, and returns where it ends."""
    if opening == "//":
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        _add(result, COMMENT, position, end)
        return end
    if opening == "/*":
        end = _end_of_block_comment(text, position, is_swift)
        _add(result, COMMENT, position, end)
        return end
    if opening.endswith("/"):
        closing = "/" + "#" * (len(opening) - 1)
        end = text.find(closing, position + len(opening)) + len(closing)
        _add(result, STRING, position, end)
        return end
    if is_swift:
        return _read_swift_string(text, position, opening, result)
    end = position + 1
    while end < len(text) and text[end] not in (opening, "\n"):
        end += 2 if text[end] == "\\" else 1
    _add(result, STRING, position, min(end + 1, len(text)))
    return min(end + 1, len(text))


def _end_of_block_comment(text, position, is_nested):
    depth, position = 1, position + 2
    while match := _COMMENT_EDGE.search(text, position):
        position = match.end()
        depth += -1 if match.group() == "*/" else 1 if is_nested else 0
        if depth == 0:
            return position
    return len(text)


def _read_swift_string(text, start, opening, result):
    hashes = "#" * (len(opening) - 1)
    position = start + len(opening)
    quotes = '"""' if text.startswith('""', position) else '"'
    position += len(quotes) - 1
    closing, escape = quotes + hashes, "\\" + hashes
    stop = re.compile(re.escape(closing) + "|" + re.escape(escape) + ("" if len(quotes) == 3 else "|\n"))
    while match := stop.search(text, position):
        if match.group() in (closing, "\n"):
            end = match.end() if match.group() == closing else match.start()
            _add(result, STRING, start, end)
            return end
        if text.startswith("(", match.end()):
            _add(result, STRING, start, match.end())
            position = start = _read_interpolation(text, match.end(), result)
        else:
            position = match.end() + 1
    _add(result, STRING, start, len(text))
    return len(text)


def _read_interpolation(text, position, result):
    """Reads a parenthesized expression, and returns the position after its closing parenthesis."""
    start, depth = position, 0
    while match := _NEXT_IN_INTERPOLATION.search(text, position):
        token = match.group()
        if token in "()":
            position = match.end()
            depth += 1 if token == "(" else -1
            if depth == 0:
                _add(result, CODE, start, position)
                return position
        else:
            _add(result, CODE, start, match.start())
            position = start = _read_literal(text, match.start(), token, result, True)
    _add(result, CODE, start, len(text))
    return len(text)


def _add(result, kind, start, end):
    if end > start:
        result.append((kind, start, end))
