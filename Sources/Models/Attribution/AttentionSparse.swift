/// The weights of a row to keep.
public enum WeightSelection: Sendable, Equatable {
    /// The n largest weights.
    case topK(Int)
    /// The fewest weights whose sum is at least this share, in (0, 1], of the row's sum.
    case mass(Double)
}

/// The largest weights of each row in a ragged list: largest first, equal ones by lower column.
public struct AttentionSparse: Sendable, Equatable {
    /// Row r holds entries `offsets[r] ..< offsets[r + 1]`.
    public private(set) var offsets: [Int] = [0]
    /// The columns of the entries in their map.
    public private(set) var indices: [Int] = []
    public private(set) var values: [Float] = []
    /// The sum of the weights that are left out, one value a row.
    public private(set) var residuals: [Float] = []

    public init(_ view: AttentionView, keeping selection: WeightSelection) {
        offsets.reserveCapacity(view.rowCount + 1)
        residuals.reserveCapacity(view.rowCount)
        for r in 0..<view.rowCount {
            let row = Array(view.row(r))
            let kept: [Int] =
                switch selection {
                case .topK(let count): AttentionSparse.largest(count, of: row)
                case .mass(let share): AttentionSparse.largest(share: share, of: row)
                }
            indices += kept
            values += kept.map { row[$0] }
            offsets.append(indices.count)
            residuals.append(AttentionSparse.sum(of: row, without: kept))
        }
    }

    /// Returns the columns of the `count` largest weights. It keeps a sorted list of the largest so far; one comparison
    /// with its last element rejects nearly every weight.
    private static func largest(_ count: Int, of row: [Float]) -> [Int] {
        guard count > 0 else { return [] }
        if count >= row.count / 4 { return Array(ranked(row).prefix(count)) }
        var best: [Int] = []
        best.reserveCapacity(count + 1)
        for (index, weight) in row.enumerated() {
            if best.count == count, row[best[count - 1]] >= weight { continue }
            var low = 0
            var high = best.count
            while low < high {
                let middle = (low + high) / 2
                if row[best[middle]] >= weight { low = middle + 1 } else { high = middle }
            }
            best.insert(index, at: low)
            if best.count > count { best.removeLast() }
        }
        return best
    }

    private static func largest(share: Double, of row: [Float]) -> [Int] {
        let wanted = share * row.reduce(0) { $0 + Double($1) }
        var sum: Double = 0
        var kept: [Int] = []
        for index in ranked(row) where sum < wanted {
            kept.append(index)
            sum += Double(row[index])
        }
        return kept
    }

    private static func ranked(_ row: [Float]) -> [Int] {
        row.indices.sorted { row[$0] != row[$1] ? row[$0] > row[$1] : $0 < $1 }
    }

    /// Returns the sum of the weights that are left out. It is no difference, so that tiny remainders keep their
    /// digits.
    private static func sum(of row: [Float], without kept: [Int]) -> Float {
        var isKept = [Bool](repeating: false, count: row.count)
        for index in kept { isKept[index] = true }
        return Float(row.indices.reduce(0.0) { isKept[$1] ? $0 : $0 + Double(row[$1]) })
    }
}
