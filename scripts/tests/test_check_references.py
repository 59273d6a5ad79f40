"""Tests of check_references.py: every kind of wrong reference is put into a small package and must be found."""
import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import check_references  # noqa: E402
import swift_declarations  # noqa: E402
import swift_source  # noqa: E402

PACKAGE = """
// swift-tools-version: 6.2
let extra: [Target] = [.target(name: "Extra", dependencies: ["Files"])]
let shared: [Target.Dependency] = ["Files"]
let package = Package(
    name: "p",
    targets: extra + [
        // .target(name: "Commented", dependencies: ["Nothing"]),
        .systemLibrary(name: "CLib", pkgConfig: "lib", providers: [.apt(["lib-dev"])]),
        .target(name: "Files"),
        .target(name: "Core", dependencies: ["CLib"] + shared, swiftSettings: strict),
        .executableTarget(
            name: "tool",
            dependencies: [.target(name: "Core"), .product(name: "Logging", package: "swift-log")], path: "Tool"),
        .testTarget(name: "CoreTests", dependencies: ["Core"]),
    ])
"""
TABLE = {
    "system": ["Foundation"], "packages": ["Logging"], "shared": ["Files"], "ignored_members": {},
    "targets": {
        "CLib": {"uses": []}, "Files": {"uses": []}, "Core": {"uses": ["CLib", "Files"]}, "Extra": {"uses": ["Files"]},
        "tool": {"uses": ["Core", "Logging"]}, "CoreTests": {"uses": "any"},
    },
}
SOURCES = {
    "Sources/Files/File.swift": "public struct File { public var size = 0 }\n",
    "Sources/Extra/Extra.swift": "import Files\nlet extra = File()\n",
    "Sources/Core/Root.swift": "struct Root {}\n",
    "Sources/Core/A/Top.swift": "import CLib\nimport Files\nstruct Top { let middle: Middle }\n",
    "Sources/Core/B/Middle.swift": "struct Middle { let root: Root\n    func measure() {} }\n",
    "Sources/Core/C/Bottom.swift": "struct Bottom { enum Kind { case one, two } }\n",
    "Tool/main.swift": "import Core\nimport Logging\nimport Foundation\n",
    "Tests/CoreTests/CoreTests.swift": "@testable import Core\n",
}


