/// The kernels of one instruction set.
///
/// Every pointer must be valid for the sizes given: kernels check nothing. They use less than 5 KB of stack, allocate no
/// other memory and keep no state, so all threads share a table. README.md beside this file lists operations,
/// precisions and accuracies.
public struct KernelTable: Sendable {
    public let instructionSet: InstructionSet
    /// The table's name, which also tells tables of one instruction set apart: `avx512`, `avx512-vnni`,
    /// `avx512-vnni-bf16`.
    public let name: String
    /// The width of a packed panel in columns.
    public let panelWidth: Int

    public let f32: DenseKernels
    public let bf16: DenseKernels
    public let int8: DenseKernels

    private let f32Attention: AttentionKernels
    private let bf16Attention: AttentionKernels
    private let int8Attention: AttentionKernels

    public let layerNorm: @Sendable (LayerNormArguments) -> Void
    public let rmsNorm: @Sendable (RMSNormArguments) -> Void
    public let rotary: @Sendable (RotaryArguments) -> Void
    /// `x[i] = activation(x[i])` for `count` floats.
    public let activate: @Sendable (_ activation: Activation, _ x: UnsafeMutablePointer<Float>, _ count: Int) -> Void
    /// `out[i] = exp(x[i])` for `count` floats, within 2 ulp.
    public let exp: @Sendable (_ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ count: Int) -> Void
    /// Softmax over each row of `x` [rows, width], contiguous, in place.
    public let softmax: @Sendable (_ x: UnsafeMutablePointer<Float>, _ rows: Int, _ width: Int) -> Void
    /// `out[i] += x[i]` for `count` floats.
    public let add: @Sendable (_ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ count: Int) -> Void

    public init(
        instructionSet: InstructionSet, name: String, panelWidth: Int, f32: DenseKernels, bf16: DenseKernels,
        int8: DenseKernels, f32Attention: AttentionKernels, bf16Attention: AttentionKernels,
        int8Attention: AttentionKernels,
        layerNorm: @escaping @Sendable (LayerNormArguments) -> Void,
        rmsNorm: @escaping @Sendable (RMSNormArguments) -> Void,
        rotary: @escaping @Sendable (RotaryArguments) -> Void,
        activate: @escaping @Sendable (Activation, UnsafeMutablePointer<Float>, Int) -> Void,
        exp: @escaping @Sendable (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void,
        softmax: @escaping @Sendable (UnsafeMutablePointer<Float>, Int, Int) -> Void,
        add: @escaping @Sendable (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
    ) {
        self.instructionSet = instructionSet
        self.name = name
        self.panelWidth = panelWidth
        self.f32 = f32
        self.bf16 = bf16
        self.int8 = int8
        self.f32Attention = f32Attention
        self.bf16Attention = bf16Attention
        self.int8Attention = int8Attention
        self.layerNorm = layerNorm
        self.rmsNorm = rmsNorm
        self.rotary = rotary
        self.activate = activate
        self.exp = exp
        self.softmax = softmax
        self.add = add
    }

    /// Returns the kernels of dense and recurrent layers in a precision.
    public func dense(_ precision: Precision) -> DenseKernels {
        switch precision {
        case .f32: f32
        case .bf16: bf16
        case .int8: int8
        }
    }

    /// Returns the attention kernels that go with dense layers in a precision. For int8 they are bf16 where the
    /// processor has instructions for bf16, else f32.
    public func attention(_ precision: Precision) -> AttentionKernels {
        switch precision {
        case .f32: f32Attention
        case .bf16: bf16Attention
        case .int8: int8Attention
        }
    }
}
