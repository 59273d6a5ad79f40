import Testing

@testable import Diagnostics

@Suite struct SimilarNamesTests {
    @Test(arguments: [
        ("", "", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("kitten", "sitting", 3), ("flaw", "lawn", 2),
        ("abc", "acb", 2), ("ä", "a", 2),
    ])
    func editDistances(a: String, b: String, distance: Int) {
        #expect(SimilarNames.editDistance(Array(a.utf8), Array(b.utf8)) == distance)
        #expect(SimilarNames.editDistance(Array(b.utf8), Array(a.utf8)) == distance)
    }

    @Test(arguments: [
        // A name that ends in the other one comes before the nearest ones.
        ("norm.weight", ["norm.weigth", "encoder.norm.weight", "bias"], ["encoder.norm.weight", "norm.weigth"]),
        ("encoder.norm.weight", ["norm.weight", "weight"], ["norm.weight", "weight"]),
        // At most a quarter of the name is edited, or two bytes of a short one.
        ("abc", ["a", "abcdef", "xyz", "abd"], ["abd", "a"]),
        ("abcdefghijkl", ["abcdefghi", "abcdefgh"], ["abcdefghi"]),
        // Three names at most; equals in the order of the alphabet.
        ("aaaa", ["aaad", "aaac", "aaab", "aaae"], ["aaab", "aaac", "aaad"]),
        ("abc", [], []), ("", ["a", "abc"], ["a"]),
    ])
    func suggestions(name: String, names: [String], found: [String]) {
        #expect(SimilarNames.suggestions(for: name, among: names) == found)
    }

    /// Names that are long or come late are not compared.
    @Test func suggestionsAreBounded() {
        let long = String(repeating: "a", count: 201)
        #expect(SimilarNames.suggestions(for: long, among: [long]).isEmpty)
        #expect(SimilarNames.suggestions(for: "b", among: [long + ".b"]).isEmpty)
        let names = Array(repeating: "something else", count: 1999) + ["abc", "abd"]
        #expect(SimilarNames.suggestions(for: "abd", among: names) == ["abc"])
    }

    @Test(
        arguments: [
            ("modell", ["model", "input"], "model"), ("modle", ["model"], nil), ("INPUT", ["model", "input"], "input"),
            ("x", ["ab"], nil),
            ("ab", ["ac", "ad"], "ac"), ("dimension", ["dimensions", "output"], "dimensions"), ("anything", [], nil),
            // A third of the known name may be edited, and one byte of a short one.
            ("abcdxx", ["abcdef"], "abcdef"), ("abcxxx", ["abcdef"], nil), ("y", ["x"], "x"),
        ] as [(String, [String], String?)])
    func nearest(name: String, known: [String], found: String?) {
        #expect(SimilarNames.nearest(to: name, among: known) == found)
    }

    /// The first 64 bytes of a long name count.
    @Test func longNamesAreCut() {
        let known = String(repeating: "a", count: 64)
        #expect(SimilarNames.nearest(to: known + String(repeating: "b", count: 100_000), among: [known]) == known)
    }
}
