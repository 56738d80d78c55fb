/// How an image's bytes, or other numbers, become values.
public enum Normalization: Sendable, Hashable {
    /// Divided by the largest byte that images have, which gives values from 0 to 1.
    case unit(maximum: Double = 255)
    /// Each image by itself: its mean is subtracted, and the result divided by the larger of its standard deviation and
    /// `1 / sqrt(number of values)`; TensorFlow's `per_image_standardization`.
    case image
    /// Each channel by the mean and the standard deviation that it has over the training examples.
    case channel(means: [Double], deviations: [Double])
}

/// The names of the ways to normalise.
public enum NormalizationName: String, Sendable, Hashable, Codable, CaseIterable {
    /// ``Normalization/unit(maximum:)``
    case unit
    /// ``Normalization/channel(means:deviations:)``
    case channel
    /// ``Normalization/image``
    case image
}

extension Normalization {
    /// Its name.
    var name: NormalizationName {
        switch self {
        case .unit: .unit
        case .image: .image
        case .channel: .channel
        }
    }

    /// By what each channel has over all examples. A channel that has one value alone keeps its scale.
    init(channels: [ChannelMoments]) {
        self = .channel(
            means: channels.map(\.mean),
            deviations: channels.map { $0.variance > 0 ? $0.variance.squareRoot() : 1 })
    }

    /// Normalises values that are no bytes, channel by channel; a vector has one.
    func apply(to values: inout [Float], channelCount: Int) {
        let plane = values.count / channelCount
        var (means, scales) = ([Double](repeating: 0, count: channelCount), [Double](repeating: 1, count: channelCount))
        switch self {
        case .unit(let maximum): scales = scales.map { _ in 1 / maximum }
        case .channel(let channelMeans, let deviations): (means, scales) = (channelMeans, deviations.map { 1 / $0 })
        case .image:
            let moments = ChannelMoments(values)
            let (mean, scale) = ChannelMoments.standardization([moments], contrast: 1, valueCount: values.count)
            (means, scales) = (means.map { _ in mean }, scales.map { _ in scale })
        }
        for index in values.indices {
            let channel = index / plane
            values[index] = Float((Double(values[index]) - means[channel]) * scales[channel])
        }
    }
}

/// The mean and the variance of one channel's bytes.
struct ChannelMoments {
    let mean: Double
    let variance: Double

    /// From the bytes' exact sums.
    init(sum: Int, squares: Int, count: Int) {
        mean = Double(sum) / Double(count)
        variance = Double(squares) / Double(count) - mean * mean
    }

    /// Of values that are no bytes: of the distances from their mean, which no sum of large squares drowns.
    init(_ values: some Collection<Float>) {
        let (sum, count) = (values.reduce(0) { $0 + Double($1) }, Double(values.count))
        let mean = sum / count
        self.mean = mean
        variance = values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
    }

    /// The mean and the scale that standardise an image whose channels have these moments, each of as many values, once their contrast
    /// has been multiplied by a factor.
    ///
    /// Contrast keeps a channel's mean and scales its variance, so those of the result follow from the bytes' sums.
    static func standardization(
        _ channels: [ChannelMoments], contrast: Double, valueCount: Int
    ) -> (mean: Double, scale: Double) {
        let mean = channels.reduce(0) { $0 + $1.mean } / Double(channels.count)
        let variance =
            channels.reduce(0) { sum, channel in
                sum + contrast * contrast * channel.variance + (channel.mean - mean) * (channel.mean - mean)
            } / Double(channels.count)
        return (mean, 1 / max(variance.squareRoot(), 1 / Double(valueCount).squareRoot()))
    }
}
