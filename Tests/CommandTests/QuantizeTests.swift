import Foundation
import Testing

/// `encoderd quantize` and `--precision`, as a user would run them.
@Suite struct QuantizeTests {
    private func embedding(_ arguments: [String], environment: [String: String] = [:]) throws -> [Double] {
        let outcome = try Program.run(
            ["encode", "Attention reads every position at once."] + arguments, environment: environment)
        #expect(outcome.code == 0, "\(outcome.errors)")
        return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [Double])
    }

    private func cosine(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    @Test func writesWhatTheOtherCommandsRead() throws {
        let folder = TemporaryFolder.unmade()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let source = Program.model("minilm")
        let outcome = try Program.run(["quantize", "--model", source, "--output", folder])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("36 dense weights in int8, 3 tables in bf16, 62 tensors in f32"))
        let exact = try embedding(["--model", source])
        #expect(cosine(exact, try embedding(["--model", folder])) > 0.995)
        #expect(cosine(exact, try embedding(["--model", source, "--precision", "int8"])) > 0.995)
        #expect(
            cosine(exact, try embedding(["--model", source], environment: ["ENCODERD_PRECISION": "bf16"])) > 0.9998)
        let inspected = try Program.run(["inspect", "--brief", folder])
        #expect(inspected.output.contains("int8, "))

        // Nothing is written over; the bytes can be computed with in f32.
        let again = try Program.run(["quantize", "--model", source, "--output", folder])
        #expect(
            again.code == 1 && again.errors.contains("\(folder): exists already; choose another"), "\(again.errors)")
        let back = try Program.run(["encode", "--model", folder, "--precision", "f32", "x"])
        #expect(back.code == 0, "\(back.errors)")
        #expect(cosine(exact, try embedding(["--model", folder, "--precision", "f32"])) > 0.995)
    }

    @Test(arguments: [
        ["encode", "--model", "m", "--precision", "fp16", "x"],
        ["quantize", "--model", "m", "--output", "o", "--precision", "f32"],
    ])
    func refusesPrecisions(_ arguments: [String]) throws {
        let outcome = try Program.run(arguments)
        #expect(outcome.code == 64 && !outcome.crashed)
        #expect(outcome.errors.contains("bf16"), "\(outcome.errors)")
    }
}
