import JSON
import ModelFiles

/// A token that is found in the text before the model sees it: `added_tokens` of tokenizer.json.
struct AddedToken: Sendable {
    var id: Int32
    var content: String
    /// Whether the token is not found inside a longer word.
    var singleWord = false
    /// Whether the token takes along the white space before it.
    var lstrip = false
    /// Whether the token takes along the white space after it.
    var rstrip = false
    /// Whether the token's normalized spelling is searched in the normalized text, rather than its content in the
    /// original text.
    var normalized = false
    var special = false
}

/// A search for added tokens: leftmost first, the longest at one position, without overlap. The tokens are in a trie, so that
/// a place of the text costs as many steps as the longest token has characters, whatever the number of tokens. Gemma 3 has
/// 6,242 of them.
struct AddedTokenMatcher: Sendable {
    /// The node that follows a node and a scalar, `node << 32 | scalar`. The root is node 0.
    private var next: [UInt64: UInt32] = [:]
    /// The token whose spelling ends at each node.
    private var tokens: [AddedToken?] = [nil]
    /// For every ASCII character, whether a token begins with it.
    private var firstASCII: [Bool] = Array(repeating: false, count: 128)
    private var hasNonASCII = false

    /// - Parameter tokens: the tokens with the spellings to search for, none of them empty.
    init(_ tokens: [(spelling: [UInt32], token: AddedToken)], file: TokenizerFile) throws(FileError) {
        for (spelling, token) in tokens {
            guard let first = spelling.first else {
                throw file.error("added token \"\(token.content.prefix(80))\" is empty once normalized")
            }
            insert(spelling, token)
            if first < 128 { firstASCII[Int(first)] = true } else { hasNonASCII = true }
        }
    }

    private mutating func insert(_ spelling: [UInt32], _ token: AddedToken) {
        var node: UInt32 = 0
        for scalar in spelling {
            let edge = UInt64(node) << 32 | UInt64(scalar)
            if let known = next[edge] {
                node = known
            } else {
                node = UInt32(truncatingIfNeeded: tokens.count)
                next[edge] = node
                tokens.append(nil)
            }
        }
        // Of two that are spelled alike once normalized the library takes either; here the first.
        if tokens[Int(node)] == nil { tokens[Int(node)] = token }
    }

    /// Cuts the text into consecutive ranges, none empty, each with its added token. The token is `nil` for text
    /// between tokens.
    func split(_ text: [UInt32]) -> [(range: Range<Int>, token: AddedToken?)] {
        guard !text.isEmpty else { return [] }
        let classes = ScalarClass.lookup
        var pieces: [(range: Range<Int>, token: AddedToken?)] = []
        var taken = 0
        var i = 0
        while i < text.count {
            guard let (length, token) = match(text, at: i) else {
                i += 1
                continue
            }
            var start = i
            var end = i + length
            i = end
            if token.singleWord {
                let wordBefore = start > 0 && classes[text[start - 1]].contains(.word)
                let wordAfter = end < text.count && classes[text[end]].contains(.word)
                if wordBefore || wordAfter { continue }
            }
            if token.lstrip {
                while start > taken, classes[text[start - 1]].contains(.whitespace) { start -= 1 }
            }
            if token.rstrip {
                while end < text.count, classes[text[end]].contains(.whitespace) { end += 1 }
            }
            if taken < start { pieces.append((taken..<start, nil)) }
            pieces.append((start..<end, token))
            taken = end
        }
        if taken < text.count { pieces.append((taken..<text.count, nil)) }
        return pieces
    }

    /// Returns the longest token at a place of the text, with its length in scalars.
    @inline(__always)
    private func match(_ text: [UInt32], at start: Int) -> (length: Int, token: AddedToken)? {
        let first = text[start]
        guard first < 128 ? firstASCII[Int(first)] : hasNonASCII else { return nil }
        var longest: (length: Int, node: UInt32)?
        var node: UInt32 = 0
        for i in start..<text.count {
            guard let following = next[UInt64(node) << 32 | UInt64(text[i])] else { break }
            node = following
            if tokens[Int(node)] != nil { longest = (i + 1 - start, node) }
        }
        guard let longest, let token = tokens[Int(longest.node)] else { return nil }
        return (longest.length, token)
    }
}

extension TokenizerFile {
    /// - Parameter vocabulary: the model's. The library uses its ids, and numbers other tokens from its size upward,
    ///   whatever the file says. A file that says otherwise contradicts itself and is refused.
    func addedTokens(_ value: JSONValue?, vocabulary: Vocabulary, count: Int) throws(FileError) -> [AddedToken] {
        if value == nil || value == .null { return [] }
        guard let array = value?.array else { throw error("added_tokens is not an array") }
        var tokens: [AddedToken] = []
        var next = count
        for (i, value) in array.enumerated() {
            let fields = try fields(value, at: "added_tokens[\(i)]")
            let content = try fields.string("content")
            let id = try fields.int("id", in: 0...Int(Int32.max))
            if content.isEmpty { continue }
            let expected = vocabulary.id(of: content).map { Int($0) } ?? next
            guard id == expected else {
                throw error(
                    "added_tokens[\(i)], \"\(content.prefix(80))\", has the id \(id), but by the vocabulary it is \(expected)"
                )
            }
            if expected == next { next += 1 }
            tokens.append(
                AddedToken(
                    id: Int32(truncatingIfNeeded: id), content: content, singleWord: try fields.bool("single_word"),
                    lstrip: try fields.bool("lstrip"), rstrip: try fields.bool("rstrip"),
                    normalized: try fields.bool("normalized"), special: try fields.bool("special")))
        }
        return tokens
    }
}
