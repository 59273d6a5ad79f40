#!/usr/bin/env python3
"""Checks that references between targets, and between the folders of a target, follow the declared arrows.

usage: scripts/check_references.py [--list] [--depth N] [--all] [--root DIRECTORY]

Fails (exit code 1) on
- a dependency in Package.swift, or an import, that scripts/references.json has no arrow for; a target missing from it;
- an import of a target that Package.swift does not give as a dependency, and a dependency that no file imports, unless
  the target has no Swift files or is a test of an executable, which need not import it;
- an arrow of the table from a target to a module that is not among its dependencies;
- a cycle between the folders of a target;
- a reference between folders that the table's "folders" of the target do not allow, where it has them.

A folder is the first path component below the target; files in the target's root form the folder ".". A reference is a
use of a type, function or variable at file scope that another folder declares. A member that an extension declares in
another folder than its type counts too, where its name is declared in that folder only.

scripts/references.json:
- "targets": for each target "uses", the modules it may import, or "any"; "folders" (optional), for each folder the
  folders it may refer to, or "any"; "depth" (optional, default 1), how many path components make a folder.
- "shared": modules that every target above them may import, directly or not.
- "system": modules of the toolchain. "packages": modules of other packages.
- "ignored_members": names of members that are not followed, each with its reason.

--list prints every edge with one example. --depth N overrides the depth. --all prints all references of a cycle instead
of the first dozen of an edge.
"""
import argparse
import collections
import dataclasses
import json
import pathlib
import re
import sys

import swift_declarations
import swift_source

# Members that the standard library has too: a use says nothing about who declared it.
STANDARD_MEMBERS = set("""
    abs advanced allSatisfy append appending arguments array assign base baseAddress bind bitWidth bool bytes
    capacity compactMap contains copy count customMirror data debugDescription deallocate description distance
    dropFirst dropLast elementsEqual endIndex enumerated error exp filter first firstIndex flatMap formIndex
    formUnion hash hashValue hasPrefix hasSuffix id index indices initialize insert intersection isEmpty isNaN
    isSubset iterator joined key keys last lastIndex length load lowercased makeIterator map max message min move
    name next number offset pointee popFirst popLast prefix print range rawValue reduce remove removeAll removeFirst
    removeLast removeValue replaceSubrange reserveCapacity reversed rounded run shuffle shuffled size sort sorted
    split squareRoot start startIndex starts store string subtract subtracting suffix sum swapAt text
    underestimatedCount union update uppercased utf16 utf8 value values withLock withUnsafeBytes
    withUnsafeBufferPointer withUnsafeMutableBufferPointer withUnsafeMutableBytes write zip
""".split())


@dataclasses.dataclass(frozen=True, order=True)
class Reference:
    """A use, in one folder, of a name that another folder declares."""

    path: str
    line: int
    name: str
    declared_in: str


@dataclasses.dataclass
class Target:
    """A target of Package.swift."""

    name: str
    kind: str
    folder: str
    dependencies: dict  # Name of the target or product: line in Package.swift.


@dataclasses.dataclass
class Source:
    """A parsed Swift file of a target."""

    path: str
    folder: str
    parsed: swift_declarations.SwiftFile


# Package.swift


def read_package(text):
    """Reads the targets of a manifest, lexically. A target declared twice has the dependencies of both."""
    text = swift_source.blanked(text, swift_source.regions(text), {swift_source.CODE, swift_source.STRING})
    variables = {
        match.group(1): _strings_of(text, match.end(), {})
        for match in re.finditer(r"\blet\s+(\w+)\s*:\s*\[Target\.Dependency\]\s*=\s*(?=\[\s*[\"\.])", text)}
    targets, lists = {}, []
    for match in re.finditer(r"\.(target|executableTarget|testTarget|systemLibrary|macro|plugin)\s*\(", text):
        arguments = _arguments(text, match.end())
        if "dependencies" in arguments:
            expression, start = arguments["dependencies"]
            lists.append((start, start + len(expression)))
        # In another target's list, `.target(name:)` is a dependency.
        if "name" not in arguments or any(start <= match.start() < end for start, end in lists):
            continue
        kind = match.group(1)
        name = _string(arguments["name"][0])
        default = ("Tests/" if kind == "testTarget" else "Sources/") + name
        folder = _string(arguments["path"][0]) if "path" in arguments else default
        dependencies = {}
        if "dependencies" in arguments:
            dependencies = _strings_of(text, arguments["dependencies"][1], variables)
        if name in targets:
            targets[name].dependencies.update(dependencies)
        else:
            targets[name] = Target(name, kind, folder, dependencies)
    return targets


