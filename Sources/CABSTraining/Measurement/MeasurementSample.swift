import CABSData
import CABSExamples

/// Training examples to measure a network on.
///
/// Neither which they are nor their random changes nor what dropout leaves out has to do with the draws of any run, also of one with the same
/// seed: a run's first draws are what it was trained on.
struct MeasurementSample {
    private let dataset: any Dataset
    /// Their places among the training examples.
    let examples: [Int]
    /// The number of the first one's draw, from which its random changes and dropout follow; the others count on.
    let firstDraw: UInt64

    /// Draws examples, each once.
    ///
    /// - Parameters:
    ///   - count: How many to take; all where there are fewer.
    ///   - dataset: The training examples.
    ///   - seed: What they and their draws follow from.
    /// - Throws: `DatasetError` where there are no examples.
    init(_ count: Int, of dataset: any Dataset, seed: UInt64) throws(DatasetError) {
        var random = RandomStream(seed: seed, purpose: .measurement, index: 0)
        var order = try ExampleOrder(.shuffled(seed: random.next()), exampleCount: dataset.count)
        self.dataset = dataset
        examples = order.next(min(count, dataset.count))
        // Of half of all numbers, from which counting on does not overflow.
        firstDraw = random.next() >> 1
    }

    /// All of them.
    var batch: DatasetBatch { batch(examples.indices) }

    /// Those at some places of the sample.
    func batch(_ places: Range<Int>) -> DatasetBatch {
        DatasetBatch(dataset, indices: Array(examples[places]), firstDraw: firstDraw + UInt64(places.lowerBound))
    }

    /// The places of a group of examples, of a number of groups whose sizes differ by one at most.
    func places(ofGroup group: Int, of groupCount: Int) -> Range<Int> {
        group * examples.count / groupCount..<(group + 1) * examples.count / groupCount
    }
}
