extension Pooling {
    /// Makes one vector of a sequence's states, as sentence-transformers' Pooling module does
    /// (https://sbert.net/docs/package_reference/sentence_transformer/models.html).
    /// - Parameters:
    ///   - states: [length, width], contiguous; `length` is at least 1.
    ///   - position: The first state's position in its sequence, whose beginning may be left out.
    /// - Returns: [width]. Sums are kept in f64, so that a long sequence costs no digits.
    func pool(_ states: UnsafePointer<Float>, length: Int, width: Int, position first: Int = 0) -> [Float] {
        func row(_ position: Int) -> UnsafeBufferPointer<Float> {
            UnsafeBufferPointer(start: states + position * width, count: width)
        }
        switch self {
        case .cls: return Array(row(0))
        case .last: return Array(row(length - 1))
        case .max:
            var result = Array(row(0))
            for position in 1..<Swift.max(1, length) {
                let values = row(position)
                for i in 0..<width where values[i] > result[i] || values[i].isNaN { result[i] = values[i] }
            }
            return result
        case .mean, .meanSqrtLength, .weightedMean:
            var sums = [Double](repeating: 0, count: width)
            sums.withUnsafeMutableBufferPointer { sums in
                for position in 0..<length {
                    let values = row(position)
                    let weight = self == .weightedMean ? Double(first + position + 1) : 1
                    for i in 0..<width { sums[i] += weight * Double(values[i]) }
                }
            }
            let divisor =
                switch self {
                case .mean: Double(length)
                case .meanSqrtLength: Double(length).squareRoot()
                default: Double(length) * (Double(first) + Double(length + 1) / 2)
                }
            return sums.map { Float($0 / divisor) }
        }
    }
}
