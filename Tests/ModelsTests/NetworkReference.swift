import KernelSelection
import Kernels
import ModelFiles
import TestSupport
import Testing

@testable import Models

/// Expected values of networks, by name, from a safetensors file that a script of Tests/Reference wrote.
struct Expected {
    private let file: any WeightFile

    init(_ directory: String, _ name: String = "expected.safetensors") throws {
        file = try WeightFiles.open(directory: directory, configured: name)
    }

    func has(_ name: String) -> Bool { file.tensor(name) != nil }
    func names(prefix: String) -> [String] { file.names.filter { $0.hasPrefix(prefix) } }

    func floats(_ name: String) throws -> [Float] { floatValues(try #require(file.tensor(name), "no \(name)")) }

    func shape(_ name: String) throws -> [Int] { try #require(file.tensor(name), "no \(name)").shape }

    func ids(_ name: String) throws -> [Int32] {
        let tensor = try #require(file.tensor(name), "no \(name)")
        try #require(tensor.dataType == .i32)
        return (0..<tensor.count).map { tensor.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
    }

    func matrix(_ name: String) throws -> Matrix {
        let shape = try shape(name)
        return Matrix(rows: shape[0], columns: shape[1], values: try floats(name))
    }
}

private func floatValues(_ tensor: Tensor) -> [Float] { floats(tensor) }

/// The largest difference, relative to the largest expected value; infinite where the counts differ.
func relativeDifference(_ got: [Float], _ expected: [Float]) -> Float {
    guard got.count == expected.count, !got.contains(where: \.isNaN) else { return .infinity }
    let largest = expected.reduce(Float.leastNormalMagnitude) { max($0, abs($1)) }
    return zip(got, expected).reduce(0) { max($0, abs($1.0 - $1.1)) } / largest
}

/// The largest difference; infinite where the counts differ.
func absoluteDifference(_ got: [Float], _ expected: [Float]) -> Float {
    guard got.count == expected.count, !got.contains(where: \.isNaN) else { return .infinity }
    return zip(got, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

/// A test's argument for each table of kernels this machine has.
struct Table: CustomTestStringConvertible, Sendable {
    let kernels: KernelTable
    var testDescription: String { kernels.instructionSet.rawValue }
    static let all = KernelSelection.available.map { Table(kernels: $0) }
}
