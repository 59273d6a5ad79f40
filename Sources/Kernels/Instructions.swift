/// The vector instructions that the kernels are written in.
///
/// Each kernel is one `@inlinable @inline(__always)` function, generic over `Instructions`; the targets KernelsBaseline,
/// KernelsAVX2 and KernelsAVX512 each hold one conforming type and are compiled for its instruction set, so the bodies
/// are inlined, specialized and compiled there. Nothing here may be called from elsewhere.
public protocol Instructions {
    associatedtype Vector: BitwiseCopyable

    /// Floats in a vector. A packed panel is two vectors wide.
    static var lanes: Int { get }
    /// Rows of the register tile of `multiply`, at most 12: rows × 2 vectors of sums stay in registers.
    static var tileRows: Int { get }

    static func splat(_ x: Float) -> Vector
    static func load(_ p: UnsafePointer<Float>) -> Vector
    static func store(_ p: UnsafeMutablePointer<Float>, _ v: Vector)
    /// The first `count` < `lanes` floats at `p`, and `fill` in the other lanes.
    static func load(_ p: UnsafePointer<Float>, count: Int, fill: Float) -> Vector
    static func store(_ p: UnsafeMutablePointer<Float>, count: Int, _ v: Vector)
    static func add(_ a: Vector, _ b: Vector) -> Vector
    static func sub(_ a: Vector, _ b: Vector) -> Vector
    static func mul(_ a: Vector, _ b: Vector) -> Vector
    static func div(_ a: Vector, _ b: Vector) -> Vector
    /// `a * b + c`, fused where the instruction set has it.
    static func fma(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector
    static func abs(_ a: Vector) -> Vector
    static func squareRoot(_ a: Vector) -> Vector
    static func copySign(_ magnitude: Vector, _ sign: Vector) -> Vector
    /// Per lane `a < b ? x : y`; a NaN compares false.
    static func selectLess(_ a: Vector, _ b: Vector, _ x: Vector, _ y: Vector) -> Vector
    /// `p * 2^i` for a whole number `i`, where `rounder` holds 1.5 · 2²³ + i.
    static func scale(_ p: Vector, _ i: Vector, _ rounder: Vector) -> Vector
    /// `y` as a whole number and the rest within ±½, and what `scale` wants of the whole number besides; y ≤ 128. A rest
    /// need not be right where 2^y is 0.
    static func split(_ y: Vector) -> (whole: Vector, rest: Vector, rounder: Vector)
    static func sum(_ v: Vector) -> Float
    static func maximum(_ v: Vector) -> Float
    static func minimum(_ v: Vector) -> Float
    /// Asks for the cache line at `p` in the second level of cache, soon to be read.
    static func prefetch(_ p: UnsafeRawPointer)

    /// 32-bit integers, as many as floats in a `Vector`.
    associatedtype Integers: BitwiseCopyable
    static var zeroWords: Integers { get }
    /// The word at `p` in every lane.
    static func splatWord(_ p: UnsafePointer<UInt32>) -> Integers
    static func loadWords(_ p: UnsafePointer<UInt32>) -> Integers
    static func floats(_ v: Integers) -> Vector
    /// Per lane, `sum` plus the two products of the 16-bit halves of `a` and `b`, all signed.
    static func addPairs(_ sum: Integers, _ a: Integers, _ b: Integers) -> Integers
    /// The floats whose upper halves are the lower and upper halves of each lane: bf16 to f32.
    static func lowerBrain(_ v: Integers) -> Vector
    static func upperBrain(_ v: Integers) -> Vector
    /// Rounds to bf16, ties to even.
    static func storeBrain(_ p: UnsafeMutablePointer<UInt16>, _ v: Vector)
    /// Words of two bf16 each, the halves rounded from `lower` and `upper`.
    static func storeBrainPairs(_ p: UnsafeMutablePointer<UInt32>, _ lower: Vector, _ upper: Vector)
    /// The whole numbers n from 0 to 255 of lanes that hold 1.5 · 2²³ + n, as unsigned bytes, or as 16-bit integers.
    static func storeBytes(_ p: UnsafeMutablePointer<UInt8>, _ v: Vector)
    static func storeShorts(_ p: UnsafeMutablePointer<UInt16>, _ v: Vector)

    /// `multiplyPanel` of f32, out of line: one copy of the register tiles for each instruction set.
    static func multiply(_ product: PanelProduct<Float>)
    /// `multiplyOneRow` of f32, out of line.
    static func multiplyRow(_ product: PanelProduct<Float>)
    /// `packKeyRows`, out of line.
    static func packKeys(
        _ k: UnsafePointer<Float>, _ ldk: Int, _ keys: Int, _ headDim: Int, _ panels: UnsafeMutablePointer<Float>)
    /// `attendBlock`, out of line.
    static func attend(_ task: AttentionTask)
    /// `runTile` of `ScoreWork` and of `ValueWork`, out of line.
    static func scores(_ product: ScoreProduct)
    static func values(_ product: ValueProduct)
    /// `activateRows`, out of line.
    static func activate(
        _ activation: Activation, _ x: UnsafeMutablePointer<Float>, rows: Int, width: Int, stride: Int, isCoarse: Bool)
    /// `finishCells`, out of line.
    static func finish(_ cells: StepCells)
    /// `denseLayer`, out of line.
    static func dense(_ d: DenseArguments)
}

extension Instructions {
    /// Columns of a packed panel.
    @inlinable @inline(__always) public static var panelWidth: Int { 2 * lanes }

    /// By adding 1.5 · 2²³, which leaves the whole number in the low bits. A y for which 2^y is 0 anyway is raised to where
    /// `scale` still takes it.
    @inlinable @inline(__always)
    public static func split(_ y: Vector) -> (whole: Vector, rest: Vector, rounder: Vector) {
        let low = splat(-151)
        let magic = splat(12_582_912)
        let raised = selectLess(y, low, low, y)
        let rounder = add(raised, magic)
        let whole = sub(rounder, magic)
        return (whole, sub(raised, whole), rounder)
    }
}

@inlinable @inline(__always)
func roundUp(_ count: Int, to multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
