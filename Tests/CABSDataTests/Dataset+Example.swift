@testable import CABSData

extension Dataset {
    /// An example as a network gets it.
    func example(at index: Int, draw: UInt64 = 0) -> (input: [Float], target: [Float]) {
        var (input, target) = (
            [Float](repeating: 0, count: inputShape.count), [Float](repeating: 0, count: targetCount)
        )
        copyExample(at: index, draw: draw, input: &input, target: &target)
        return (input, target)
    }

    /// The class of each example, by its number.
    var labels: [Int] { (0..<count).map { example(at: $0).target.firstIndex(of: 1)! } }
}
