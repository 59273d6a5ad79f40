/// The properties of a code point that tokenizers use, as a set of bits.
struct ScalarClass: OptionSet {
    let rawValue: UInt16

    static let removedByCleanText = ScalarClass(rawValue: 1)
    static let nonspacingMark = ScalarClass(rawValue: 2)
    static let mark = ScalarClass(rawValue: 4)
    static let punctuation = ScalarClass(rawValue: 8)
    /// A canonical decomposition or a combining class other than 0: NFD changes or reorders the scalar.
    static let touchedByNFD = ScalarClass(rawValue: 16)
    /// The property White_Space of Unicode, which is Rust's `char::is_whitespace` and `\s` of its regular expressions.
    static let whitespace = ScalarClass(rawValue: 32)
    /// The blocks of `is_chinese_char` in BERT's tokenizer, one extension block with its published error (2B920).
    static let chinese = ScalarClass(rawValue: 64)
    /// The class `\w` of Rust's regular expressions.
    static let word = ScalarClass(rawValue: 128)
    /// The classes `\p{L}` and `\p{N}` of Oniguruma's regular expressions.
    static let letter = ScalarClass(rawValue: 256)
    static let number = ScalarClass(rawValue: 512)
    /// The property of Rust's `char::is_numeric`.
    static let numeric = ScalarClass(rawValue: 1024)
    /// A compatibility decomposition other than the canonical one.
    static let touchedByNFKD = ScalarClass(rawValue: 2048)
    /// The scalars that NFC may change: the second part of a primary composite, in Hangul the first, and those changed
    /// by NFC itself.
    static let touchedByNFC = ScalarClass(rawValue: 4096)

    @inline(__always) static func of(_ scalar: UInt32) -> ScalarClass { lookup[scalar] }

    /// A reference to the table of classes. A loop fetches it once: each access to a global calls `swift_once`, which took 13 %
    /// of WordPiece's time.
    struct Lookup {
        fileprivate let table: UnsafePointer<UInt16>

        @inline(__always) subscript(_ scalar: UInt32) -> ScalarClass {
            ScalarClass(rawValue: scalar < tableSize ? table[Int(scalar)] : search(scalar))
        }
    }

    @inline(__always) static var lookup: Lookup { Lookup(table: table) }

    private static let tableSize: UInt32 = 0x20000
    /// The classes of the scalars below `tableSize`; never changed and never freed.
    private nonisolated(unsafe) static let table: UnsafePointer<UInt16> = {
        let table = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: Int(tableSize))
        table.initialize(repeating: 0)
        for (scalarClass, ranges) in classes {
            for i in stride(from: 0, to: ranges.count, by: 2) where ranges[i] < tableSize {
                for scalar in ranges[i]...min(ranges[i + 1], tableSize - 1) {
                    table[Int(scalar)] |= scalarClass.rawValue
                }
            }
        }
        return UnsafePointer(table.baseAddress!)
    }()

    private static func search(_ scalar: UInt32) -> UInt16 {
        var found: ScalarClass = []
        for (scalarClass, ranges) in classes where contains(scalar, ranges) { found.insert(scalarClass) }
        return found.rawValue
    }

    /// - Parameter ranges: ascending [first, last] pairs.
    private static func contains(_ scalar: UInt32, _ ranges: [UInt32]) -> Bool {
        var low = 0
        var high = ranges.count / 2
        while low < high {
            let middle = (low + high) / 2
            if ranges[2 * middle + 1] < scalar { low = middle + 1 } else { high = middle }
        }
        return 2 * low < ranges.count && ranges[2 * low] <= scalar
    }

    private static let classes: [(ScalarClass, [UInt32])] = [
        (.removedByCleanText, UnicodeTables.removedByCleanText),
        (.nonspacingMark, UnicodeTables.nonspacingMarks),
        (.mark, UnicodeTables.marks),
        (.punctuation, UnicodeTables.punctuation),
        (.touchedByNFD, UnicodeForms.touchedByNFD), (.touchedByNFKD, UnicodeForms.touchedByNFKD),
        (.touchedByNFC, UnicodeForms.touchedByNFC), (.word, UnicodeTables.words), (.letter, UnicodeTables.letters),
        (.number, UnicodeTables.numbers), (.numeric, UnicodeTables.numeric),
        (
            .whitespace,
            [
                0x9, 0xD, 0x20, 0x20, 0x85, 0x85, 0xA0, 0xA0, 0x1680, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F,
                0x202F, 0x205F, 0x205F, 0x3000, 0x3000,
            ]
        ),
        (
            .chinese,
            [
                0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xF900, 0xFAFF, 0x20000, 0x2A6DF, 0x2A700, 0x2B73F, 0x2B740, 0x2B81F,
                0x2B920, 0x2CEAF, 0x2F800, 0x2FA1F,
            ]
        ),
    ]
}
