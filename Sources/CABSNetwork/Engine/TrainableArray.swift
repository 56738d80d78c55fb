import CABSPrimitives
import CVectorMath

/// How a parameter's values lie in memory: in blocks as oneDNN wants them, or plainly.
///
/// A dense layer's columns follow the layout of the images that it flattens; its values are then stored as so
/// many images, one for each unit.
struct StoredForm: Sendable {
    /// How often the layouts repeat.
    let repetitions: Int
    /// The values of one repetition in row-major order.
    let plain: Layout
    /// The same values as they are stored.
    let stored: Layout
    /// Where the plain layout has zeros among the values: the values come in rows.
    var rows: Rows?

    /// Rows that are padded with zeros.
    struct Rows {
        /// The values of a row.
        let length: Int
        /// From one row to the next.
        let stride: Int
    }

    var storedCount: Int { repetitions * stored.storedCount }

    /// Brings row-major values into the stored form.
    func store(_ values: [Float], into buffer: AlignedBuffer) throws(EngineError) {
        let source = AlignedBuffer(count: repetitions * plain.storedCount)
        if let rows, rows.length < rows.stride {
            for row in 0..<values.count / rows.length {
                for index in 0..<rows.length {
                    source.pointer[row * rows.stride + index] = values[row * rows.length + index]
                }
            }
        } else {
            source.assign(values)
        }
        try convert(source, plain, to: buffer, stored)
    }

    /// The stored values in row-major order.
    func read(_ buffer: AlignedBuffer) throws(EngineError) -> [Float] {
        let result = AlignedBuffer(count: repetitions * plain.storedCount)
        try convert(buffer, stored, to: result, plain)
        guard let rows, rows.length < rows.stride else { return result.values }
        return stride(from: 0, to: result.count, by: rows.stride).flatMap { start in
            UnsafeBufferPointer(start: result.pointer + start, count: rows.length)
        }
    }

    private func convert(
        _ source: AlignedBuffer, _ from: Layout, to destination: AlignedBuffer, _ to: Layout
    ) throws(EngineError) {
        if from == to {
            destination.pointer.update(from: source.pointer, count: destination.count)
            return
        }
        for index in 0..<repetitions {
            try reorder(
                from: from, source.pointer + index * from.storedCount, to: to,
                destination.pointer + index * to.storedCount)
        }
    }
}

/// A trainable parameter in the engine: its values and the sums of its gradient.
///
/// Places in memory that belong to no value hold zero, in the values as in the gradients.
final class TrainableArray: Sendable {
    /// What tells a parameter from others: its name and its place among the network's parameters.
    struct Identity: Sendable {
        let name: String
        let index: Int
        let shape: [Int]
    }

    let identity: Identity
    let values: AlignedBuffer
    /// What the update keeps for each value.
    let slots: [AlignedBuffer]
    /// An average of the values over steps, where one is kept.
    let average: AlignedBuffer?
    /// The gradient, summed over examples: one buffer for each worker that sums on its own.
    let gradientSums: [AlignedBuffer]
    /// Where several ranks share the update, each has a multiple of so many values.
    let sliceUnit: Int

    private let valueForm: StoredForm
    private let gradientForm: StoredForm
    /// The whole gradient in the form of the values, where that differs from the form it is summed in.
    private let converted: (buffer: AlignedBuffer, call: PrimitiveCall)?

    /// - Parameters:
    ///   - gradientForm: The form that gradients are summed in; as the values' where not given.
    ///   - sumCount: How many workers sum on their own.
    ///   - sliceUnit: How many values stay together where ranks share the update; a register's where not given.
    ///   - context: How many numbers the update keeps for each value, and whether their average is kept.
    init(
        _ identity: Identity, form: StoredForm, gradientForm: StoredForm? = nil, sumCount: Int, sliceUnit: Int = 16,
        in context: StageContext
    ) throws(EngineError) {
        self.identity = identity
        self.sliceUnit = sliceUnit
        valueForm = form
        self.gradientForm = gradientForm ?? form
        values = AlignedBuffer(count: form.storedCount)
        slots = (0..<context.slotCount).map { _ in AlignedBuffer(count: form.storedCount) }
        average = context.averagesParameters ? AlignedBuffer(count: form.storedCount) : nil
        let gradientCount = self.gradientForm.storedCount
        gradientSums = (0..<sumCount).map { _ in AlignedBuffer(count: gradientCount) }
        if self.gradientForm.stored == form.stored {
            converted = nil
        } else {
            let buffer = AlignedBuffer(count: form.storedCount)
            let call = try PrimitiveCall(
                reorderingFrom: self.gradientForm.stored, gradientSums[0].pointer, to: form.stored, buffer.pointer)
            converted = (buffer, call)
        }
    }

