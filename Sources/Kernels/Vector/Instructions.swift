/// The vector instructions of one instruction set, in which the kernels are written.
///
/// Each kernel is one `@export(implementation) @inline(__always)` function, generic over `Instructions`. The targets
/// KernelsBaseline, KernelsAVX2 and KernelsAVX512 each hold one conforming type and are compiled for its instruction
/// set, so the bodies are inlined, specialized and compiled there. No other target may call them.
public protocol Instructions {
    associatedtype Vector: BitwiseCopyable

    /// The number of floats in a vector. A packed panel is two vectors wide.
    static var lanes: Int { get }
    /// The height of the register tile of `multiply` in rows, at most 12: rows × 2 vectors of sums stay in registers.
    static var tileRows: Int { get }

    static func splat(_ x: Float) -> Vector
    static func load(_ p: UnsafePointer<Float>) -> Vector
    static func store(_ p: UnsafeMutablePointer<Float>, _ v: Vector)
    /// Loads the first `count` < `lanes` floats at `p`, and `fill` into the other lanes.
    static func load(_ p: UnsafePointer<Float>, count: Int, fill: Float) -> Vector
    static func store(_ p: UnsafeMutablePointer<Float>, count: Int, _ v: Vector)
    static func add(_ a: Vector, _ b: Vector) -> Vector
    static func sub(_ a: Vector, _ b: Vector) -> Vector
    static func mul(_ a: Vector, _ b: Vector) -> Vector
    static func div(_ a: Vector, _ b: Vector) -> Vector
    /// Returns `a * b + c`, fused where the instruction set has it.
    static func fma(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector
    static func abs(_ a: Vector) -> Vector
    static func squareRoot(_ a: Vector) -> Vector
    /// Returns `a < b ? x : y` for each lane. A NaN compares false.
    static func selectLess(_ a: Vector, _ b: Vector, _ x: Vector, _ y: Vector) -> Vector
    /// Returns `p * 2^i` for a whole number `i`, where `rounder` holds 1.5 · 2²³ + i.
    static func scale(_ p: Vector, _ i: Vector, _ rounder: Vector) -> Vector
    /// Splits `y` ≤ 128 into a whole number and a rest within ±½. `rounder` is what `scale` takes besides the whole
    /// number. The rest need not be right where 2^y is 0.
    static func split(_ y: Vector) -> (whole: Vector, rest: Vector, rounder: Vector)
    static func sum(_ v: Vector) -> Float
    static func maximum(_ v: Vector) -> Float
    static func minimum(_ v: Vector) -> Float
    /// Prefetches the cache line at `p`, soon to be read, into the second-level cache.
    static func prefetch(_ p: UnsafeRawPointer)

    /// 32-bit integers, as many as floats in a `Vector`.
    associatedtype Integers: BitwiseCopyable
    static var zeroIntegers: Integers { get }
    /// Loads the integer at `p` into every lane.
    static func splatInteger(_ p: UnsafePointer<UInt32>) -> Integers
    static func loadIntegers(_ p: UnsafePointer<UInt32>) -> Integers
    static func floats(_ v: Integers) -> Vector
    /// Returns, for each lane, `sum` plus the two products of the 16-bit halves of `a` and `b`, all signed.
    static func addPairs(_ sum: Integers, _ a: Integers, _ b: Integers) -> Integers
    /// Converts the bf16 in the lower half of each lane to f32.
    static func lowerBF16(_ v: Integers) -> Vector
    /// Converts the bf16 in the upper half of each lane to f32.
    static func upperBF16(_ v: Integers) -> Vector
    /// Rounds to bf16, ties to even, and stores a vector of them.
    static func storeBF16(_ p: UnsafeMutablePointer<UInt16>, _ v: Vector)
    /// Stores lanes of two bf16 each, the halves rounded from `lower` and `upper`.
    static func storeBF16Pairs(_ p: UnsafeMutablePointer<UInt32>, _ lower: Vector, _ upper: Vector)
    /// Stores the whole numbers n from 0 to 255 of lanes that hold 1.5 · 2²³ + n as unsigned bytes.
    static func storeBytes(_ p: UnsafeMutablePointer<UInt8>, _ v: Vector)
    /// Stores the same whole numbers as 16-bit integers.
    static func storeShorts(_ p: UnsafeMutablePointer<UInt16>, _ v: Vector)
}

extension Instructions {
    /// The width of a packed panel in columns.
    @export(implementation) @inline(__always) public static var panelWidth: Int { 2 * lanes }

    /// Splits `y` by adding 1.5 · 2²³, which leaves the whole number in the low bits. A y for which 2^y is 0 anyway is
    /// raised to where `scale` still takes it.
    @export(implementation) @inline(__always)
    public static func split(_ y: Vector) -> (whole: Vector, rest: Vector, rounder: Vector) {
        let low = splat(-151)
        let magic = splat(12_582_912)
        let raised = selectLess(y, low, low, y)
        let rounder = add(raised, magic)
        let whole = sub(rounder, magic)
        return (whole, sub(raised, whole), rounder)
    }
}

/// Returns the smallest multiple of `multiple` that is at least `count`.
@export(implementation) @inline(__always)
func roundUp(_ count: Int, to multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
