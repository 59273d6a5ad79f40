import HTTP

extension Duration {
    var milliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }

    /// Appends the milliseconds, rounded to microseconds, with at least one decimal: `12.345`, `0.12`, `3.0`.
    func appendMilliseconds(to text: inout [UInt8]) {
        let (seconds, attoseconds) = components
        let microseconds = Int(seconds) * 1_000_000 + Int((attoseconds + 500_000_000_000) / 1_000_000_000_000)
        text.append(decimal: microseconds / 1000)
        text.append(0x2E)
        var (rest, unit) = (microseconds % 1000, 100)
        repeat {
            text.append(hexDigit: UInt8(truncatingIfNeeded: rest / unit))
            rest %= unit
            unit /= 10
        } while rest > 0
    }
}
