/// How an image's bytes become values.
public enum Normalization: Sendable, Hashable {
    /// Divided by the largest byte that images have, which gives values from 0 to 1.
    case unit(maximum: Double = 255)
    /// Each image by itself: its mean is subtracted, and the result divided by the larger of its standard deviation and
    /// `1 / sqrt(number of values)`; TensorFlow's `per_image_standardization`.
    case image
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
