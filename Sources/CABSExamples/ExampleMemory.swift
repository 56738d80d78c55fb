/// Memory for one example outside an engine, to look at it.
package final class ExampleMemory {
    private let input: UnsafeMutableBufferPointer<Float>
    private let values: UnsafeMutableBufferPointer<Float>
    private let label: UnsafeMutablePointer<Int32>
    private let specification: TargetSpecification

    package init(inputCount: Int, target specification: TargetSpecification) {
        input = .allocate(capacity: inputCount)
        input.initialize(repeating: 0)
        values = .allocate(capacity: specification.areClasses ? 0 : specification.count)
        values.initialize(repeating: 0)
        label = .allocate(capacity: 1)
        label.initialize(to: 0)
        self.specification = specification
    }

    deinit {
        input.deallocate()
        values.deallocate()
        label.deallocate()
    }

    /// Has an example written, and returns it.
    ///
    /// - Throws: What `write` throws, and ``ExampleError`` where it left something out.
    package func read(
        _ write: (inout ExampleSlot) throws -> Void
    ) throws -> (input: [Float], target: Target) {
        var slot = ExampleSlot(input: input, targetValues: values, targetClass: label, specification)
        try write(&slot)
        try slot.check()
        return (Array(input), specification.areClasses ? .class(Int(label.pointee)) : .values(Array(values)))
    }
}
