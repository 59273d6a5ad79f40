import Foundation
import JSON
import Testing

@testable import Tokenizers

/// Directories without tokenizer.json against transformers' AutoTokenizer on the same directories
/// (Tests/Reference/tokenizers_files.py): SentencePiece models, vocab.json with merges.txt, vocab.txt. With
/// TOKENIZER_DIGESTS=FOLDER, which `--digests FOLDER` of that script fills, over all 20,500 texts.
@Suite struct TokenizerFilesTests {
    static let folder = TokenizerCorpusTests.folder.deletingLastPathComponent().appendingPathComponent(
        "tokenizer_files")

    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent("\($0)/digests.bin").path)
    }.sorted()

    @Test func hasAllKinds() {
        #expect(Self.names.count >= 49)
    }

    @Test(arguments: names)
    func equalsAutoTokenizer(_ name: String) throws {
        let tokenizer = try #require(try TokenizerLoader.load(directory: Self.folder.appendingPathComponent(name).path))
        let wide = ProcessInfo.processInfo.environment["TOKENIZER_DIGESTS"].map { URL(fileURLWithPath: $0) }
        let file = (wide ?? Self.folder).appendingPathComponent("\(name)/digests.bin")
        let digests = try TokenizerDigests.read(file)
        let step = try #require(digests.first.map { Int($0) })
        let different = TokenizerDigests.differences(of: tokenizer, from: Array(digests.dropFirst()), stride: step)
        #expect(different.isEmpty, "\(different)")
    }
}
