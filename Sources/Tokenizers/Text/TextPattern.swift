import COnig
import JSON
import ModelFiles

/// The pattern of `Split` and `Replace`: a string, or a regular expression in Oniguruma's dialect, for which
/// tokenizer.json is written (https://github.com/kkos/oniguruma/blob/master/doc/RE). That library searches scalars
/// unchanged, with the character classes of `PatternClasses`.
///
/// Matches are those of the tokenizers library's `find_iter`: leftmost first, and no empty match at the end of the last
/// one. A search that backtracks more than `retryLimit` times stops, so that no text can block a worker.
struct TextPattern: Sendable {
    private enum Kind: Sendable {
        case string([UInt32])
        case byteLevelWords
        case regex(Regex)
    }
    private let kind: Kind

    /// The largest number of backtracking steps of one match, some 50 ms.
    private static let retryLimit: UInt = 2_000_000

    init(string: String) { kind = .string(string.unicodeScalars.map(\.value)) }

    /// - Throws: Oniguruma's message if the expression is wrong.
    init(regex: String, file: TokenizerFile, at path: String) throws(FileError) {
        if regex == ByteLevelWords.pattern {
            kind = .byteLevelWords
        } else {
            kind = .regex(try Regex(regex, file: file, at: path))
        }
    }

    private final class Regex: @unchecked Sendable {
        let regex: OnigRegex

        init(_ pattern: String, file: TokenizerFile, at path: String) throws(FileError) {
            _ = Regex.isReady
            let scalars = PatternClasses.spelledOut(pattern.unicodeScalars.map(\.value))
            var made: OnigRegex?
            var info = OnigErrorInfo()
            var message = ""
            scalars.withUnsafeBytes { bytes in
                let start = bytes.baseAddress?.assumingMemoryBound(to: OnigUChar.self)
                // An empty array has no address; the pattern then is empty too.
                let empty: [OnigUChar] = [0]
                empty.withUnsafeBufferPointer { empty in
                    let first = start ?? empty.baseAddress
                    let code = onig_new(
                        &made, first, first.map { $0 + bytes.count }, ONIG_OPTION_NONE, encoderd_onig_utf32(),
                        encoderd_onig_syntax(), &info)
                    guard code != ONIG_NORMAL else { return }
                    var text = [OnigUChar](repeating: 0, count: Int(encoderd_onig_error_length()) + 1)
                    let length = text.withUnsafeMutableBufferPointer {
                        encoderd_onig_error($0.baseAddress, code, &info)
                    }
                    message = String(decoding: text.prefix(max(0, Int(length))), as: UTF8.self)
                }
            }
            guard let made else { throw file.error("\(path) is not a regular expression: \(message)") }
            regex = made
        }

        deinit { onig_free(regex) }

        /// Oniguruma's initialization, which must precede its use by threads.
        private static let isReady: Bool = {
            var encodings: [OnigEncoding?] = [encoderd_onig_utf32()]
            return encodings.withUnsafeMutableBufferPointer { onig_initialize($0.baseAddress, 1) } == ONIG_NORMAL
        }()

        func matches(_ text: UnsafeBufferPointer<UInt32>, _ body: (Range<Int>) -> Void) {
            guard let base = text.baseAddress, let region = onig_region_new(),
                let limits = onig_new_match_param()
            else { return }
            defer {
                onig_region_free(region, 1)
                onig_free_match_param(limits)
            }
            onig_initialize_match_param(limits)
            onig_set_retry_limit_in_match_of_match_param(limits, TextPattern.retryLimit)
            base.withMemoryRebound(to: OnigUChar.self, capacity: text.count * 4) { start in
                let end = start + text.count * 4
                var place = 0
                var lastEnd: Int?
                while place <= text.count {
                    let found = onig_search_with_param(
                        regex, start, end, start + place * 4, end, region, ONIG_OPTION_NONE, limits)
                    guard found >= 0 else { return }
                    let match = Int(region.pointee.beg[0]) / 4..<Int(region.pointee.end[0]) / 4
                    if match.isEmpty, match.lowerBound == lastEnd {
                        place += 1
                        continue
                    }
                    place = match.upperBound
                    lastEnd = match.upperBound
                    body(match)
                }
            }
        }
    }

    /// Calls `body` with each match.
    func forEachMatch(_ text: UnsafeBufferPointer<UInt32>, _ body: (Range<Int>) -> Void) {
        if text.isEmpty { return }
        switch kind {
        case .regex(let regex): regex.matches(text, body)
        case .byteLevelWords: ByteLevelWords.forEach(text, body)
        case .string(let pattern):
            guard let first = pattern.first else {
                // As the empty expression: before every scalar, and at the end.
                for i in 0...text.count { body(i..<i) }
                return
            }
            var i = 0
            while i + pattern.count <= text.count {
                if text[i] == first, text[i..<i + pattern.count].elementsEqual(pattern) {
                    body(i..<i + pattern.count)
                    i += pattern.count
                } else {
                    i += 1
                }
            }
        }
    }

    func matches(_ scalars: [UInt32]) -> [Range<Int>] {
        var found: [Range<Int>] = []
        scalars.withUnsafeBufferPointer { forEachMatch($0) { found.append($0) } }
        return found
    }
}

extension TokenizerFile {
    /// Reads a pattern: `{"String": "…"}` or `{"Regex": "…"}`.
    func pattern(_ fields: TokenizerFields) throws(FileError) -> TextPattern {
        let pattern = try fields.fields("pattern")
        if pattern.object.count == 1, pattern.object["String"] != nil {
            return TextPattern(string: try pattern.string("String"))
        }
        if pattern.object.count == 1, pattern.object["Regex"] != nil {
            return try TextPattern(regex: pattern.string("Regex"), file: self, at: "\(pattern.path).Regex")
        }
        throw error("\(pattern.path) should be an object of a 'String' or a 'Regex'")
    }
}
