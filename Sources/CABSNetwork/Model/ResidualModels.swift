/// The layers of the residual networks among the models by name. All are normalised by group, 8 channels each (Wu and He 2018), where
/// the originals have batch normalisation, and convolutions in front of a normalisation have no biases.
extension ModelName {
    private static let groupSize = 8

    private static func convolution(_ filters: Int, _ kernelSize: Int = 3, stride: Int = 1) -> Conv2D {
        Conv2D(filters: filters, kernelSize: kernelSize, stride: stride, hasBias: false)
    }

    private static func norm(_ filters: Int) -> GroupNorm { GroupNorm(groups: filters / groupSize) }

    @ModelBuilder
    private static func normalizedConvolution(_ filters: Int, stride: Int = 1) -> [any Layer] {
        convolution(filters, stride: stride)
        norm(filters)
        ReLU()
    }

    /// The networks for CIFAR-10 of He, Zhang, Ren and Sun 2015 (arXiv 1512.03385, section 4.2): a convolution, and three stages of blocks
    /// of two 3x3 convolutions with 16, 32 and 64 channels. Where the shape changes, the shortcut is a projection.
    @ModelBuilder
    static func residualLayers(blocksPerStage: Int, outputCount: Int) -> [any Layer] {
        normalizedConvolution(16)
        for (stage, filters) in [16, 32, 64].enumerated() {
            for block in 0..<blocksPerStage {
                let changes = stage > 0 && block == 0
                residualBlock(filters, stride: changes ? 2 : 1, projects: changes)
            }
        }
        GlobalAveragePool2D()
        Dense(units: outputCount)
    }

    @ModelBuilder
    private static func residualBlock(_ filters: Int, stride: Int, projects: Bool) -> [any Layer] {
        Residual {
            normalizedConvolution(filters, stride: stride)
            convolution(filters)
            norm(filters)
        } shortcut: {
            if projects {
                convolution(filters, 1, stride: stride)
                norm(filters)
            }
        }
        ReLU()
    }

    /// A wide residual network (Zagoruyko and Komodakis 2016, arXiv 1605.07146): three stages of blocks with normalisation and activation in
    /// front of each convolution, of 16, 32 and 64 channels times a width.
    @ModelBuilder
    static func wideResidualLayers(blocksPerStage: Int, width: Int, outputCount: Int) -> [any Layer] {
        convolution(16)
        for (stage, filters) in [16 * width, 32 * width, 64 * width].enumerated() {
            let before = stage == 0 ? 16 : filters / 2
            norm(before)
            ReLU()
            let stride = stage == 0 ? 1 : 2
            Residual {
                normalizedConvolution(filters, stride: stride)
                convolution(filters)
            } shortcut: {
                convolution(filters, 1, stride: stride)
            }
            for _ in 1..<blocksPerStage {
                Residual {
                    norm(filters)
                    ReLU()
                    normalizedConvolution(filters)
                    convolution(filters)
                }
            }
        }
        norm(64 * width)
        ReLU()
        GlobalAveragePool2D()
        Dense(units: outputCount)
    }

    /// A small network that trains fast: convolutions of 64 to 512 channels, two residual blocks, three poolings by 2 (after a design of
    /// David Page's, "How to train your ResNet", 2018).
    @ModelBuilder
    static func smallResidualLayers(outputCount: Int) -> [any Layer] {
        normalizedConvolution(64)
        for filters in [128, 256, 512] {
            normalizedConvolution(filters)
            MaxPool2D(poolSize: 2, padding: .same)
            if filters != 256 {
                Residual {
                    normalizedConvolution(filters)
                    normalizedConvolution(filters)
                }
            }
        }
        GlobalAveragePool2D()
        Dense(units: outputCount)
    }
}
