import CABSExamples
import CDNN

/// How a tensor's values lie in memory: sizes and order, possibly in blocks with padding, as oneDNN has it.
final class Layout: @unchecked Sendable {
    // The handle is never changed after init, and oneDNN reads it from any thread: the proof of Sendable.
    let handle: cdnn_layout
    let byteCount: Int

    init(taking handle: cdnn_layout) {
        self.handle = handle
        byteCount = cdnn_layout_size(handle)
    }

    /// A layout by the distances between values along each dimension.
    ///
    /// - Parameter storedCount: The number of floats in memory, with what stands behind the last value.
    init(_ sizes: [Int], strides: [Int], storedCount: Int) throws(EngineError) {
        var handle: cdnn_layout?
        let status = cdnn_layout_create_with_strides(
            &handle, Int32(sizes.count), sizes.map(Int64.init), strides.map(Int64.init))
        try check(status, "a memory layout of \(sizes)")
        self.handle = handle!
        byteCount = storedCount * MemoryLayout<Float>.stride
    }

    deinit { cdnn_layout_destroy(handle) }

    /// A layout by sizes and tag.
    convenience init(_ sizes: [Int], _ tag: dnnl_format_tag_t) throws(EngineError) {
        var handle: cdnn_layout?
        let status = cdnn_layout_create(&handle, Int32(sizes.count), sizes.map(Int64.init), tag)
        try check(status, "a memory layout of \(sizes)")
        self.init(taking: handle!)
    }

    /// Images, one after the other; by default each in row-major order, channels first.
    static func images(
        _ count: Int, _ shape: ExampleShape, _ tag: dnnl_format_tag_t = dnnl_nchw
    ) throws(EngineError) -> Layout {
        switch shape {
        case .image(let height, let width, let channels): try Layout([count, channels, height, width], tag)
        case .vector(let size): try Layout([count, size, 1, 1], tag)
        }
    }

    /// One image.
    static func image(_ shape: ExampleShape, _ tag: dnnl_format_tag_t = dnnl_nchw) throws(EngineError) -> Layout {
        try images(1, shape, tag)
    }

    /// The layout's name, if it is one in which so many images of the shape lie one after the other.
    func tag(of count: Int, _ shape: ExampleShape) throws(EngineError) -> dnnl_format_tag_t? {
        for tag in [dnnl_nchw, dnnl_nhwc, dnnl_nChw16c, dnnl_nChw8c, dnnl_nChw4c] {
            if try Layout.images(count, shape, tag) == self { return tag }
        }
        return nil
    }

    /// The number of floats in memory, padding included.
    var storedCount: Int { byteCount / MemoryLayout<Float>.stride }
}

extension Layout: Equatable {
    static func == (a: Layout, b: Layout) -> Bool { cdnn_layout_equal(a.handle, b.handle) }
}

/// One example's tensor as a layer leaves it: its shape and where its values lie.
struct TensorLayout: Sendable {
    let shape: ExampleShape
    let layout: Layout

    /// The number of floats in memory, padding included.
    var storedCount: Int { layout.storedCount }
    /// Whether the layout has places that belong to no value. They hold zero, always.
    var isPadded: Bool { storedCount != shape.count }

    /// How many channels of an image lie side by side: 8 or 16 in blocks, 1 where channels come first, all where they come last; none in
    /// other layouts.
    var lanes: Int? {
        get throws(EngineError) {
            switch try layout.tag(of: 1, shape) {
            case dnnl_nchw: 1
            case dnnl_nhwc: shape.channelCount
            case dnnl_nChw8c: 8
            case dnnl_nChw16c: 16
            default: nil
            }
        }
    }

    /// The same of blocks and of channels that come first; none in other layouts.
    var channelBlock: Int? {
        get throws(EngineError) { try layout.tag(of: 1, shape) == dnnl_nhwc ? nil : lanes }
    }

    /// The layout of several examples, one after the other. Only one where the layout has no name.
    func layout(of exampleCount: Int) throws(EngineError) -> Layout {
        if exampleCount == 1 { return layout }
        guard let tag = try layout.tag(of: 1, shape) else {
            preconditionFailure("examples of \(shape) cannot be strung together")
        }
        return try Layout.images(exampleCount, shape, tag)
    }
}
