import CDNN

/// How fast this machine multiplies matrices: the measure of how near a training step comes to the machine's limit.
public enum Roofline {
    /// The rate of oneDNN's own single-precision matrix product, 2048 cubed, in floating-point operations a second: the median
    /// of seven.
    ///
    /// - Parameter threadCount: The number of threads that oneDNN may use.
    public static func floatingPointRate(threadCount: Int) -> Double {
        let size = 2048
        let (a, b, c) = (
            AlignedBuffer(count: size * size), AlignedBuffer(count: size * size), AlignedBuffer(count: size * size)
        )
        let before = omp_get_max_threads()
        omp_set_num_threads(Int32(threadCount))
        defer { omp_set_num_threads(before) }
        let clock = ContinuousClock()
        let product = {
            multiply(
                transposed: (false, false), (size, size, size), a.pointer, size, b.pointer, size, c.pointer, size)
        }
        product()
        let times = (0..<7).map { _ in clock.measure(product) }.sorted()
        let seconds = times[3] / .seconds(1)
        let count = Double(size)
        return 2 * count * count * count / seconds
    }
}
