/// Suggestions for a misspelled name.
public enum SimilarNames {
    /// Returns at most three of `names` that the writer of `name` may have meant. A name that ends in the other one
    /// after a period comes first. The nearest by edit distance follow, with at most a quarter of `name` edited.
    /// Only the first 2,000 names, and names of at most 200 bytes, are compared.
    public static func suggestions(for name: String, among names: [String]) -> [String] {
        guard name.utf8.count <= 200 else { return [] }
        let target = Array(name.utf8)
        let scored = names.prefix(2000).compactMap { candidate -> (score: Int, name: String)? in
            guard candidate.utf8.count <= 200 else { return nil }
            if candidate.hasSuffix("." + name) || name.hasSuffix("." + candidate) { return (0, candidate) }
            let distance = editDistance(target, Array(candidate.utf8))
            return distance <= max(2, target.count / 4) ? (distance, candidate) : nil
        }
        return scored.sorted { ($0.score, $0.name) < ($1.score, $1.name) }.prefix(3).map(\.name)
    }

    /// Returns the known name nearest to `name`, compared in lowercase. Only the first 64 bytes of `name` count. `nil`
    /// if more than a third of the known name would have to be edited.
    public static func nearest(to name: String, among known: [String]) -> String? {
        let name = Array(name.excerpt(64).lowercased().utf8.prefix(64))
        let scored = known.map { ($0, editDistance(name, Array($0.utf8))) }
        guard let best = scored.min(by: { $0.1 < $1.1 }), best.1 <= max(1, best.0.utf8.count / 3) else { return nil }
        return best.0
    }

    /// Returns the Levenshtein distance of two byte strings: the fewest insertions, deletions and substitutions of a
    /// byte that turn one into the other.
    static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let cost = min(diagonal + (x == y ? 0 : 1), row[j] + 1, row[j + 1] + 1)
                diagonal = row[j + 1]
                row[j + 1] = cost
            }
        }
        return row[b.count]
    }
}
