/// The examples of one step, as a ``Network`` asks for them.
///
/// Workers call ``copyExample(at:input:target:)`` from their own threads, several at a time.
public protocol ExampleBatch: Sendable {
    /// The number of examples, at least one.
    var count: Int { get }

    /// The number of examples drawn before this batch since the run began. Random numbers that belong to one
    /// example, such as dropout's, follow from it.
    var firstDraw: UInt64 { get }

    /// Writes one example, into arrays that keep their counts.
    ///
    /// - Parameters:
    ///   - position: Which one, from 0 up to ``count``.
    ///   - input: Receives the input's values, images channels first; it has the model's input count.
    ///   - target: Receives what the loss compares the output with; it has the model's output count.
    func copyExample(at position: Int, input: inout [Float], target: inout [Float])
}