    /// A parameter stored plainly.
    convenience init(
        plain identity: Identity, sumCount: Int, in context: StageContext
    ) throws(EngineError) {
        let layout = try Layout([identity.shape.reduce(1, *)], .vector)
        try self.init(
            identity, form: StoredForm(repetitions: 1, plain: layout, stored: layout), sumCount: sumCount,
            in: context)
    }

    func load(_ tensor: Tensor) throws(EngineError) {
        try valueForm.store(tensor.values, into: values)
    }

    func export() throws(EngineError) -> Tensor {
        Tensor(shape: identity.shape, values: try valueForm.read(values))
    }

    /// Replaces a slot; nothing empties it.
    func load(_ tensor: Tensor?, slot: Int) throws(EngineError) {
        guard let tensor else { return slots[slot].zero() }
        try valueForm.store(tensor.values, into: slots[slot])
    }

    func export(slot: Int) throws(EngineError) -> Tensor {
        Tensor(shape: identity.shape, values: try valueForm.read(slots[slot]))
    }

    /// The gradient as ``scaleShare(_:scale:)`` left it.
    func exportGradient() throws(EngineError) -> Tensor {
        Tensor(shape: identity.shape, values: try valueForm.read(gradient))
    }

    /// Replaces the average; nothing empties it.
    func loadAverage(_ tensor: Tensor?) throws(EngineError) {
        guard let average else { return }
        guard let tensor else { return average.zero() }
        try valueForm.store(tensor.values, into: average)
    }

    func exportAverage() throws(EngineError) -> Tensor? {
        guard let average else { return nil }
        return Tensor(shape: identity.shape, values: try valueForm.read(average))
    }

    /// Brings the worker's share of the average nearer to the values.
    func averageShare(_ worker: Worker, weight: Float) {
        guard let average else { return }
        let share = worker.share(of: values.count, unit: 16)
        cvm_approach(
            average.pointer + share.lowerBound, values.pointer + share.lowerBound, weight, share.count)
    }

    /// Exchanges the values and their average.
    func exchangeAverage() {
        guard let average else { return }
        for index in 0..<values.count { swap(&values.pointer[index], &average.pointer[index]) }
    }

    // MARK: From sums to an update. Each worker does its share; barriers stand between sum, conversion and update.

    /// Adds all workers' sums into the first, in the order of the workers.
    func reduceShare(_ worker: Worker) {
        let share = worker.share(of: gradientSums[0].count, unit: 16)
        for other in gradientSums.prefix(worker.count).dropFirst() {
            cvm_add(gradientSums[0].pointer + share.lowerBound, other.pointer + share.lowerBound, share.count)
        }
    }

    /// The share's part of the squared norm of the mean gradient, before that is converted.
    func squaredNormShare(_ worker: Worker, scale: Float) -> Double {
        let share = worker.share(of: gradientSums[0].count, unit: 16)
        let sum = cvm_squared_norm(gradientSums[0].pointer + share.lowerBound, share.count)
        return sum * Double(scale) * Double(scale)
    }

    /// Whether ``convert()`` has anything to do.
    var needsConversion: Bool { converted != nil }

    /// Brings the reduced gradient into the form of the values. One worker calls it.
    func convert() {
        converted?.call.execute()
    }

    /// The gradient in the form of the values, once it is reduced and converted.
    var gradient: AlignedBuffer { converted?.buffer ?? gradientSums[0] }

    /// Updates the worker's share of the values.
    ///
    /// - Returns: The share's part of the squared norm of the mean gradient.
    func updateShare(_ worker: Worker, scale: Float, _ rule: any UpdateRule, _ step: UpdateStep) -> Double {
        let share = worker.share(of: values.count, unit: 16)
        return rule.apply(
            to: self.share(share), gradientSum: gradient.pointer + share.lowerBound, scale: scale, step)
    }

    /// Some of the values, with their slots.
    func share(_ range: Range<Int>) -> UpdateShare {
        UpdateShare(
            values: values.pointer + range.lowerBound, slots: slots.map { $0.pointer + range.lowerBound },
            count: range.count)
    }

    /// Turns the sum into the mean and leaves it there to be exported.
    ///
    /// - Returns: The share's part of the squared norm of the mean gradient.
    func scaleShare(_ worker: Worker, scale: Float) -> Double {
        let share = worker.share(of: values.count, unit: 16)
        return cvm_scale_with_squared_norm(gradient.pointer + share.lowerBound, scale, share.count)
    }

    /// What tells the form of the values from others: where each value lies.
    func layoutChecksum() throws(EngineError) -> String {
        let count = identity.shape.reduce(1, *)
        let places = AlignedBuffer(count: values.count)
        try valueForm.store((0..<count).map { Float($0 % (1 << 24) + 1) }, into: places)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in 0..<places.count {
            hash = (hash ^ UInt64(places.pointer[index].bitPattern)) &* 0x100_0000_01b3
        }
        return "\(values.count) \(String(hash, radix: 16))"
    }
}
