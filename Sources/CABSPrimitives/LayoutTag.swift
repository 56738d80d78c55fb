import CDNN

/// The name of a memory layout, in which the order of dimensions and blocks of values are fixed.
package struct LayoutTag: Sendable, Equatable {
    let tag: dnnl_format_tag_t

    /// Whatever a primitive prefers.
    package static let any = LayoutTag(tag: dnnl_format_tag_any)
    /// A vector.
    package static let vector = LayoutTag(tag: dnnl_a)
    /// Images in row-major order, [channels, height, width].
    package static let channelsFirst = LayoutTag(tag: dnnl_nchw)
    /// Images with all channels of a pixel side by side.
    package static let channelsLast = LayoutTag(tag: dnnl_nhwc)
    /// Images with 4, 8 or 16 channels of a pixel side by side.
    package static let channelBlocks4 = LayoutTag(tag: dnnl_nChw4c)
    package static let channelBlocks8 = LayoutTag(tag: dnnl_nChw8c)
    package static let channelBlocks16 = LayoutTag(tag: dnnl_nChw16c)
    /// Weights in row-major order, [out, in, height, width].
    package static let weights = LayoutTag(tag: dnnl_oihw)
    /// Weights in row-major order, [groups, out, in, height, width].
    package static let groupedWeights = LayoutTag(tag: dnnl_goihw)
    /// Weights with 8 or 16 input channels side by side.
    package static let inputBlocks8 = LayoutTag(tag: dnnl_aBcd8b)
    package static let inputBlocks16 = LayoutTag(tag: dnnl_aBcd16b)
    /// Weights with 8 or 16 output channels side by side.
    package static let outputBlocks8 = LayoutTag(tag: dnnl_Abcd8a)
    package static let outputBlocks16 = LayoutTag(tag: dnnl_Abcd16a)
}
