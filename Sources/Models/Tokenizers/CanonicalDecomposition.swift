/// Unicode normalisation form D (UAX #15), with the data of `UnicodeTables`.
enum CanonicalDecomposition {
    /// Decomposes and reorders, keeping track of where each scalar came from exactly as the tokenizers library does: the
    /// first scalar of a decomposition takes the next original scalar in order *after* marks were sorted, further ones
    /// the one before. Sorted marks may thus swap their origins.
    static func apply(to text: inout NormalizedText) {
        guard text.scalars.contains(where: { ScalarClass.of($0).contains(.touchedByNFD) }) else { return }
        var buffer: [Decomposed] = []
        buffer.reserveCapacity(text.scalars.count + text.scalars.count / 2)
        // Where the run of marks not yet sorted begins.
        var pending = 0
        for scalar in text.scalars {
            decompose(scalar) { part, isFirst in
                let combiningClass = combiningClass(part)
                if combiningClass == 0 { sort(&buffer, from: pending) }
                buffer.append(Decomposed(scalar: part, combiningClass: combiningClass, isFirst: isFirst))
                if combiningClass == 0 { pending = buffer.count }
            }
        }
        sort(&buffer, from: pending)
        var origins: [Int32] = []
        origins.reserveCapacity(buffer.count)
        var next = 0
        for part in buffer {
            if part.isFirst { next += 1 }
            origins.append(text.origins[max(next - 1, 0)])
        }
        text = NormalizedText(scalars: buffer.map(\.scalar), origins: origins)
    }

    private struct Decomposed {
        let scalar: UInt32
        let combiningClass: UInt8
        let isFirst: Bool
    }

    /// Stable, by insertion: runs of marks are a few scalars, but one can be as long as the text, which then is merged.
    private static func sort(_ buffer: inout [Decomposed], from start: Int) {
        guard buffer.count - start > 1 else { return }
        if buffer.count - start > 32 {
            // The standard library's sort is stable in fact though not by contract: the position breaks ties.
            let sorted = buffer[start...].enumerated().sorted {
                ($0.element.combiningClass, $0.offset) < ($1.element.combiningClass, $1.offset)
            }
            buffer.replaceSubrange(start..., with: sorted.map(\.element))
            return
        }
        for i in start + 1..<buffer.count {
            let part = buffer[i]
            var j = i
            while j > start, buffer[j - 1].combiningClass > part.combiningClass {
                buffer[j] = buffer[j - 1]
                j -= 1
            }
            buffer[j] = part
        }
    }

    // MARK: Data

    /// Scalars that decompose or have a combining class, as ascending [first, last] pairs.
    static let touched: [UInt32] = {
        var ranges = decomposing.map { ($0.scalar, $0.scalar) }
        ranges.append((hangulFirst, hangulFirst + hangulCount - 1))
        for i in stride(from: 0, to: UnicodeTables.combiningClasses.count, by: 3) {
            ranges.append((UnicodeTables.combiningClasses[i], UnicodeTables.combiningClasses[i + 1]))
        }
        ranges.sort { $0.0 < $1.0 }
        return ranges.flatMap { [$0.0, $0.1] }
    }()

    private static let decomposing: [(scalar: UInt32, parts: Range<Int>)] = {
        var entries: [(UInt32, Range<Int>)] = []
        var i = 0
        while i < UnicodeTables.decompositions.count {
            let count = Int(UnicodeTables.decompositions[i + 1])
            entries.append((UnicodeTables.decompositions[i], i + 2..<i + 2 + count))
            i += 2 + count
        }
        return entries
    }()

    // Hangul syllables are arithmetic: The Unicode Standard, section 3.12.
    private static let hangulFirst: UInt32 = 0xAC00
    private static let hangulCount: UInt32 = 11172

    @inline(__always)
    private static func decompose(_ scalar: UInt32, _ emit: (UInt32, Bool) -> Void) {
        guard ScalarClass.of(scalar).contains(.touchedByNFD) else { return emit(scalar, true) }
        if scalar >= hangulFirst, scalar < hangulFirst + hangulCount {
            let index = scalar - hangulFirst
            emit(0x1100 + index / 588, true)
            emit(0x1161 + index % 588 / 28, false)
            if index % 28 != 0 { emit(0x11A7 + index % 28, false) }
            return
        }
        var low = 0
        var high = decomposing.count
        while low < high {
            let middle = (low + high) / 2
            if decomposing[middle].scalar < scalar { low = middle + 1 } else { high = middle }
        }
        guard low < decomposing.count, decomposing[low].scalar == scalar else { return emit(scalar, true) }
        let parts = decomposing[low].parts
        for i in parts { emit(UnicodeTables.decompositions[i], i == parts.lowerBound) }
    }

    private static func combiningClass(_ scalar: UInt32) -> UInt8 {
        guard ScalarClass.of(scalar).contains(.touchedByNFD) else { return 0 }
        let table = UnicodeTables.combiningClasses
        var low = 0
        var high = table.count / 3
        while low < high {
            let middle = (low + high) / 2
            if table[3 * middle + 1] < scalar { low = middle + 1 } else { high = middle }
        }
        return 3 * low < table.count && table[3 * low] <= scalar ? UInt8(truncatingIfNeeded: table[3 * low + 2]) : 0
    }
}
