/// The treatment of rows and columns of special tokens ([CLS], [SEP] …).
public enum SpecialTokenPolicy: String, Sendable, CaseIterable {
    case keep
    /// Drops their rows and columns; rows then sum to less than 1.
    case hide
    /// Drops their rows and columns, and divides each row by its new sum. A row whose sum is 0 stays 0.
    case renormalize
}

public enum HeadReduction: String, Sendable, CaseIterable {
    case none, mean, max
}

/// Weight maps with the sequence position of each row and column, as they are reduced for an answer.
public struct AttentionView: Sendable {
    /// The names of the axes, as in `AttentionMaps`; the last two are always `query key`.
    public private(set) var axes: [String]
    public private(set) var shape: [Int]
    public private(set) var weights: [Float]
    /// The sequence position of each row.
    public private(set) var queries: [Int]
    /// The sequence position of each column; `initialState` for the column of a recurrent model's initial state.
    public private(set) var keys: [Int]

    public static let initialState = -1

    /// - Parameters:
    ///   - selection: The selection that `maps` were made for.
    ///   - length: Tokens or steps of the sequence.
    public init(_ maps: AttentionMaps, selection: AttentionSelection, length: Int) {
        axes = maps.axes
        shape = maps.shape
        weights = maps.weights
        queries = selection.queries ?? Array(0..<length)
        keys = Array((selection.method.hasInitialState ? AttentionView.initialState : 0)..<length)
        precondition(axes.count >= 2 && axes.count == shape.count, "axes \(axes), shape \(shape)")
        precondition(shape.suffix(2).elementsEqual([queries.count, keys.count]), "shape \(shape), length \(length)")
        precondition(shape.reduce(1, *) == weights.count, "shape \(shape) for \(weights.count) weights")
    }

    /// Drops the weights, and keeps the positions of rows and columns.
    public mutating func dropWeights() { weights = [] }

    /// The sizes of the axes before `query`.
    public var leading: [Int] { Array(shape.dropLast(2)) }
    /// The number of maps, the product of `leading`.
    public var mapCount: Int { leading.reduce(1, *) }
    public var rowCount: Int { mapCount * queries.count }

    /// Replaces the `head` axis by the mean or the maximum over it. Maps without that axis do not change.
    public mutating func reduceHeads(_ reduction: HeadReduction) {
        guard reduction != .none, let axis = axes.firstIndex(of: AttentionMethod.Axis.head.rawValue), shape[axis] > 0
        else { return }
        let heads = shape[axis]
        let outer = shape[..<axis].reduce(1, *)
        let inner = shape[(axis + 1)...].reduce(1, *)
        var reduced = [Float](repeating: 0, count: outer * inner)
        weights.withUnsafeBufferPointer { source in
            reduced.withUnsafeMutableBufferPointer { target in
                for o in 0..<outer {
                    for i in 0..<inner {
                        let first = o * heads * inner + i
                        var sum: Double = 0
                        var largest = source[first]
                        for head in 0..<heads {
                            let weight = source[first + head * inner]
                            sum += Double(weight)
                            largest = Swift.max(largest, weight)
                        }
                        target[o * inner + i] = reduction == .mean ? Float(sum / Double(heads)) : largest
                    }
                }
            }
        }
        weights = reduced
        axes.remove(at: axis)
        shape.remove(at: axis)
    }

    /// Drops rows and columns of special tokens. The column of the initial state stays.
    /// - Parameter special: Whether the token at each position is special, [length].
    public mutating func apply(_ policy: SpecialTokenPolicy, special: [Bool]) {
        guard policy != .keep else { return }
        func isKept(_ position: Int) -> Bool { !special.indices.contains(position) || !special[position] }
        let rows = queries.indices.filter { isKept(queries[$0]) }
        let columns = keys.indices.filter { isKept(keys[$0]) }
        var kept: [Float] = []
        kept.reserveCapacity(mapCount * rows.count * columns.count)
        for map in 0..<mapCount {
            for row in rows {
                let start = (map * queries.count + row) * keys.count
                var scale: Float = 1
                if policy == .renormalize {
                    let sum = columns.reduce(0) { $0 + Double(weights[start + $1]) }
                    scale = sum > 0 ? Float(1 / sum) : 0
                }
                for column in columns { kept.append(weights[start + column] * scale) }
            }
        }
        weights = kept
        queries = rows.map { queries[$0] }
        keys = columns.map { keys[$0] }
        shape.replaceSubrange((shape.count - 2)..., with: [queries.count, keys.count])
    }

    /// Returns one row of one map.
    /// - Parameter index: map · rows of a map + row.
    public func row(_ index: Int) -> ArraySlice<Float> {
        weights[(index * keys.count)..<((index + 1) * keys.count)]
    }
}
