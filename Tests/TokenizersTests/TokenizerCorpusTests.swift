import Foundation
import JSON
import TestSupport
import Testing

@testable import Tokenizers

/// Tokenizers of every kind over 20,500 texts in more than twenty scripts, some of them random Unicode. The expected
/// values are the Hugging Face tokenizers library's: ids, places, special-token masks and type ids, alone and as a pair,
/// and decoded again. Tests/Reference/tokenizers_corpus.py writes them and shows them for one text.
@Suite struct TokenizerCorpusTests {
    static let folder = URL(fileURLWithPath: Folders.reference + "/tokenizers")

    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent("\($0)/digests.bin").path)
    }.sorted()

    @Test func hasAllKinds() {
        #expect(TokenizerDigests.texts.count >= 20_000)
        #expect(Self.names.count >= 19)
    }

    @Test(arguments: names)
    func equalsTheLibrary(_ name: String) throws {
        let files = Self.folder.appendingPathComponent(name)
        let tokenizer = try PipelineTokenizer(
            json: [UInt8](Data(contentsOf: files.appendingPathComponent("tokenizer.json"))))
        let digests = try TokenizerDigests.read(files.appendingPathComponent("digests.bin"))
        let different = TokenizerDigests.differences(of: tokenizer, from: digests, stride: 1)
        #expect(different.isEmpty, "\(different)")
    }
}
