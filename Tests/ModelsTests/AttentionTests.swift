import Foundation
import JSON
import TestSupport
import Testing

@testable import Models

/// Expected values: numpy, by Tests/Reference/attention.py.
private struct Reference {
    let json: JSONValue

    init() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Reference/data/attention.json")
        json = try JSONValue(parsing: Array(Data(contentsOf: path)))
    }

    func floats(_ value: JSONValue?) -> [Float] { (value?.array ?? []).compactMap(\.double).map { Float($0) } }
    func ints(_ value: JSONValue?) -> [Int] { (value?.array ?? []).compactMap(\.int) }

    func maps(
        _ name: String = "maps", queries: [Int]? = nil, axes: [String] = ["layer", "head", "query", "key"]
    )
        -> (maps: AttentionMaps, selection: AttentionSelection, length: Int)
    {
        var shape = ints(json[name]?["shape"])
        var weights = floats(json[name]?["weights"])
        let length = shape[2]
        if let queries {
            let columns = shape[3]
            var chosen: [Float] = []
            for map in 0..<(shape[0] * shape[1]) {
                for query in queries {
                    let start = (map * length + query) * columns
                    chosen += weights[start..<(start + columns)]
                }
            }
            weights = chosen
            shape[2] = queries.count
        }
        let method: AttentionMethod = axes[1] == "direction" ? .writeContribution : .raw
        return (
            AttentionMaps(
                axes: axes, shape: shape, weights: weights, reconstructionMaxError: nil, rowSumMaxError: 0),
            AttentionSelection(
                method: method, layers: Array(0..<shape[0]), heads: Array(0..<shape[1]), queries: queries), length
        )
    }

    func view(_ name: String = "maps", queries: [Int]? = nil) -> AttentionView {
        let (maps, selection, length) = maps(name, queries: queries)
        return AttentionView(maps, selection: selection, length: length)
    }

    var special: [Bool] { (json["maps"]?["special"]?.array ?? []).compactMap(\.bool) }
}

private func isClose(_ a: [Float], _ b: [Float], within tolerance: Float = 1e-6) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * Swift.max(1, abs($1)) }
}

@Suite struct AttentionTests {
    @Test(arguments: [("mean", HeadReduction.mean), ("max", .max)])
    func headsAreReduced(_ name: String, _ reduction: HeadReduction) throws {
        let reference = try Reference()
        var view = reference.view()
        view.reduceHeads(reduction)
        #expect(view.axes == ["layer", "query", "key"])
        #expect(view.shape == [2, 6, 6])
        #expect(isClose(view.weights, reference.floats(reference.json[name])))
    }

    @Test(arguments: [
        ("hide", SpecialTokenPolicy.hide, [Int]?.none),
        ("renormalize", .renormalize, nil),
        ("renormalize_queries", .renormalize, [5, 1, 3]),
    ])
    func specialTokensAreDropped(_ name: String, _ policy: SpecialTokenPolicy, _ queries: [Int]?) throws {
        let reference = try Reference()
        var view = reference.view(queries: queries)
        view.apply(policy, special: reference.special)
        let expected = reference.json[name]
        #expect(view.shape == reference.ints(expected?["shape"]))
        #expect(view.queries == reference.ints(expected?["queries"]))
        #expect(view.keys == [1, 2, 3])
        #expect(isClose(view.weights, reference.floats(expected?["weights"])))
    }

    @Test(arguments: [
        ("maps", "top_1", WeightSelection.topK(1)), ("maps", "top_2", .topK(2)), ("maps", "top_4", .topK(4)),
        ("maps", "top_99", .topK(99)), ("maps", "mass_50", .mass(0.5)), ("maps", "mass_95", .mass(0.95)),
        ("wide", "wide_5", .topK(5)),
    ])
    func largestWeightsAreKept(_ maps: String, _ name: String, _ selection: WeightSelection) throws {
        let reference = try Reference()
        var shape = reference.ints(reference.json[maps]?["shape"])
        let weights = reference.floats(reference.json[maps]?["weights"])
        // Rows alone matter: as many positions as columns, those rows asked for.
        let rows = shape[2]
        let length = shape[3]
        shape = [shape[0], shape[1], rows, length]
        let made = AttentionMaps(
            axes: ["layer", "head", "query", "key"], shape: shape, weights: weights, reconstructionMaxError: nil,
            rowSumMaxError: nil)
        let view = AttentionView(
            made,
            selection: AttentionSelection(
                method: .raw, layers: Array(0..<shape[0]), heads: Array(0..<shape[1]), queries: Array(0..<rows)),
            length: length)
        let sparse = AttentionSparse(view, keeping: selection)
        let expected = reference.json[name]
        #expect(sparse.offsets == reference.ints(expected?["offsets"]))
        #expect(sparse.indices == reference.ints(expected?["index"]))
        #expect(sparse.values == reference.floats(expected?["value"]))
        #expect(isClose(sparse.residuals, reference.floats(expected?["residual"])))
    }

    @Test(arguments: [("summary", [Int]?.none), ("summary_queries", [5, 1, 3])])
    func summaryIsThatOfRawMaps(_ name: String, _ queries: [Int]?) throws {
        let reference = try Reference()
        let (maps, selection, length) = reference.maps(queries: queries)
        let summary = try #require(AttentionSummary(maps, selection: selection, length: length))
        #expect(isClose(summary.entropy, reference.floats(reference.json[name]?["entropy"])))
        #expect(isClose(summary.distance, reference.floats(reference.json[name]?["distance"])))
    }

    @Test func initialStateStandsBeforeTheFirstStepReadByEachDirection() throws {
        let reference = try Reference()
        let (maps, selection, length) = reference.maps("write", axes: ["layer", "direction", "query", "key"])
        let summary = try #require(AttentionSummary(maps, selection: selection, length: length))
        #expect(isClose(summary.entropy, reference.floats(reference.json["write"]?["entropy"])))
        #expect(isClose(summary.distance, reference.floats(reference.json["write"]?["distance"])))
        var view = AttentionView(maps, selection: selection, length: length)
        view.apply(.hide, special: [true, false, false, true])
        #expect(view.queries == [1, 2])
        #expect(view.keys == [AttentionView.initialState, 1, 2])
    }

    /// A recorder of maps takes memory for them, so a second one would be wasted.
    @Test func firstResultIsComputedOnce() {
        var asked: [Int] = []
        func half(_ number: Int) -> Int? {
            asked.append(number)
            return number % 2 == 0 ? number / 2 : nil
        }
        #expect([3, 4, 6].firstResult(of: half) == 2 && asked == [3, 4])
        #expect([1].firstResult(of: half) == nil && asked == [3, 4, 1])
    }

    @Test func normsHaveNoSummary() throws {
        var (maps, selection, length) = try Reference().maps()
        maps.rowSumMaxError = nil
        #expect(AttentionSummary(maps, selection: selection, length: length) == nil)
    }
}
