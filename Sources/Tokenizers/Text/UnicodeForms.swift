/// The Unicode normalization forms (UAX #15), with the data of `UnicodeTables`. They track the origin of each scalar
/// exactly like the tokenizers library. Every scalar carries the `change` of `NormalizedText.transform`: 0 if it
/// replaces the next scalar of the text, 1 if it is additional. Marks keep theirs when they are sorted.
enum UnicodeForms {
    enum Form: Sendable { case nfd, nfkd, nfc, nfkc }

    static func apply(_ form: Form, to text: inout NormalizedText) {
        let touched: ScalarClass =
            switch form {
            case .nfd: .touchedByNFD
            case .nfkd: [.touchedByNFD, .touchedByNFKD]
            case .nfc: .touchedByNFC
            case .nfkc: [.touchedByNFC, .touchedByNFKD]
            }
        let classes = ScalarClass.lookup
        guard text.scalars.contains(where: { !classes[$0].isDisjoint(with: touched) }) else { return }
        var parts = decompose(text.scalars, classes, isCompatible: form == .nfkd || form == .nfkc)
        if form == .nfc || form == .nfkc { compose(&parts) }
        text.transform(parts.map { ($0.scalar, $0.change) })
    }

    private struct Part {
        var scalar: UInt32
        let combiningClass: UInt8
        /// The change in the sense of `NormalizedText.transform`.
        var change: Int
    }

    private static func decompose(
        _ scalars: [UInt32], _ classes: ScalarClass.Lookup, isCompatible: Bool
    ) -> [Part] {
        var parts: [Part] = []
        parts.reserveCapacity(scalars.count + scalars.count / 2)
        // Where the run of marks not yet sorted begins.
        var pending = 0
        for scalar in scalars {
            decompose(scalar, classes, isCompatible) { part, isFirst in
                let combiningClass = combiningClass(part, classes)
                if combiningClass == 0 { sort(&parts, from: pending) }
                parts.append(Part(scalar: part, combiningClass: combiningClass, change: isFirst ? 0 : 1))
                if combiningClass == 0 { pending = parts.count }
            }
        }
        sort(&parts, from: pending)
        return parts
    }

    /// Sorts marks by combining class, stably. Runs of marks are a few scalars long and are sorted by insertion. A run
    /// can be as long as the text, though, and is then merge-sorted.
    private static func sort(_ parts: inout [Part], from start: Int) {
        guard parts.count - start > 1 else { return }
        if parts.count - start > 32 {
            // The standard library's sort is stable in fact though not by contract: the position breaks ties.
            let sorted = parts[start...].enumerated().sorted {
                ($0.element.combiningClass, $0.offset) < ($1.element.combiningClass, $1.offset)
            }
            parts.replaceSubrange(start..., with: sorted.map(\.element))
            return
        }
        for i in start + 1..<parts.count {
            let part = parts[i]
            var j = i
            while j > start, parts[j - 1].combiningClass > part.combiningClass {
                parts[j] = parts[j - 1]
                j -= 1
            }
            parts[j] = part
        }
    }

    /// Composes canonically: each scalar joins the last starter before it, unless a scalar of the same or a higher
    /// class stands between. A composite replaces both parts.
    private static func compose(_ parts: inout [Part]) {
        var count = 0
        var starter: Int?
        var lastClass: UInt8?
        for i in parts.indices {
            let part = parts[i]
            if let place = starter {
                let isBlocked = lastClass.map { $0 >= part.combiningClass } ?? false
                if !isBlocked, let composite = composite(parts[place].scalar, part.scalar) {
                    parts[place].scalar = composite
                    parts[place].change += part.change - 1
                    continue
                }
            }
            if part.combiningClass == 0 {
                starter = count
                lastClass = nil
            } else {
                lastClass = part.combiningClass
            }
            parts[count] = part
            count += 1
        }
        parts.removeSubrange(count...)
    }

    // MARK: Data

    /// The scalars that decompose or have a combining class, as ascending [first, last] pairs.
    static let touchedByNFD: [UInt32] = {
        var ranges = canonical.entries.map { ($0.scalar, $0.scalar) }
        ranges.append((hangulFirst, hangulFirst + hangulCount - 1))
        for i in stride(from: 0, to: UnicodeTables.combiningClasses.count, by: 3) {
            ranges.append((UnicodeTables.combiningClasses[i], UnicodeTables.combiningClasses[i + 1]))
        }
        return flat(ranges)
    }()

    static let touchedByNFKD: [UInt32] = flat(compatible.entries.map { ($0.scalar, $0.scalar) })

