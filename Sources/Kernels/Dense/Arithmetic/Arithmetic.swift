/// An arithmetic of matrix products: how the numbers are held, multiplied and summed.
///
/// Both factors are held in packed elements of 32 bits. A packed element is `depth` neighboring values along k, so that
/// one instruction multiplies an element of a row with the elements of a vector of columns.
///
/// | arithmetic | packed element | sums |
/// |---|---|---|
/// | `F32Arithmetic` | one f32 | f32 |
/// | `BF16Emulated` | two bf16 | f32, by f32 multiply-adds |
/// | `BF16Native` | two bf16 | f32, by AVX512_BF16 |
/// | `Int8Widened` | two 16-bit integers: an unsigned 8-bit activation, a signed 8-bit weight | i32 |
/// | `Int8VNNI` | four bytes: unsigned activations, signed weights | i32, by VNNI |
///
/// Sums of integers are exact, so int8 is the same on every machine up to the rounding of the epilogue.
public protocol Arithmetic: SendableMetatype {
    associatedtype I: OutOfLineActivation
    associatedtype PackedElement: BitwiseCopyable
    associatedtype PackedVector
    associatedtype Sums

    /// The number of neighboring values along k in a packed element.
    static var depth: Int { get }
    /// Whether sums are integers, with scales for rows and columns.
    static var isQuantized: Bool { get }
    static var zero: Sums { get }
    /// Loads one packed element into every lane.
    static func splat(_ p: UnsafePointer<PackedElement>) -> PackedVector
    /// Loads a vector of packed elements.
    static func load(_ p: UnsafePointer<PackedElement>) -> PackedVector
    /// Returns `sums + a · b`, summed over the values of each packed element.
    static func step(_ a: PackedVector, _ b: PackedVector, _ sums: Sums) -> Sums
    /// Converts sums to floats, unscaled.
    static func floats(_ sums: Sums) -> I.Vector
    /// Runs `multiplyPanel`, out of line.
    static func multiply(_ product: PanelProduct<PackedElement>)
    /// Runs `multiplyOneRow`, out of line.
    static func multiplyRow(_ product: PanelProduct<PackedElement>)
}
