import Foundation
import JSON
import TestSupport
import Testing

@testable import HTTP
@testable import Server

/// Expected bytes: numpy.save and safetensors.numpy.save, by Tests/Reference/attention.py.
private func reference() throws -> JSONValue {
    try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: Folders.reference + "/attention.json"))))
}

private func bytes(_ segments: [any ByteSegment]) -> [UInt8] {
    var all: [UInt8] = []
    for segment in segments { segment.withBytes { all += Array($0) } }
    return all
}

private func floats(_ value: JSONValue?) -> [Float] { (value?.array ?? []).compactMap(\.double).map { Float($0) } }

@Suite struct FormatsTests {
    @Test(arguments: [
        ("npy_f32", "values", [2, 3], BinaryFloat.f32), ("npy_f16", "values", [2, 3], .f16),
        ("npy_vector", "odd", [3], .f32), ("npy_4d", "values", [1, 2, 3, 1], .f32),
    ])
    func npyIsWhatNumpyWrites(_ name: String, _ values: String, _ shape: [Int], _ type: BinaryFloat) throws {
        let reference = try reference()
        let tensor = BinaryTensor(name: "attention", shape: shape, floats: floats(reference[values]), as: type)
        let expected = try #require(Data(base64Encoded: reference[name]?.string ?? ""))
        #expect(bytes(NPYWriter.segments(tensor)) == Array(expected))
    }

    @Test func safetensorsIsWhatTheReferenceWrites() throws {
        let reference = try reference()
        let values = floats(reference["values"])
        let odd = floats(reference["odd"])
        let f32 = BinaryTensor(name: "attention", shape: [2, 3], floats: values)
        let f16 = BinaryTensor(name: "attention", shape: [2, 3], floats: values, as: .f16)
        let mixed = [
            BinaryTensor(name: "zodd", shape: [3], floats: odd, as: .f16),
            BinaryTensor(name: "states.0", shape: [2, 3], floats: values),
            BinaryTensor(name: "index", shape: [3], integers: [0, 1, 2]),
        ]
        let tokens = [("tokens", reference["metadata_tokens"]?.string ?? "")]
        for (name, made) in [
            ("safetensors_f32", SafetensorsWriter.segments([f32])),
            ("safetensors_f16", SafetensorsWriter.segments([f16])),
            ("safetensors_metadata", SafetensorsWriter.segments([f32], metadata: tokens)),
            ("safetensors_mixed", SafetensorsWriter.segments(mixed)),
        ] {
            let expected = Array(try #require(Data(base64Encoded: reference[name]?.string ?? "")))
            #expect(bytes(made) == expected, "\(name)")
        }
    }

    /// Expected: √(weight ÷ the largest finite weight) of 63 levels; what is no number, infinite or negative is blank.
    @Test(
        arguments: [
            ([0, 1, 4, 0.01], [0, 32, 63, 3]), ([.infinity, 4, 1, .nan], [0, 63, 32, 0]),
            ([-.infinity, -1, 4, 2.5], [0, 0, 63, 50]), ([.nan, .infinity, 0, -0.0], [0, 0, 0, 0]),
            ([.leastNonzeroMagnitude, 0, .leastNonzeroMagnitude, 0], [63, 0, 63, 0]),
            ([0x1p-128, .infinity, 0x1p-130, .leastNonzeroMagnitude], [63, 0, 32, 0]),
            ([.greatestFiniteMagnitude, 1, .infinity, 8.5e37], [63, 0, 0, 31]),
        ] as [([Float], [Int])])
    func everyWeightHasALevel(_ weights: [Float], _ levels: [Int]) throws {
        for (maxCells, maxPixels) in [(100, nil), (nil, 1 << 20)] as [(Int?, Int?)] {
            let picture = try AttentionPicture(
                title: "a", subtitle: "b", panelNames: ["c"], panelsPerLine: 0, rowLabels: ["d", "e"],
                columnLabels: ["f", "g"], weights: weights, maxCells: maxCells, maxPixels: maxPixels)
            #expect(
                [picture.level(0, 0, 0), picture.level(0, 0, 1), picture.level(0, 1, 0), picture.level(0, 1, 1)]
                    == levels)
            #expect(!picture.svg().isEmpty && !picture.png().isEmpty)
        }
    }

    @Test(arguments: [
        ("plain", "plain", "plain"), ("a\u{202E}b", "aU+202Eb", "aU+202Eb"), ("é中", "é中", "U+00E9U+4E2D"),
        ("\u{0}\n", "U+0000U+000A", "U+0000U+000A"), ("\u{1F600}\u{200D}", "\u{1F600}U+200D", "U+1F600U+200D"),
    ])
    func hiddenCharactersAreSpelled(_ text: String, _ unicode: String, _ ascii: String) {
        #expect(VisibleText.make(text, asciiOnly: false) == unicode)
        #expect(VisibleText.make(text, asciiOnly: true) == ascii)
    }
}
