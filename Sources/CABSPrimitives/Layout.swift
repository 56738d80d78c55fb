import CABSExamples
import CDNN

/// How a tensor's values lie in memory: sizes and order, possibly in blocks with padding, as oneDNN has it.
package final class Layout: @unchecked Sendable {
    // The handle is never changed after init, and oneDNN reads it from any thread: the proof of Sendable.
    package let handle: cdnn_layout
    package let byteCount: Int

    package init(taking handle: cdnn_layout) {
        self.handle = handle
        byteCount = cdnn_layout_size(handle)
    }

    /// A layout by the distances between values along each dimension.
    ///
    /// - Parameter storedCount: The number of floats in memory, with what stands behind the last value.
    package init(_ sizes: [Int], strides: [Int], storedCount: Int) throws(EngineError) {
        var handle: cdnn_layout?
        let status = cdnn_layout_create_with_strides(
            &handle, Int32(sizes.count), sizes.map(Int64.init), strides.map(Int64.init))
        try check(status, "a memory layout of \(sizes)")
        self.handle = handle!
        byteCount = storedCount * MemoryLayout<Float>.stride
    }

    deinit { cdnn_layout_destroy(handle) }

    /// A layout by sizes and tag.
    package convenience init(_ sizes: [Int], _ tag: LayoutTag) throws(EngineError) {
        var handle: cdnn_layout?
        let status = cdnn_layout_create(&handle, Int32(sizes.count), sizes.map(Int64.init), tag.tag)
        try check(status, "a memory layout of \(sizes)")
        self.init(taking: handle!)
    }

    /// Images, one after the other; by default each in row-major order, channels first.
    package static func images(
        _ count: Int, _ shape: ExampleShape, _ tag: LayoutTag = .channelsFirst
    ) throws(EngineError) -> Layout {
        switch shape {
        case .image(let height, let width, let channels): try Layout([count, channels, height, width], tag)
        case .vector(let size): try Layout([count, size, 1, 1], tag)
        }
    }

    /// One image.
    package static func image(_ shape: ExampleShape, _ tag: LayoutTag = .channelsFirst) throws(EngineError) -> Layout {
        try images(1, shape, tag)
    }

    /// The layout's name, if it is one in which so many images of the shape lie one after the other.
    package func tag(of count: Int, _ shape: ExampleShape) throws(EngineError) -> LayoutTag? {
        let known: [LayoutTag] = [.channelsFirst, .channelsLast, .channelBlocks16, .channelBlocks8, .channelBlocks4]
        for tag in known {
            if try Layout.images(count, shape, tag) == self { return tag }
        }
        return nil
    }

    /// The number of floats in memory, padding included.
    package var storedCount: Int { byteCount / MemoryLayout<Float>.stride }
}

extension Layout: Equatable {
    package static func == (a: Layout, b: Layout) -> Bool { cdnn_layout_equal(a.handle, b.handle) }
}

/// One example's tensor as a layer leaves it: its shape and where its values lie.
package struct TensorLayout: Sendable {
    package let shape: ExampleShape
    package let layout: Layout

    package init(shape: ExampleShape, layout: Layout) {
        self.shape = shape
        self.layout = layout
    }

    /// The number of floats in memory, padding included.
    package var storedCount: Int { layout.storedCount }
    /// Whether the layout has places that belong to no value. They hold zero, always.
    package var isPadded: Bool { storedCount != shape.count }

    /// How many channels of an image lie side by side: 8 or 16 in blocks, 1 where channels come first, all where they come last; none in
    /// other layouts.
    package var lanes: Int? {
        get throws(EngineError) {
            switch try layout.tag(of: 1, shape) {
            case .channelsFirst: 1
            case .channelsLast: shape.channelCount
            case .channelBlocks8: 8
            case .channelBlocks16: 16
            default: nil
            }
        }
    }

    /// The same of blocks and of channels that come first; none in other layouts.
    package var channelBlock: Int? {
        get throws(EngineError) { try layout.tag(of: 1, shape) == .channelsLast ? nil : lanes }
    }

    /// The layout of several examples, one after the other. Only one where the layout has no name.
    package func layout(of exampleCount: Int) throws(EngineError) -> Layout {
        if exampleCount == 1 { return layout }
        guard let tag = try layout.tag(of: 1, shape) else {
            preconditionFailure("examples of \(shape) cannot be strung together")
        }
        return try Layout.images(exampleCount, shape, tag)
    }
}
