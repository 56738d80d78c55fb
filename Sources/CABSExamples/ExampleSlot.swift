/// Where one example is written: the memory that the first layer and the loss read, so that nothing is copied after it.
///
/// Whoever reads an example sets its input, all of it, and its target, of the kind that was announced.
public struct ExampleSlot: ~Copyable {
    // The memory belongs to whoever made the slot, and outlives it. Inlinable, since an example of a small network takes no microsecond.
    @usableFromInline let input: UnsafeMutableBufferPointer<Float>
    @usableFromInline let targetValues: UnsafeMutableBufferPointer<Float>
    @usableFromInline let targetClass: UnsafeMutablePointer<Int32>
    @usableFromInline let specification: TargetSpecification
    @usableFromInline var hasInput = false
    @usableFromInline var hasTarget = false

    /// - Parameters:
    ///   - input: Where the input's values go.
    ///   - targetValues: Where the target's go where it has values.
    ///   - targetClass: Where the class goes where it is one.
    package init(
        input: UnsafeMutableBufferPointer<Float>, targetValues: UnsafeMutableBufferPointer<Float>,
        targetClass: UnsafeMutablePointer<Int32>, _ specification: TargetSpecification
    ) {
        self.input = input
        self.targetValues = targetValues
        self.targetClass = targetClass
        self.specification = specification
    }

    /// The number of values that the input has.
    public var inputCount: Int { input.count }

    /// Writes the input in place.
    ///
    /// - Parameter body: Given ``inputCount`` values to overwrite, images channels first: the value of channel c, row y and column x stands
    ///   at `(c * height + y) * width + x`. What they were before means nothing.
    @inlinable public mutating func writeInput<Failure: Error>(
        _ body: (inout MutableSpan<Float>) throws(Failure) -> Void
    ) throws(Failure) {
        var span = input.mutableSpan
        try body(&span)
        hasInput = true
    }

    /// Copies the input.
    ///
    /// - Throws: ``ExampleError/inputCount(_:expected:)`` for another number of values.
    @inlinable public mutating func setInput(_ values: some Collection<Float>) throws(ExampleError) {
        guard values.count == input.count else { throw .inputCount(values.count, expected: input.count) }
        _ = input.update(fromContentsOf: values)
        hasInput = true
    }

    /// Sets the target to a class, from 0.
    ///
    /// - Throws: ``ExampleError`` where there is no such class, or targets are values.
    @inlinable public mutating func setClass(_ label: Int) throws(ExampleError) {
        guard case .classes(let count, _) = specification else { throw .targetKind(expected: specification) }
        guard label >= 0, label < count else { throw .noSuchClass(label, classCount: count) }
        targetClass.pointee = Int32(label)
        hasTarget = true
    }

    /// Copies the target's values.
    ///
    /// - Throws: ``ExampleError`` for another number of values, or where targets are classes.
    @inlinable public mutating func setValues(_ values: some Collection<Float>) throws(ExampleError) {
        guard case .values(let count) = specification else { throw .targetKind(expected: specification) }
        guard values.count == count else { throw .targetCount(values.count, expected: count) }
        _ = targetValues.update(fromContentsOf: values)
        hasTarget = true
    }

    /// Sets the target, whatever its kind.
    ///
    /// - Throws: ``ExampleError`` where it is not one that was announced.
    public mutating func setTarget(_ target: Target) throws(ExampleError) {
        switch target {
        case .class(let label): try setClass(label)
        case .values(let values): try setValues(values)
        }
    }

    /// Checks that both parts were set.
    ///
    /// - Throws: ``ExampleError/incomplete(_:)``.
    package func check() throws(ExampleError) {
        guard hasInput else { throw .incomplete("input") }
        guard hasTarget else { throw .incomplete("target") }
    }
}

/// Why an example that was read is not one of those that were announced.
public enum ExampleError: Error, Hashable, CustomStringConvertible {
    /// The input has another number of values.
    case inputCount(Int, expected: Int)
    /// The target has another number of values.
    case targetCount(Int, expected: Int)
    /// The target is a class that does not exist.
    case noSuchClass(Int, classCount: Int)
    /// The target is a class where values were announced, or the other way round.
    case targetKind(expected: TargetSpecification)
    /// The input, or the target, was not set.
    case incomplete(String)

    /// What is wrong, with the offending value, and what to do.
    public var description: String {
        switch self {
        case .inputCount(let count, let expected): "its input has \(count) values; give it \(expected)"
        case .targetCount(let count, let expected): "its target has \(count) values; give it \(expected)"
        case .noSuchClass(let label, let count):
            "its class is \(label); classes are numbered from 0 to \(count - 1)"
        case .targetKind(let expected): "its target is of the wrong kind; the data set announced \(expected)"
        case .incomplete(let part): "its \(part) was not set"
        }
    }
}
