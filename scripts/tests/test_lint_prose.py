"""Tests of lint_prose.py: every kind of finding, and what is right and must not be found."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import lint_prose  # noqa: E402


def findings(text, path="Sources/Server/Example.swift"):
    """Rule, line and text of each finding in a file of this text."""
    return [(f.rule, f.line, f.text) for f in sorted(lint_prose.check(lint_prose.Document(path, text)))]


def rules(text, path="Sources/Server/Example.swift"):
    return [rule for rule, _, _ in findings(text, path)]


class OpeningTests(unittest.TestCase):
    def test_swift(self):
        for word in lint_prose.RULES["openings"]:
            with self.subTest(word):
                self.assertIn(("opening", 2, f"{word} a body, inflated."), findings(
                    f"struct A {{\n    /// {word} a body, inflated.\n    /// More.\n    let a: Int\n}}\n"))
                self.assertIn("opening", rules(f"/**\n * {word} a body.\n */\nlet a = 1\n"))

    def test_every_paragraph(self):
        self.assertEqual(
            findings("/// The sum.\n///\n/// By default it rounds.\n/// Of note.\n///\n/// - Note: As it is.\nlet a = 1\n"),
            [("opening", 3, "By default it rounds.")])

    def test_right_openings(self):
        for text in (
            "/// The largest body. Of use to all.\n/// Of course.\nlet a = 1\n",
            "/// Office hours.\nlet a = 1\n", "// Of a body.\nlet a = 1\n", 'let a = "/// Of a body"\n',
            "/// The sum.\n/// - Parameter x: whether it is.\n/// - Returns: What it is.\nfunc f() {}\n",
            "//////// Of\n", "/* /// Of */\n", "/// `nil` if so.\nlet a = 1\n",
        ):
            with self.subTest(text):
                self.assertEqual(findings(text), [])

    def test_python(self):
        text = '"""Reads it."""\ndef f():\n    """By name: what."""\n    return 1\nclass A:\n    """\n    What it is.\n    """\n'
        self.assertEqual([(r, line) for r, line, _ in findings(text, "scripts/x.py")], [("opening", 3), ("opening", 7)])

    def test_c(self):
        self.assertEqual(rules("/// Of it.\nint f(void);\n/** As it. */\nint g(void);\n", "Sources/C/x.h"), ["opening"] * 2)


class LengthTests(unittest.TestCase):
    def test_long_sentences(self):
        words = " ".join(["word"] * 20)
        self.assertEqual(
            [(rule, line) for rule, line, _ in findings(f"/// Short.\n/// {words}\n/// {words} one.\n/// End.\nlet a = 1\n")],
            [("length", 2)])
        self.assertEqual(rules(f"/** {words} {words} one. */\nint a;\n", "Sources/C/x.h"), ["length"])

    def test_right_lengths(self):
        words = " ".join(["word"] * 20)
        for text in (
            f"/// {words}\n/// {words}.\n/// {words}.\nlet a = 1\n",
            f"/// {words} `a b c` https://a.b/c?d=e.f\n/// {' '.join(['word'] * 18)}.\nlet a = 1\n",
            f"/// The sum:\n///\n///     {words}\n///     {words} one\nlet a = 1\n",
            f"/// | a | b |\n/// |---|---|\n/// | {words} | {words} one |\nlet a = 1\n",
            f"// {words} {words} one.\nlet a = 1\n",
        ):
            with self.subTest(text):
                self.assertEqual(findings(text), [])


class WhetherTests(unittest.TestCase):
    def test_booleans(self):
        for code in (
            "let a: Bool", "private(set) var a: Bool = false", "var isA = true", "static let a: Bool?", "var a: [Bool]",
            "let a = Atomic(false)", "func f(_ x: Int) -> Bool { true }", "func f(\n    x: Int\n) throws\n    -> Bool {",
            "@inlinable @inline(__always)\npublic func f() -> Bool {", "@Flag(help: \"x\")\nvar json = false",
            "let a: @Sendable () -> Bool", "subscript(i: Int) -> Bool {", "var a: Bool { x }", "let a = b == c",
            "case a(Bool)", "init() {}\n", "func f() -> Int {", "let a: Int", "let a = 1\nlet b: Bool", "struct A {\n let b: Bool",
        ):
            is_wrong = code.startswith(("init", "func f() -> Int", "let a: Int", "let a = 1", "struct"))
            with self.subTest(code):
                self.assertEqual(rules(f"/// Whether it is.\n{code}\n"), ["whether"] if is_wrong else [])

    def test_python(self):
        for body, expected in (("return a == b", []), ("return any(a)", []), ("return a or b", ["whether"]), ("pass", ["whether"])):
            with self.subTest(body):
                self.assertEqual(rules(f'def f(a, b):\n    """Whether it is."""\n    {body}\n', "scripts/x.py"), expected)
        self.assertEqual(rules('def f(a) -> bool:\n    """Whether it is."""\n    return a\n', "scripts/x.py"), [])


class SpellingTests(unittest.TestCase):
    def test_words(self):
        for british, american in (
            ("normalise", "normalize"), ("tokenisers", "tokenizers"), ("quantisation", "quantization"),
            ("unnormalised", "unnormalized"), ("analyse", "analyze"), ("analysing", "analyzing"), ("colour", "color"),
            ("colouring", "coloring"), ("neighbourhood", "neighborhood"), ("behaviours", "behaviors"), ("centre", "center"),
            ("centred", "centered"), ("millimetres", "millimeters"), ("labelled", "labeled"), ("unlabelled", "unlabeled"),
            ("modelling", "modeling"), ("traveller", "traveler"), ("cancelled", "canceled"), ("catalogue", "catalog"),
            ("licence", "license"), ("defence", "defense"), ("whilst", "while"), ("towards", "toward"), ("grey", "gray"),
            ("practised", "practiced"), ("fulfil", "fulfill"), ("learnt", "learned"), ("synchronising", "synchronizing"),
            ("optimisable", "optimizable"), ("favourite", "favorite"), ("judgement", "judgment"), ("harmonises", "harmonizes"),
        ):
            self.assertEqual(lint_prose.american(british), american)

    def test_american_words(self):
        words = """
            raise raised raising promise promised otherwise exercise exercised precise imprecise noise noises denoiser likewise
            revise advised surprise surprising compromise supervised unsupervised enterprise premise premises expertise rise
            wise madvise bitwise pairwise elementwise disable disables list existing this analyses analysis basis crises hour
            four contour pour source courses resource your tour glamour are more here hundred sacred entire controlled
            installed calling filled rolled totally excelled compelled enrolled intelligence sequence presence difference
            cancellation dialogue size sized seize prize capsize visible visiting visited promises poised bruised advertising
            raiser cruiser miser wiser franchise improvisation treatise paradise disguised canceled modeling labeled model
            travels equally metal retrieve genre acre ogre massacre timbre concise excised demise liaise chastised
        """.split()
        self.assertEqual({word: lint_prose.american(word) for word in words if lint_prose.american(word)}, {})

    def test_kinds(self):
        self.assertEqual(findings("// A normalised `colourMap` of isNormalised.\nlet grey_level = \"labelled\" // see Normaliser.swift\n"), [
            ("spelling", 1, "'Normalised' in an identifier: 'Normalized'"),
            ("spelling", 1, "'colour' in an identifier: 'color'"),
            ("spelling", 1, "'normalised' in prose: 'normalized'"),
            ("spelling", 2, "'Normaliser' in an identifier: 'Normalizer'"),
            ("spelling", 2, "'grey' in an identifier: 'gray'"),
            ("spelling", 2, "'labelled' in a string: 'labeled'"),
        ])
        self.assertEqual(findings("let a = 1\n", "Sources/Models/Normalise.swift"), [
            ("spelling", 1, "'Normalise' in the file's name: 'Normalize'")])

    def test_cancelled_is_a_name_but_no_prose(self):
        self.assertEqual(findings('if task.isCancelled { throw E("cancelled") } // `cancelled`, isCancelled\n'), [])
        self.assertEqual(findings("// It is cancelled.\n"), [("spelling", 1, "'cancelled' in prose: 'canceled'")])

    def test_fix(self):
        def fixed(text, path="Sources/A.swift"):
            return lint_prose.fixed(lint_prose.Document(path, text))

        self.assertEqual(
            fixed('/// Normalised, NORMALISED `normalised` isNormalised.\nlet normalised = "normalised \\(colour)" // grey\n'),
            '/// Normalized, NORMALIZED `normalised` isNormalised.\nlet normalised = "normalised \\(colour)" // gray\n')
        self.assertEqual(
            fixed("# Colour\n`grey`\n```\ngrey\n```\n[grey](grey.md), https://a.b/grey --grey grey\n", "README.md"),
            "# Color\n`grey`\n```\ngrey\n```\n[gray](grey.md), https://a.b/grey --grey gray\n")
        self.assertEqual(fixed("# grey\ngrey: ## grey\n", "Makefile"), "# gray\ngrey: ## gray\n")
        self.assertEqual(
            fixed('def f():\n    """Grey."""\n    return "grey"  # grey\n', "scripts/a.py"),
            'def f():\n    """Gray."""\n    return "grey"  # gray\n')


class PrivateWordTests(unittest.TestCase):
    def test_words(self):
        for text in ("those for whom", "newcomers", "in a full house", "a full\n// house", "gives way", "looks out", "mailbox",
                     "letters are run", "brain floats"):
            with self.subTest(text):
                self.assertEqual(rules(f"// {text}\n"), ["private-word"])

    def test_right_words(self):
        self.assertEqual(findings("let mailbox = 1 // `letters`, give away, look outside\n"), [])
        self.assertEqual(findings("// letters and digits\n", "Sources/Tokenizers/A.swift"), [])


class CommitTests(unittest.TestCase):
    def test_subjects(self):
        for subject in ("kernels: rename Brain to BF16", "Server/API: embed openapi.json", "README: process all of it",
                        "Models, Server: bring names in line"):
            self.assertIsNone(lint_prose.subject_problem(subject), subject)
        for subject in ("A connection remembers one beginning", "kernels: renames Brain", "kernels: renamed Brain",
                        "kernels: renaming Brain", "kernels: the names", "kernels: rename " + "x" * 60, "kernels: rename Brain."):
            self.assertIsNotNone(lint_prose.subject_problem(subject), subject)


class FileTests(unittest.TestCase):
    def test_data_is_left_out(self):
        names = list(lint_prose.files(lint_prose.ROOT, lint_prose.PLACES))
        self.assertIn("README.md", names)
        self.assertIn("scripts/lint_prose.py", names)
        self.assertFalse([name for name in names if "/data/" in name or "Corpora" in name or "UnicodeTables" in name])


if __name__ == "__main__":
    unittest.main()