def _string(expression):
    return re.search(r'"([^"]*)"', expression).group(1)


def _arguments(text, position):
    """The labeled arguments of a call: label → (expression, its position)."""
    result, depth, start = {}, 0, position
    in_string = False
    while position < len(text):
        character = text[position]
        if character == '"':
            in_string = not in_string
        elif not in_string:
            if character in ",)" and depth == 0:
                match = re.match(r"\s*(\w+)\s*:", text[start:position])
                if match:
                    result[match.group(1)] = (text[start + match.end():position], start + match.end())
                start = position + 1
                if character == ")":
                    break
            depth += (character in "([{") - (character in ")]}")
        position += 1
    return result


def _strings_of(text, position, variables):
    """The names in a dependencies expression, with the lines they are on."""
    depth, start = 0, position
    in_string = False
    while position < len(text):
        character = text[position]
        if character == '"':
            in_string = not in_string
        elif not in_string:
            read = text[start:position].strip()
            if depth == 0 and character in ",);\n" and read and not read.endswith("+"):
                break
            depth += (character in "([{") - (character in ")]}")
        position += 1
    expression, result = text[start:position], {}
    for match in re.finditer(r'\b(package|condition)\s*:\s*"[^"]*"|"([^"]*)"|\b(\w+)\b', expression):
        line = text.count("\n", 0, start + match.start()) + 1
        if match.group(2):
            result[match.group(2)] = line
        elif match.group(3) in variables:
            result.update(variables[match.group(3)])
    return result


# Arrows between targets


def allowed_modules(table, name):
    """The modules that a target may import, by the table; `None` if any."""
    uses = table["targets"][name]["uses"]
    if uses == "any":
        return None
    reached, waiting = set(), list(uses)
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            further = table["targets"].get(module, {}).get("uses", [])
            waiting += further if further != "any" else []
    return set(uses) | reached & set(table["shared"])


def check_table(table):
    """Problems of the table itself: arrows to unknown modules, and cycles."""
    problems, targets = [], table["targets"]
    for name, entry in targets.items():
        for module in entry["uses"] if entry["uses"] != "any" else []:
            if module not in targets and module not in table["packages"]:
                problems.append(f"scripts/references.json: {name} may use {module}, which is no target of the table")
    graph = {name: [m for m in e["uses"] if m in targets] if e["uses"] != "any" else [] for name, e in targets.items()}
    for component in components(graph):
        problems.append(f"scripts/references.json: the arrows between {', '.join(component)} form a cycle")
    return problems


def check_targets(table, targets, imports):
    """Problems of Package.swift and of the imports.

    `imports` maps a target's name to its imports, a list of (module, path, line).
    """
    problems = []
    for target in targets.values():
        if target.name not in table["targets"]:
            problems.append(f"Package.swift: target {target.name} is missing from scripts/references.json")
            continue
        allowed = allowed_modules(table, target.name)
        for module, line in target.dependencies.items():
            if allowed is not None and module not in allowed:
                problems.append(f"Package.swift:{line}: {target.name} may not depend on {module}")
        for module, path, line in imports.get(target.name, []):
            if module in table["system"]:
                continue
            if module not in targets and module not in table["packages"]:
                problems.append(f"{path}:{line}: {module} is no module that scripts/references.json knows")
            elif allowed is not None and module not in allowed:
                problems.append(f"{path}:{line}: {target.name} may not import {module}")
            elif module not in target.dependencies:
                problems.append(f"{path}:{line}: {target.name} imports {module}, which is not among its dependencies")
    return problems


