import Kernels
import ModelFiles

/// DeBERTa-v2 and v3 (He et al. 2021, 2023) as transformers' DebertaV2Model computes them
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/models/deberta_v2/modeling_deberta_v2.py): BERT
/// with attention that scores content and relative position apart, and, in v2-xlarge, a convolution beside the first layer.
enum DebertaV2 {
    static func definition(_ source: Checkpoint) throws(FileError) -> EncoderDefinition {
        let c = source.configuration
        let shape = try DebertaShape(c)
        let base = source.base(anchor: "embeddings.word_embeddings.weight")
        let position = try DebertaPositions(
            c, shape, base, buckets: c.int("position_buckets", in: -1...1 << 16, default: -1))
        let bert = shape.bert
        var layers: [EncoderLayer] = []
        for i in 0..<bert.layers {
            let names = base("encoder.layer.\(i)")
            let own = names("attention.self")
            // The embeddings go through the layer's projections, or through projections of their own.
            let shared = try c.bool("share_att_key", default: false)
            let joined = try own.dense(
                joined: ["query_proj", "key_proj", "value_proj"].map { ($0, bert.hidden) }, inputs: bert.hidden)
            layers.append(
                try Deberta.layer(
                    names, bert, joined: joined,
                    bias: position?.bias(
                        key: { () throws(FileError) in
                            try own.dense(
                                shared ? "key_proj" : "pos_key_proj", outputs: bert.hidden, inputs: bert.hidden,
                                precision: shared ? nil : .f32)
                        },
                        query: { () throws(FileError) in
                            try own.dense(
                                shared ? "query_proj" : "pos_query_proj", outputs: bert.hidden, inputs: bert.hidden,
                                precision: shared ? nil : .f32)
                        })))
        }
        var definition = try Deberta.definition(source, shape, base, layers)
        definition.stack.convolution = try convolution(c, base("encoder.conv"), bert)
        return definition
    }

    private static func convolution(
        _ c: ConfigurationFile, _ names: WeightScope, _ shape: BertShape
    ) throws(FileError) -> Conv1d? {
        let kernel = try c.int("conv_kernel_size", in: 0...1023, default: 0)
        if kernel == 0 { return nil }
        guard kernel % 2 == 1 else {
            throw FileError(
                file: c.file,
                "'conv_kernel_size' is \(kernel); it should be odd, or the convolution would change a sequence's length"
            )
        }
        let groups = try c.int("conv_groups", in: 1...65_536, default: 1)
        try c.check(shape.hidden, "hidden_size", dividedBy: groups, "conv_groups")
        return try Conv1d(
            names, hidden: shape.hidden, kernel: kernel, groups: groups,
            activation: try c.activation("conv_act", default: "tanh"), epsilon: shape.epsilon)
    }
}