    /// The marks, which may be sorted or join the scalar before; the second parts of composites; the scalars that
    /// decompose but are no composites.
    static let touchedByNFC: [UInt32] = {
        var touched: Set<UInt32> = []
        var composites: Set<UInt32> = []
        let table = UnicodeTables.compositions
        for i in stride(from: 0, to: table.count, by: 3) {
            touched.insert(table[i + 1])
            composites.insert(table[i + 2])
        }
        for entry in canonical.entries where !composites.contains(entry.scalar) { touched.insert(entry.scalar) }
        for i in stride(from: 0, to: UnicodeTables.combiningClasses.count, by: 3) {
            touched.formUnion(UnicodeTables.combiningClasses[i]...UnicodeTables.combiningClasses[i + 1])
        }
        touched.formUnion(0x1161...0x1175)
        touched.formUnion(0x11A8...0x11C2)
        return flat(touched.map { ($0, $0) })
    }()

    /// Sorts ranges and joins adjacent ones, as [first, last] pairs.
    private static func flat(_ ranges: [(UInt32, UInt32)]) -> [UInt32] {
        var out: [UInt32] = []
        for (first, last) in ranges.sorted(by: { $0.0 < $1.0 }) {
            if let end = out.last, first <= end &+ 1 {
                out[out.count - 1] = max(end, last)
            } else {
                out += [first, last]
            }
        }
        return out
    }

    /// A table of decompositions with binary search.
    private struct Decompositions: Sendable {
        let table: [UInt32]
        private(set) var entries: [(scalar: UInt32, parts: Range<Int>)] = []

        init(_ table: [UInt32]) {
            self.table = table
            var i = 0
            while i < table.count {
                let count = Int(table[i + 1])
                entries.append((table[i], i + 2..<i + 2 + count))
                i += 2 + count
            }
        }

        func parts(of scalar: UInt32) -> Range<Int>? {
            var low = 0
            var high = entries.count
            while low < high {
                let middle = (low + high) / 2
                if entries[middle].scalar < scalar { low = middle + 1 } else { high = middle }
            }
            return low < entries.count && entries[low].scalar == scalar ? entries[low].parts : nil
        }
    }

    private static let canonical = Decompositions(UnicodeTables.decompositions)
    private static let compatible = Decompositions(UnicodeTables.compatibilityDecompositions)

    // Hangul syllables are arithmetic: The Unicode Standard, section 3.12.
    private static let hangulFirst: UInt32 = 0xAC00
    private static let hangulCount: UInt32 = 11172

    @inline(__always)
    private static func decompose(
        _ scalar: UInt32, _ classes: ScalarClass.Lookup, _ isCompatible: Bool, _ emit: (UInt32, Bool) -> Void
    ) {
        let scalarClass = classes[scalar]
        if isCompatible, scalarClass.contains(.touchedByNFKD), let parts = compatible.parts(of: scalar) {
            for i in parts { emit(compatible.table[i], i == parts.lowerBound) }
            return
        }
        guard scalarClass.contains(.touchedByNFD) else { return emit(scalar, true) }
        if scalar >= hangulFirst, scalar < hangulFirst + hangulCount {
            let index = scalar - hangulFirst
            emit(0x1100 + index / 588, true)
            emit(0x1161 + index % 588 / 28, false)
            if index % 28 != 0 { emit(0x11A7 + index % 28, false) }
            return
        }
        guard let parts = canonical.parts(of: scalar) else { return emit(scalar, true) }
        for i in parts { emit(canonical.table[i], i == parts.lowerBound) }
    }

    private static func combiningClass(_ scalar: UInt32, _ classes: ScalarClass.Lookup) -> UInt8 {
        guard classes[scalar].contains(.touchedByNFD) else { return 0 }
        let table = UnicodeTables.combiningClasses
        var low = 0
        var high = table.count / 3
        while low < high {
            let middle = (low + high) / 2
            if table[3 * middle + 1] < scalar { low = middle + 1 } else { high = middle }
        }
        return 3 * low < table.count && table[3 * low] <= scalar ? UInt8(truncatingIfNeeded: table[3 * low + 2]) : 0
    }

    private static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if first &- 0x1100 < 19, second &- 0x1161 < 21 {
            return hangulFirst + ((first - 0x1100) * 21 + second - 0x1161) * 28
        }
        if first &- hangulFirst < hangulCount, (first - hangulFirst) % 28 == 0, second &- 0x11A8 < 27 {
            return first + second - 0x11A7
        }
        let table = UnicodeTables.compositions
        var low = 0
        var high = table.count / 3
        while low < high {
            let middle = (low + high) / 2
            if (table[3 * middle], table[3 * middle + 1]) < (first, second) { low = middle + 1 } else { high = middle }
        }
        guard 3 * low < table.count, table[3 * low] == first, table[3 * low + 1] == second else { return nil }
        return table[3 * low + 2]
    }
}