def check_unused(root, table, targets, imports):
    """Problems of dependencies and arrows that no import needs."""
    problems = []
    for name, found in imports.items():
        target, imported = targets[name], {module for module, _, _ in found}
        uses = table["targets"].get(name, {}).get("uses", [])
        for module in uses if uses != "any" else []:
            # The shared modules need no arrow. One that is there anyway is no fault.
            if module not in target.dependencies and module not in table["shared"]:
                problems.append(
                    f"scripts/references.json: {name} may use {module}, which is not among its dependencies")
        if not any((root / target.folder).rglob("*.swift")):
            continue
        for module, line in target.dependencies.items():
            is_program = target.kind == "testTarget" and module in targets and targets[module].kind == "executableTarget"
            if module not in imported and not is_program:
                problems.append(f"Package.swift:{line}: {name} depends on {module}, which none of its files imports")
    return problems


# References between folders


def read_sources(root, target, depth):
    """Parses the Swift files of a target."""
    base = root / target.folder
    result = []
    for path in sorted(base.rglob("*.swift")):
        parts = path.relative_to(base).parts[:-1]
        result.append(Source(
            str(path.relative_to(root)), "/".join(parts[:depth]) or ".", swift_declarations.parse(path.read_text())))
    return result


class Names:
    """The declarations of one target, by name."""

    def __init__(self, sources, foreign_members=frozenset(), ignored=frozenset()):
        self.top_level = collections.defaultdict(dict)  # Name: {folder: path}; private ones are left out.
        self.private = collections.defaultdict(set)  # Path: names at file scope that only this file sees.
        self.members = collections.defaultdict(set)  # Simple name of a type: names of its members.
        self.nested = collections.defaultdict(set)  # Simple name of a type: names of its nested types.
        # Members that extensions declare in another folder than their type: {name or Type.name: (folder, path,
        # Type.name)}. A bare name is there only if no other folder declares a member of that name.
        self.extended = {}
        self._read(sources, foreign_members, ignored)

    def _read(self, sources, foreign_members, ignored):
        member_folders = collections.defaultdict(set)
        candidates = []
        for source in sources:
            for declaration in source.parsed.declarations:
                if not declaration.owner:
                    if declaration.access in swift_declarations.PRIVATE:
                        self.private[source.path].add(declaration.name)
                    else:
                        self.top_level[declaration.name].setdefault(source.folder, source.path)
                    continue
                owner = declaration.owner.split(".")
                self.members[owner[-1]].add(declaration.name)
                if declaration.kind == "type":
                    self.nested[owner[-1]].add(declaration.name)
                qualified = f"{owner[-1]}.{declaration.name}"
                key = qualified if declaration.kind == "init" else declaration.name
                member_folders[key].add(source.folder)
                member_folders[qualified].add(source.folder)
                if declaration.in_extension and declaration.access not in swift_declarations.PRIVATE:
                    candidates.append((key, owner, source))
        skipped = STANDARD_MEMBERS | ignored | foreign_members
        for key, owner, source in candidates:
            if source.folder in self.top_level.get(owner[0], {}):
                continue
            found = (source.folder, source.path, f"{owner[-1]}.{key.split('.')[-1]}")
            if len(member_folders[found[2]]) == 1 and key.split(".")[-1] not in ignored:
                self.extended[found[2]] = found
            if len(member_folders[key]) == 1 and key not in skipped:
                self.extended[key] = found


def references(sources, names, modules=()):
    """References between the folders of a target: {(from, to): [Reference]}."""
    result = collections.defaultdict(set)
    for source in sources:
        for use in source.parsed.uses:
            for found in (_resolve(source, use, names, modules), _initializer(use, names)):
                if found and found[0] != source.folder:
                    folder, path, name = found
                    result[source.folder, folder].add(Reference(source.path, use.line, name, path))
    return {edge: sorted(found) for edge, found in result.items()}


def _resolve(source, use, names, modules):
    """Finds where a used name is declared: (folder, path, name); `None` if it is none of the target's."""
    name = use.name
    if use.is_label and not use.is_member:
        return None
    if use.is_member and use.base not in modules:
        return names.extended.get(f"{use.base}.{name}") or names.extended.get(name)
    if not use.is_member:
        if name in use.shadows:
            return None
        scope = use.scope
        while scope is not None:
            if name in scope.names:
                return None
            for part in scope.type_name.split(".") if scope.type_name else ():
                if name in names.nested[part] or name in names.members[part] and not name[0].isupper():
                    return names.extended.get(f"{part}.{name}")
            scope = scope.parent
    if name in names.private[source.path]:
        return None
    folders = names.top_level.get(name)
    if not folders or source.folder in folders or len(folders) > 1:
        return None
    folder, path = next(iter(folders.items()))
    return folder, path, name


