/// The characters of `\p{…}`, `\w` and `\d` in the regular expressions of tokenizer.json.
///
/// Oniguruma's Unicode data depend on its version. The system's version may be older or newer than that of the
/// tokenizers library, and would split at other characters. Therefore these classes are replaced in a pattern by the
/// ranges that the tokenizers library's Oniguruma has (`UnicodeTables`).
enum PatternClasses {
    /// The general categories in the order of `UnicodeTables.categories`, with their long names.
    private static let categories: [(short: String, long: String)] = [
        ("lu", "uppercaseletter"), ("ll", "lowercaseletter"), ("lt", "titlecaseletter"), ("lm", "modifierletter"),
        ("lo", "otherletter"), ("mn", "nonspacingmark"), ("mc", "spacingmark"), ("me", "enclosingmark"),
        ("nd", "decimalnumber"), ("nl", "letternumber"), ("no", "othernumber"), ("pc", "connectorpunctuation"),
        ("pd", "dashpunctuation"), ("ps", "openpunctuation"), ("pe", "closepunctuation"), ("pi", "initialpunctuation"),
        ("pf", "finalpunctuation"), ("po", "otherpunctuation"), ("sm", "mathsymbol"), ("sc", "currencysymbol"),
        ("sk", "modifiersymbol"), ("so", "othersymbol"), ("zs", "spaceseparator"), ("zl", "lineseparator"),
        ("zp", "paragraphseparator"), ("cc", "control"), ("cf", "format"), ("cn", "unassigned"), ("co", "privateuse"),
    ]
    /// The names of groups of categories.
    private static let groups: [(names: [String], of: @Sendable (String) -> Bool)] = [
        (["l", "letter"], { $0.hasPrefix("l") }), (["m", "mark", "combiningmark"], { $0.hasPrefix("m") }),
        (["n", "number"], { $0.hasPrefix("n") }), (["p", "punctuation", "punct"], { $0.hasPrefix("p") }),
        (["s", "symbol"], { $0.hasPrefix("s") }), (["z", "separator"], { $0.hasPrefix("z") }),
        (["c", "other"], { $0.hasPrefix("c") }), (["lc", "casedletter"], { ["lu", "ll", "lt"].contains($0) }),
        (["word", loneWord], { $0.hasPrefix("l") || $0.hasPrefix("m") || ["nd", "nl", "pc"].contains($0) }),
        (["digit"], { $0 == "nd" }),
    ]
    /// The letters in circles and squares, which are word characters though they are symbols.
    private static let wordSymbols: [UInt32] = [
        0x24B6, 0x24E9, 0x1F130, 0x1F149, 0x1F150, 0x1F169, 0x1F170, 0x1F189,
    ]

    /// The class `\w` outside brackets. Oniguruma then also includes ², ³, ¹, ¼, ½ and ¾, by its table of the first 256
    /// characters.
    private static let loneWord = "\\w"
    private static let loneWordNumbers: [UInt32] = [0xB2, 0xB3, 0xB9, 0xB9, 0xBC, 0xBE]

    /// Returns the [first, last] pairs of a class. `nil` if the name is unknown.
    /// - Parameter name: the name in lowercase, without spaces, `_` and `-`.
    static func ranges(_ name: String) -> [UInt32]? {
        if let script = UnicodeTables.scripts.first(where: { $0.name.lowercased() == name }) { return script.ranges }
        let isWanted: [Bool]
        if let place = categories.firstIndex(where: { $0.short == name || $0.long == name }) {
            isWanted = categories.indices.map { $0 == place }
        } else if let group = groups.first(where: { $0.names.contains(name) }) {
            isWanted = categories.map { group.of($0.short) }
        } else {
            return nil
        }
        var ranges: [UInt32] = []
        let starts = UnicodeTables.categories
        for (i, start) in starts.enumerated() where isWanted[Int(start >> 21)] {
            let first = start & 0x1F_FFFF
            var last = i + 1 < starts.count ? (starts[i + 1] & 0x1F_FFFF) - 1 : 0x10_FFFF
            // Surrogates, which no text has.
            if last == 0xDFFF { last = 0xD7FF }
            if let end = ranges.last, end + 1 == first {
                ranges[ranges.count - 1] = last
            } else {
                ranges += [first, last]
            }
        }
        switch name {
        case "word": return merged(ranges, wordSymbols)
        case loneWord: return merged(ranges, wordSymbols + loneWordNumbers)
        default: return ranges
        }
    }

    private static func merged(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
        func pairs(_ flat: [UInt32]) -> [(UInt32, UInt32)] {
            stride(from: 0, to: flat.count, by: 2).map { (flat[$0], flat[$0 + 1]) }
        }
        return (pairs(a) + pairs(b)).sorted { $0.0 < $1.0 }.flatMap { [$0.0, $0.1] }
    }

    // MARK: In a pattern

