import ModelFiles
import TestSupport
import Testing

@testable import Tokenizers

@Suite struct AddedTokenTests {
    private func matcher(_ contents: [String]) throws -> AddedTokenMatcher {
        try AddedTokenMatcher(
            contents.enumerated().map { index, content in
                (content.unicodeScalars.map(\.value), AddedToken(id: Int32(index), content: content))
            }, file: TokenizerFile(name: "tokenizer.json"))
    }

    /// The search finds what comparing every token at every place finds: the longest, else the next place.
    @Test(arguments: 0..<60) func findsWhatComparisonFinds(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let alphabet = Array("ab<é")
        func text(_ length: Range<Int>) -> String {
            String(
                (0..<Int.random(in: length, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "a" })
        }
        let contents = (0..<Int.random(in: 0..<12, using: &random)).map { _ in text(1..<6) }
        let matcher = try matcher(contents)
        for _ in 0..<20 {
            let sample = text(0..<40)
            let scalars = sample.unicodeScalars.map(\.value)
            var expected: [(Range<Int>, Int32)] = []
            var place = 0
            while place < scalars.count {
                let here = contents.enumerated().map { ($0, $1.unicodeScalars.map(\.value)) }.filter {
                    scalars[place...].starts(with: $1)
                }
                let most = here.map { $0.1.count }.max() ?? 0
                guard let first = here.first(where: { $0.1.count == most }) else {
                    place += 1
                    continue
                }
                expected.append((place..<place + most, Int32(first.0)))
                place += most
            }
            let pieces = matcher.split(scalars)
            let found = pieces.compactMap { piece in piece.token.map { (piece.range, $0.id) } }
            #expect(
                found.map(\.0) == expected.map(\.0) && found.map(\.1) == expected.map(\.1), "\(contents) in \(sample)")
            #expect(pieces.flatMap { Array($0.range) } == Array(scalars.indices))
        }
    }

    /// Thousands of tokens with a common beginning, as Gemma 3 has, cost about as much as one.
    @Test func manyTokensCostAsMuchAsOne() throws {
        let text = Array(repeating: UInt32(UInt8(ascii: "<")), count: 50_000)
        func time(_ count: Int) throws -> Duration {
            let matcher = try matcher((0..<count).map { "<unused\($0)>" })
            return (0..<3).map { _ in ContinuousClock().measure { #expect(matcher.split(text).count == 1) } }.min()
                ?? .zero
        }
        #expect(try time(6242) < time(1) * 20)
    }
}
