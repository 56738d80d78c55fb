import CDNN

/// What a primitive reads or writes.
package enum Operand: Sendable {
    case source, destination, weights, bias
    case sourceGradient, destinationGradient, weightGradient, biasGradient
    /// Of a change of layout.
    case from, to
    case scratch

    /// oneDNN's number for it as an argument.
    var argument: Int32 {
        switch self {
        case .source: DNNL_ARG_SRC
        case .destination: DNNL_ARG_DST
        case .weights: DNNL_ARG_WEIGHTS
        case .bias: DNNL_ARG_BIAS
        case .sourceGradient: DNNL_ARG_DIFF_SRC
        case .destinationGradient: DNNL_ARG_DIFF_DST
        case .weightGradient: DNNL_ARG_DIFF_WEIGHTS
        case .biasGradient: DNNL_ARG_DIFF_BIAS
        case .from: DNNL_ARG_FROM
        case .to: DNNL_ARG_TO
        case .scratch: DNNL_ARG_SCRATCHPAD
        }
    }

    /// oneDNN's name for the question in which layout a primitive takes it.
    var query: dnnl_query_t {
        switch self {
        case .source, .from: dnnl_query_src_md
        case .destination, .to: dnnl_query_dst_md
        case .weights, .bias: dnnl_query_weights_md
        case .sourceGradient: dnnl_query_diff_src_md
        case .destinationGradient: dnnl_query_diff_dst_md
        case .weightGradient, .biasGradient: dnnl_query_diff_weights_md
        case .scratch: dnnl_query_scratchpad_md
        }
    }
}
