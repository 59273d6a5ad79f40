import Diagnostics
import Testing

@Suite struct ExcerptTests {
    @Test(arguments: [
        ("", 3, ""), ("abc", 3, "abc"), ("abcd", 3, "abc…"), ("äöüß", 3, "äöü…"), ("abc", 0, "…"), ("", 0, ""),
        // One character of several scalars is cut between them.
        ("e\u{301}\u{302}\u{303}", 2, "e\u{301}…"),
    ])
    func excerpts(text: String, limit: Int, shown: String) {
        #expect(text.excerpt(limit).unicodeScalars.elementsEqual(shown.unicodeScalars))
    }

    @Test func excerptsHave80Scalars() {
        #expect(String(repeating: "a", count: 80).excerpt() == String(repeating: "a", count: 80))
        #expect(String(repeating: "a", count: 81).excerpt() == String(repeating: "a", count: 80) + "…")
    }

    @Test(arguments: [
        ("", "''"), ("model.weight", "'model.weight'"), ("a\nb\u{1B}[0m\u{7F}", "'a?b?[0m?'"), ("é 漢", "'é 漢'"),
        (String(repeating: "x", count: 200), "'" + String(repeating: "x", count: 200) + "'"),
        (String(repeating: "x", count: 201), "'" + String(repeating: "x", count: 200) + "…'"),
    ])
    func quotes(name: String, shown: String) { #expect(quoted(name) == shown) }
}

@Suite struct HexDigitTests {
    /// Every byte has the value that the standard library gives its character.
    @Test func values() {
        for byte in UInt8.min...UInt8.max {
            let expected = byte < 0x80 ? Character(UnicodeScalar(byte)).hexDigitValue : nil
            #expect(byte.hexDigitValue.map(Int.init) == expected, "\(byte)")
        }
    }
}
