/// The examples of one step, as an engine asks for them.
///
/// Workers call ``write(_:into:)`` from their own threads, several at a time.
public protocol ExampleBatch: Sendable {
    /// The number of examples, at least one.
    var count: Int { get }

    /// What the examples' targets are.
    var target: TargetSpecification { get }

    /// The number of examples drawn before this batch since the run began. Random numbers that belong to one
    /// example, such as dropout's, follow from it.
    var firstDraw: UInt64 { get }

    /// Writes one example into its place.
    ///
    /// - Parameters:
    ///   - position: Which one, from 0 up to ``count``.
    ///   - slot: Receives the input and the target.
    /// - Throws: Why the example cannot be had; the first such error ends the step, which then changes nothing.
    func write(_ position: Int, into slot: inout ExampleSlot) throws
}