    /// Returns a pattern with its classes spelled out: `[\x{41}-\x{5A}…]` for `\p{Lu}`. If options such as `(?W)`
    /// restrict classes to ASCII, these stay unchanged.
    static func spelledOut(_ pattern: [UInt32]) -> [UInt32] {
        var out: [UInt32] = []
        var scan = PatternScan()
        let keepsShorthands = hasClassOptions(pattern)
        var i = 0
        while i < pattern.count {
            if pattern[i] == PatternScan.backslash, let found = property(pattern[i...], keepsShorthands),
                let ranges = ranges(
                    found.name == "word" && !scan.isInClass ? loneWord : found.name)
            {
                // Case is not ignored within a property; of characters in brackets it is, unless the property stands there.
                let keepsCase = scan.ignoresCase && !scan.isInClass
                out += text(keepsCase ? "(?-i:[" : "[") + (found.isNegated ? [0x5E] : [])
                for j in stride(from: 0, to: ranges.count, by: 2) {
                    out += text("\\x{\(String(ranges[j], radix: 16))}-\\x{\(String(ranges[j + 1], radix: 16))}")
                }
                out += text(keepsCase ? "])" : "]")
                i += found.length
                continue
            }
            let length = scan.step(pattern[i...])
            out += pattern[i..<i + length]
            i += length
        }
        return out
    }

    private static func text(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }

    /// Reads the class that a backslash begins: `\p{L}`, `\P{L}`, `\p{^L}`, `\w`, `\W`, `\d`, `\D`.
    private static func property(
        _ text: ArraySlice<UInt32>, _ keepsShorthands: Bool
    ) -> (length: Int, isNegated: Bool, name: String)? {
        let start = text.startIndex
        guard start + 1 < text.endIndex else { return nil }
        switch text[start + 1] {
        case 0x77 where !keepsShorthands: return (2, false, "word")
        case 0x57 where !keepsShorthands: return (2, true, "word")
        case 0x64 where !keepsShorthands: return (2, false, "digit")
        case 0x44 where !keepsShorthands: return (2, true, "digit")
        case let letter where letter == 0x70 || letter == 0x50:
            guard !keepsShorthands, start + 2 < text.endIndex, text[start + 2] == 0x7B,
                let end = text.firstIndex(of: 0x7D)
            else { return nil }
            var isNegated = letter == 0x50
            var name = ""
            for (i, scalar) in text[(start + 3)..<end].enumerated() {
                if i == 0, scalar == 0x5E {
                    isNegated.toggle()
                    continue
                }
                guard scalar < 0x80, let character = Unicode.Scalar(scalar) else { return nil }
                if ![" ", "_", "-"].contains(character) { name.unicodeScalars.append(character) }
            }
            return (end + 1 - start, isNegated, name.lowercased())
        default: return nil
        }
    }

    /// Whether an option may restrict `\w`, `\d` or `\p{…}` to ASCII: a capital letter in `(?W-i:…)`.
    private static func hasClassOptions(_ pattern: [UInt32]) -> Bool {
        var scan = PatternScan()
        var i = 0
        while i < pattern.count {
            i += scan.step(pattern[i...])
            if scan.options.contains(where: { (0x41...0x5A).contains($0) }) { return true }
        }
        return false
    }
}

/// A position in a regular expression, with the options that hold there.
private struct PatternScan {
    static let backslash: UInt32 = 0x5C

    /// For every enclosing group, the innermost last, whether case is ignored.
    private var groups = [false]
    private var classes = 0
    /// The options that the last step set: `i-m` of `(?i-m:`.
    private(set) var options: ArraySlice<UInt32> = []

    var ignoresCase: Bool { groups[groups.count - 1] }
    var isInClass: Bool { classes > 0 }

    /// - Returns: the number of scalars that the step passes, at least one.
    mutating func step(_ text: ArraySlice<UInt32>) -> Int {
        options = []
        let start = text.startIndex
        switch text[start] {
        case PatternScan.backslash: return min(2, text.count)
        case 0x5B:
            classes += 1
            // A bracket that comes first is one of the characters.
            let next = start + (text.dropFirst().first == 0x5E ? 2 : 1)
            return next < text.endIndex && text[next] == 0x5D ? next + 1 - start : next - start
        case 0x5D: classes = max(0, classes - 1)
        case 0x28 where classes == 0: return open(text)
        case 0x29 where classes == 0 && groups.count > 1: groups.removeLast()
        default: break
        }
        return 1
    }

    /// Reads the start of a group: `(`, `(?i:`, or `(?i)`, which holds for the rest of its group.
    private mutating func open(_ text: ArraySlice<UInt32>) -> Int {
        let start = text.startIndex
        groups.append(ignoresCase)
        guard text.dropFirst().first == 0x3F else { return 1 }
        let letters = text[(start + 2)...].prefix {
            $0 == 0x2D || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
        }
        guard letters.endIndex < text.endIndex, [0x3A, 0x29].contains(text[letters.endIndex]) else { return 2 }
        options = letters
        let isOff = letters.firstIndex(of: 0x2D) ?? letters.endIndex
        if letters[..<isOff].contains(0x69) { groups[groups.count - 1] = true }
        if letters[isOff...].contains(0x69) { groups[groups.count - 1] = false }
        if text[letters.endIndex] == 0x29 {
            let ignores = groups.removeLast()
            groups[groups.count - 1] = ignores
        }
        return letters.endIndex + 1 - start
    }
}