def _initializer(use, names):
    """Finds the initializer that an extension in another folder adds to the used type; `None` if there is none."""
    if use.following[0] == "(" and use.following[2] == ":":
        return names.extended.get(f"{use.name}.init({use.following[1]}:)")
    return None


def find_references(sources, foreign_members=frozenset(), ignored=frozenset(), modules=()):
    """All references between the folders of a target's sources: {(from, to): [Reference]}."""
    return references(sources, Names(sources, foreign_members, ignored), modules)


# Cycles


def components(graph):
    """Tarjan's strongly connected components with more than one node, each sorted."""
    index, low, stack, result = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for following in graph.get(node, ()):
            if following not in index:
                visit(following)
                low[node] = min(low[node], low[following])
            elif following in stack:
                low[node] = min(low[node], index[following])
        if low[node] == index[node]:
            position = stack.index(node)
            if len(stack) - position > 1:
                result.append(sorted(stack[position:]))
            del stack[position:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return result


def lightest_cut(nodes, weights):
    """The edges of least total weight without which the nodes have no cycle, and an order of the nodes without them.

    Each node of the order refers only to nodes after it. Exact up to 14 nodes (dynamic programming over subsets), else
    the order is by outgoing minus incoming weight.
    """
    if len(nodes) > 14:
        def balance(node):
            return sum(w * ((a == node) - (b == node)) for (a, b), w in weights.items())
        order = sorted(nodes, key=balance, reverse=True)
    else:
        # best[set]: the least weight with the set's nodes placed last, and the first of them.
        best = {0: (0, None)}
        for placed in range(1, 1 << len(nodes)):
            choices = []
            for i, node in enumerate(nodes):
                if placed >> i & 1:
                    rest = placed & ~(1 << i)
                    back = sum(weights.get((other, node), 0) for j, other in enumerate(nodes) if rest >> j & 1)
                    choices.append((best[rest][0] + back, i))
            best[placed] = min(choices)
        order, placed = [], (1 << len(nodes)) - 1
        while placed:
            first = best[placed][1]
            order.append(nodes[first])
            placed &= ~(1 << first)
    position = {node: i for i, node in enumerate(order)}
    return [edge for edge in weights if position[edge[0]] > position[edge[1]]], order


def distinct(found):
    """How many pairs of a using file and a name an edge's references are."""
    return len({(r.path, r.name) for r in found})


def describe_edge(edge, found, limit=None):
    """The lines that tell an edge's references: a file and a name a line, those that are used least first."""
    groups = collections.defaultdict(list)
    for reference in found:
        groups[reference.path, reference.name, reference.declared_in].append(reference.line)
    lines = [f"  {edge[0]} → {edge[1]}: {distinct(found)} names in {len(found)} lines"]
    ordered = sorted(groups.items(), key=lambda item: (len(item[1]), item[0]))
    for (path, name, declared_in), numbers in ordered[:limit]:
        lines.append(f"    {path}:{','.join(map(str, sorted(set(numbers))))}: {name} ({declared_in})")
    if limit is not None and len(ordered) > limit:
        lines.append(f"    … and {len(ordered) - limit} more")
    return lines


def describe_cycles(target, edges, limit=12):
    """The report on every cycle between the folders of a target; empty if there is none."""
    graph = collections.defaultdict(set)
    for start, end in edges:
        graph[start].add(end)
        graph[end]
    lines = []
    for component in components(graph):
        inside = {edge: found for edge, found in edges.items() if edge[0] in component and edge[1] in component}
        weights = {edge: distinct(found) for edge, found in inside.items()}
        cut, order = lightest_cut(component, weights)
        lines.append(f"{target}: the folders {', '.join(component)} refer to each other in a cycle")
        lines.append(f"  fewest names to cut: {sum(weights[edge] for edge in cut)} "
                     f"({', '.join(f'{a} → {b}' for a, b in sorted(cut, key=weights.get))}); "
                     f"then each may use those after it: {', '.join(order)}")
        for edge in sorted(inside, key=lambda edge: (edge not in cut, weights[edge], edge)):
            lines += describe_edge(edge, inside[edge], limit)
    return lines


def check_folders(target, folders, edges):
    """Problems with the references between folders where the table says which are allowed."""
    problems = []
    for (start, end), found in sorted(edges.items()):
        if start not in folders:
            problems.append(f"{target}: folder {start} is missing from scripts/references.json")
        elif folders[start] != "any" and end not in folders[start]:
            problems.append(f"{target}: {start} may not refer to {end}")
            problems += describe_edge((start, end), found, 12)
    return problems


# The whole package


def check(root, table, depth=None, limit=12):
    """Checks a package. Returns its problems, the edges of each target, and the references between targets."""
    targets = read_package((root / "Package.swift").read_text())
    problems = check_table(table)
    imports, sources = {}, {}
    for target in targets.values():
        entry = table["targets"].get(target.name, {})
        if target.kind in ("systemLibrary", "plugin") or not (root / target.folder).is_dir():
            continue
        if target.folder.startswith("Sources"):
            sources[target.name] = read_sources(root, target, depth or entry.get("depth", 1))
            found = sources[target.name]
            imports[target.name] = [(m, s.path, line) for s in found for m, line in s.parsed.imports]
        else:
            imports[target.name] = _imports_only(root, target)
    problems += check_targets(table, targets, imports)
    problems += check_unused(root, table, targets, imports)
    edges = {}
    ignored = frozenset(table.get("ignored_members", {}))
    for name, found in sources.items():
        reached = {m for m, _, _ in imports[name]}
        foreign = {
            d.name for module in reached & set(sources) for s in sources[module] for d in s.parsed.declarations
            if d.owner}
        edges[name] = find_references(found, frozenset(foreign), ignored, frozenset({name}))
        folders = table["targets"].get(name, {}).get("folders")
        if folders is not None:
            problems += check_folders(name, folders, edges[name])
        problems += describe_cycles(name, edges[name], limit)
    return problems, edges, crossings(sources, imports)


def _imports_only(root, target):
    pattern = re.compile(r"^[ \t]*(?:@\w+\s+|public\s+|package\s+|internal\s+|private\s+|fileprivate\s+)*import\s+"
                         r"(?:(?:struct|class|enum|protocol|func|let|var|typealias)\s+)?(\w+)", re.MULTILINE)
    result = []
    for path in sorted((root / target.folder).rglob("*.swift")):
        text = path.read_text()
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start(1)) + 1
            result.append((match.group(1), str(path.relative_to(root)), line))
    return result