def check(changes=(), package=PACKAGE, table=TABLE, depth=None):
    """The problems of the small package after some of its files are replaced."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {**SOURCES, **dict(changes)}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (root / "Package.swift").write_text(package)
        return check_references.check(root, table, depth)[0]


class CheckReferencesTests(unittest.TestCase):
    def assert_finds(self, problems, *parts):
        text = "\n".join(problems)
        for part in parts:
            self.assertIn(part, text)

    def assert_cycle(self, changes, *parts):
        self.assert_finds(check(changes), "refer to each other in a cycle", *parts)

    def test_right_package_passes(self):
        self.assertEqual(check(), [])

    def test_dependency_against_the_arrows(self):
        problems = check(package=PACKAGE.replace('.target(name: "Files")', '.target(name: "Files", dependencies: ["Core"])'))
        self.assert_finds(problems, "Package.swift:10: Files may not depend on Core")

    def test_dependencies_of_every_spelling_are_read(self):
        targets = check_references.read_package(PACKAGE)
        self.assertEqual(sorted(targets), ["CLib", "Core", "CoreTests", "Extra", "Files", "tool"])
        self.assertEqual(sorted(targets["Core"].dependencies), ["CLib", "Files"])
        self.assertEqual(sorted(targets["tool"].dependencies), ["Core", "Logging"])
        self.assertEqual(sorted(targets["Extra"].dependencies), ["Files"])
        self.assertEqual(targets["tool"].folder, "Tool")
        self.assertEqual(targets["CoreTests"].folder, "Tests/CoreTests")

    def test_target_missing_from_the_table(self):
        problems = check(package=PACKAGE.replace('.target(name: "Files"),', '.target(name: "Files"), .target(name: "New"),'))
        self.assertEqual(problems, ["Package.swift: target New is missing from scripts/references.json"])

    def test_import_against_the_arrows(self):
        self.assert_finds(
            check({"Sources/Files/File.swift": "@preconcurrency import struct Core.Top\n"}),
            "Sources/Files/File.swift:1: Files may not import Core")

    def test_import_of_what_is_no_dependency(self):
        problems = check({"Tool/main.swift": "import Core\nimport Logging\nimport Files\n"})
        self.assertEqual(problems, ["Tool/main.swift:3: tool imports Files, which is not among its dependencies"])

    def test_dependency_that_no_file_imports(self):
        problems = check({"Tool/main.swift": "import Core\n"})
        self.assertEqual(problems, ["Package.swift:14: tool depends on Logging, which none of its files imports"])
        problems = check({"Tests/CoreTests/CoreTests.swift": "let core = 1\n"})
        self.assertEqual(problems, ["Package.swift:15: CoreTests depends on Core, which none of its files imports"])

    def test_executable_need_not_be_imported_by_its_tests(self):
        package = PACKAGE.replace('dependencies: ["Core"]),\n    ])', 'dependencies: ["Core", "tool"]),\n    ])')
        self.assertNotEqual(package, PACKAGE)
        self.assertEqual(check(package=package), [])

    def test_arrow_without_a_dependency(self):
        table = {**TABLE, "targets": {**TABLE["targets"], "Extra": {"uses": ["Files", "CLib"]}}}
        self.assertEqual(
            check(table=table),
            ["scripts/references.json: Extra may use CLib, which is not among its dependencies"])

    def test_import_in_a_test_of_an_unknown_module(self):
        problems = check({"Tests/CoreTests/CoreTests.swift": "import Core\nimport Strange\n"})
        self.assert_finds(problems, "CoreTests.swift:2: Strange is no module")

    def test_import_in_a_comment_or_string_is_none(self):
        text = '// import Core\n/* import Core\n*/\nlet text = """\n    import Core\n    """\n'
        self.assertEqual(check({"Sources/Files/File.swift": text}), [])

    def test_cycle_in_the_table(self):
        table = {**TABLE, "targets": {**TABLE["targets"], "Files": {"uses": ["Core"]}}}
        self.assert_finds(check(table=table), "the arrows between Core, Files form a cycle")

    def test_type_against_the_order(self):
        self.assert_cycle(
            {"Sources/Core/Root.swift": "struct Root { let middle: Middle? }\n"},
            "Core: the folders ., B refer", ". → B: 1 names in 1 lines",
            "Sources/Core/Root.swift:1: Middle (Sources/Core/B/Middle.swift)")

    def test_type_in_a_string_interpolation(self):
        self.assert_cycle({"Sources/Core/Root.swift": 'struct Root { let s = "\\(Middle.self)" }\n'}, "Middle")

    def test_types_in_signatures_beside_labels_that_are_keywords(self):
        for text in (
            "func f(for middle: Middle) {}", "let f = { (m: Middle) -> Int in 1 }", "let d: [Middle: Int] = [:]",
            "func f() { g(in: 1) { x in Middle() } }", "func f<T: Middle>(_ t: T) {}", "func f() { for case let m as Middle in x {} }",
            "extension Middle {}", "typealias M = Core.Middle", "let f: (Middle) -> Void", "@Wrapped<Middle> var x: Int",
        ):
            with self.subTest(text):
                self.assert_cycle({"Sources/Core/Root.swift": f"struct Root {{}}\n{text}\n"}, ". → B", "Middle")

    def test_function_at_file_scope(self):
        self.assert_cycle({
            "Sources/Core/B/Middle.swift": "struct Middle { let root: Root }\nfunc half(_ x: Int) -> Int { x / 2 }\n",
            "Sources/Core/Root.swift": "struct Root { var x: Int { half(2) } }\n"}, ". → B", "half")

    def test_member_that_an_extension_in_another_folder_adds(self):
        self.assert_cycle({
            "Sources/Core/B/More.swift": "extension Root {\n    func encodeBatch() {}\n}\n",
            "Sources/Core/Root.swift": "struct Root { func run() { encodeBatch() } }\n"}, ". → B", "Root.encodeBatch")
        self.assert_cycle({
            "Sources/Core/B/More.swift": "extension Array {\n    var encodedBatch: Int { 1 }\n}\n",
            "Sources/Core/Root.swift": "struct Root { let x = [1].encodedBatch }\n"}, ". → B", "Array.encodedBatch")

    def test_member_that_is_qualified_by_its_type(self):
        self.assert_cycle({
            "Sources/Core/B/More.swift": "extension Root { static func measure() {} }\n",
            "Sources/Core/C/Bottom.swift": "struct Bottom { func measure() {} }\n",
            "Sources/Core/Root.swift": "struct Root {}\nlet run = Root.measure\n"}, ". → B", "Root.measure")

    def test_initializer_that_an_extension_in_another_folder_adds(self):
        self.assert_cycle({
            "Sources/Core/B/More.swift": "extension Root {\n    init(file: Int) { self.init() }\n}\n",
            "Sources/Core/Root.swift": "struct Root {}\nlet root = Root(file: 1)\n"}, ". → B", "Root.init(file:)")

    def test_cycle_of_three_folders(self):
        problems = check({
            "Sources/Core/B/Middle.swift": "struct Middle { let bottom: Bottom }\n",
            "Sources/Core/C/Bottom.swift": "struct Bottom {\n    let a: Top?\n    let b: Top?\n}\n"})
        self.assert_finds(
            problems, "Core: the folders A, B, C refer to each other", "fewest names to cut: 1",
            "A → B: 1 names in 1 lines", "B → C: 1 names in 1 lines", "C → A: 1 names in 2 lines",
            "Sources/Core/C/Bottom.swift:2,3: Top (Sources/Core/A/Top.swift)")

    def test_cycle_of_sub_folders(self):
        changes = {
            "Sources/Core/A/X/X.swift": "struct X { let y: Y? }\n", "Sources/Core/A/Y/Y.swift": "struct Y { let x: X? }\n"}
        self.assertEqual(check(changes), [])
        self.assert_finds(check(changes, depth=2), "the folders A/X, A/Y refer")
        deep = {**TABLE, "targets": {**TABLE["targets"], "Core": {"uses": ["CLib", "Files"], "depth": 2}}}
        self.assert_finds(check(changes, table=deep), "the folders A/X, A/Y refer")

    def test_folders_of_the_table(self):
        def table(folders):
            return {**TABLE, "targets": {**TABLE["targets"], "Core": {"uses": ["CLib", "Files"], "folders": folders}}}

        right = {"A": ["B"], "B": ["."], "C": [], ".": []}
        self.assertEqual(check(table=table(right)), [])
        self.assertEqual(check(table=table({**right, "A": "any"})), [])
        self.assert_finds(check(table=table({**right, "A": []})), "Core: A may not refer to B", "Top.swift:3: Middle")
        self.assert_finds(check(table=table({"A": ["B"]})), "Core: folder B is missing from scripts/references.json")

    def test_names_that_are_no_references(self):
        for text in (
            "// Middle\n/* Middle /* Middle */ */ struct Root {}",
            'struct Root { let s = "Middle", t = #"\\(Middle)"# }',
            "struct Root<Middle> { let m: Middle }",
            "struct Root { func f<Middle>(_ m: Middle) -> Middle { m } }",
            "struct Root { enum Middle { case a }\n    let m: Middle }",
            "struct Root { enum Middle { case a } }\nextension Root { func f(m: Middle) {} }",
            "struct Root { let m = Other.Middle() }",
            "private struct Middle {}\nstruct Root { private let m = Middle() }",
            "struct Root { func f() { struct Middle {}\n        _ = Middle() } }",
            "protocol Root { associatedtype Middle\n    var m: Middle { get } }",
            "struct Root { func f(measure: () -> Void) { measure() } }",
        ):
            with self.subTest(text):
                self.assertEqual(check({"Sources/Core/Root.swift": text + "\n"}), [])

    def test_standard_members_and_shared_names_are_no_references(self):
        self.assertEqual(check({
            "Sources/Core/B/More.swift": "extension Array { func first(_ x: Int) {}\n    func bound() {} }\n",
            "Sources/Core/C/Bottom.swift": "struct Bottom { func bound() {} }\n",
            "Sources/Core/Root.swift": "struct Root { let x = [1].first, y: () = z.bound() }\n"}), [])


class LightestCutTests(unittest.TestCase):
    def test_the_lightest_edges_are_cut(self):
        cut, order = check_references.lightest_cut(
            ["A", "B", "C"], {("A", "B"): 9, ("B", "C"): 9, ("C", "A"): 2, ("B", "A"): 1})
        self.assertEqual(sorted(cut), [("B", "A"), ("C", "A")])
        self.assertEqual(order, ["A", "B", "C"])

    def test_components(self):
        graph = {"A": {"B"}, "B": {"C"}, "C": {"B", "D"}, "D": {"E"}, "E": {"D"}}
        self.assertEqual(sorted(check_references.components(graph)), [["B", "C"], ["D", "E"]])


class SwiftSourceTests(unittest.TestCase):
    def code(self, text, language="swift"):
        return swift_source.blanked(text, swift_source.regions(text, language), {swift_source.CODE}).split()

    def test_swift(self):
        self.assertEqual(self.code('a /* b /* c */ d */ e // f\ng "h \\(i("j")) \\" k" l'), ["a", "e", "g", "(i(", "))", "l"])
        self.assertEqual(self.code('a #"b "c" \\(d) \\#(e) "# f'), ["a", "(e)", "f"])
        self.assertEqual(self.code('a """\n  b "c" \\\n  \\(d)\n  """ e "" f'), ["a", "(d)", "e", "f"])

    def test_c(self):
        self.assertEqual(self.code("a '\"' b /* c /* d */ e \"f\\\"\" g", "c"), ["a", "b", "e", "g"])

    def test_declarations(self):
        found = swift_declarations.parse(
            "public struct A<T>: P { let a, b: Int\n    private(set) var c = 1, d: Int\n    enum B { case x(Int), y } }\n"
            "private extension A { func e() { let f = 1 } }\nfunc g() {}\nlet (h, i) = (1, 2)\n").declarations
        self.assertEqual(
            [(d.owner, d.name) for d in found],
            [("", "A"), ("A", "a"), ("A", "b"), ("A", "c"), ("A", "d"), ("A", "B"), ("A.B", "x"), ("A.B", "y"), ("A", "e"),
             ("", "g"), ("", "h"), ("", "i")])
        self.assertEqual([d.access for d in found if d.name in "Ae"], ["public", "private"])


if __name__ == "__main__":
    unittest.main()
