import CPeak
import Foundation

/// A stopwatch that takes the best of several repeats, since other processes only ever add time.
final class Stopwatch {
    private let seconds: Double
    private let repeats: Int
    /// The width of a vector in bits.
    private let width: Int
    /// The most floating-point operations a second seen in this run.
    private(set) var peak = 0.0

    init(seconds: Double, repeats: Int, width: Int) {
        self.seconds = seconds
        self.repeats = repeats
        self.width = width
    }

    /// Returns the seconds of one call of `body`.
    func best(_ body: () -> Void) -> Double {
        body()
        let once = max(1e-9, time { body() })
        let count = max(1, Int(seconds / once))
        var best = Double.infinity
        for _ in 0..<repeats { best = min(best, time { for _ in 0..<count { body() } } / Double(count)) }
        return best
    }

    func measurePeak() -> Double {
        var operations = 0.0
        let best = best { operations = encoderd_peak(Int32(width), 20_000) }
        peak = max(peak, operations / best)
        return peak
    }

    private func time(_ body: () -> Void) -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        body()
        return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    }
}

/// Floats, 64-byte aligned, of a fixed pattern between −`scale` and `scale`.
final class Floats {
    let base: UnsafeMutablePointer<Float>

    init(_ count: Int, scale: Float = 1) {
        base = UnsafeMutableRawPointer.allocate(byteCount: max(1, count) * 4, alignment: 64).bindMemory(
            to: Float.self, capacity: count)
        var state: UInt32 = 12345
        for i in 0..<count {
            state = state &* 1_664_525 &+ 1_013_904_223
            base[i] = Float(Int32(bitPattern: state)) / 2_147_483_648 * scale
        }
    }

    deinit { base.deallocate() }
}