def crossings(sources, imports):
    """References between targets: {(from, to): [Reference]}; uses of what an imported module declares at file scope."""
    declared = {
        name: {d.name: s.path for s in found for d in s.parsed.declarations
               if not d.owner and d.access in ("public", "package", "open")}
        for name, found in sources.items()}
    result = collections.defaultdict(list)
    for name, found in sources.items():
        own = {d.name for s in found for d in s.parsed.declarations}
        for source in found:
            for module in {m for m, _ in source.parsed.imports} & set(declared):
                for use in source.parsed.uses:
                    if use.name in declared[module] and use.name not in own and not (use.is_label or use.is_member):
                        if use.name not in use.scope.names and use.name not in use.shadows:
                            result[name, module].append(
                                Reference(source.path, use.line, use.name, declared[module][use.name]))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="print every edge with one example")
    parser.add_argument("--depth", type=int, help="path components that make a folder (default: 1, or the table's)")
    parser.add_argument("--all", action="store_true", help="print all references of a cycle")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    options = parser.parse_args()
    table = json.loads((options.root / "scripts" / "references.json").read_text())
    problems, edges, between = check(options.root, table, options.depth, None if options.all else 12)
    if options.list:
        print_list(edges, between)
    for problem in problems:
        print(problem)
    if problems:
        print("references: arrows are declared in scripts/references.json")
        sys.exit(1)


def print_list(edges, between):
    for (start, end), found in sorted(between.items()):
        example = found[0]
        names = len({reference.name for reference in found})
        print(f"{start} → {end}: {names} names in {len(found)} lines, "
              f"such as {example.name} ({example.path}:{example.line})")
    for target, found_edges in sorted(edges.items()):
        for (start, end), found in sorted(found_edges.items()):
            example = found[0]
            print(f"{target}: {start} → {end}: {distinct(found)} names in {len(found)} lines, "
                  f"such as {example.name} ({example.path}:{example.line})")


if __name__ == "__main__":
    main()
