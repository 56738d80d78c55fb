/// The gradient of a layer that is linear in its parameters, and the way to it that costs least for a batch of which every example's
/// own norm is wanted.
///
/// Such a layer takes T rows of an example to as many outputs, y_t = W u_t: a dense layer the one row that its input is, a convolution
/// the patch at each position of its output. With the gradients δ_t of the outputs, an example's gradient is
///
///     g = Σ_t δ_t u_tᵀ,    and    ‖g‖² = Σ_t Σ_s (δ_t · δ_s) (u_t · u_s),
///
/// so that two Gram matrices of T rows give the norm without the gradient: for one row ‖δ‖² ‖u‖² (Goodfellow 2015, arXiv 1510.01799),
/// for several Rochette, Manoel, Tramel 2019, arXiv 1912.06015. It holds for parameters that a network uses once: of one used twice,
/// products of both uses would be missing, and ``StepProgram`` has none.
struct LinearGradient {
    /// T, the rows of an example.
    let rowCount: Int
    /// The vectors that rows are put together from, and how many values each has: the pixels of a convolution's input, of which
    /// one is part of several patches.
    let sourceCount: Int
    let sourceLength: Int
    /// How many of them a row has.
    let sourcesPerRow: Int
    /// The values of one output y_t.
    let unitCount: Int
    /// Units of different groups read different parts of a row: the Gram matrices of whole rows say nothing of them.
    let groupCount: Int

    /// How a batch's gradient and the norms of its examples' own are computed.
    enum Way {
        /// From the values of the output gradients that are not zero, an example at a time.
        case sparse
        /// Each example's gradient by itself, then added up.
        case formed
        /// Many examples' at once, by a primitive; the norms from Gram matrices.
        case gathered
        /// Many examples' at once, as one product of their rows; the norms from Gram matrices.
        case multiplied
    }

    /// - Parameter outputGradientIsSparse: Whether most values of the output gradients are zero.
    func way(_ estimator: GradientEstimator, outputGradientIsSparse: Bool) -> Way {
        // The approximation that a reference is asked for leaves out products between rows, of which one row has none.
        if estimator == .reference, rowCount > 1 { return .formed }
        // Beside the products, each example has a pass over the parameters, for which there must be rows enough.
        if outputGradientIsSparse, rowCount >= 32, groupCount == 1 { return .sparse }
        guard gramIsCheaper else { return .formed }
        return rowCount > Self.largestMultipliedRowCount ? .gathered : .multiplied
    }

    /// Up to so many rows of an example one product is faster than a primitive that gathers them itself.
    private static let largestMultipliedRowCount = 16

    /// Whether the Gram matrices cost less than forming each example's gradient, which takes passes over all parameters for
    /// each example. So it is where parameters are many and rows few.
    var gramIsCheaper: Bool { groupCount == 1 && gramCost < formingCost }

    /// What forming a gradient costs beyond its own arithmetic, in floating-point operations that would take as long: it is
    /// written, read, and added to a sum. Measured on Zen 5: about 40 for each parameter in the core's own cache, 150
    /// beyond it.
    private var formingCost: Double {
        let parameterCount = Double(unitCount / groupCount) * Double(sourcesPerRow * sourceLength)
        return parameterCount * (parameterCount <= 0x1p17 ? 40 : 150)
    }

    /// What the Gram matrices cost: two products, and a sum over what rows are put together from that runs at an eighth of their
    /// speed.
    private var gramCost: Double {
        let (sources, rows) = (Double(sourceCount), Double(rowCount))
        return 2 * sources * sources * Double(sourceLength) + 2 * rows * rows * Double(unitCount)
            + 8 * 2 * rows * rows * Double(sourcesPerRow)
    }
}
