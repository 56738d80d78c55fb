/// The models that are known by name.
public enum ModelName: String, Sendable, Hashable, Codable, CaseIterable {
    /// The MNIST network of the paper's code: two 5x5 convolutions of 32 and 64 channels, each with 2x2 pooling, and
    /// a dense layer of 1024. Weights from a truncated normal distribution of standard deviation 0.01, biases 0.05.
    case mnistTwoConvTwoDense = "mnist-2conv-2dense"
    /// The CIFAR-10 network of the paper's code: two 5x5 convolutions of 64 channels, each with 3x3 pooling of stride
    /// 2, and dense layers of 384 and 192.
    case cifar10TwoConvThreeDense = "cifar10-2conv-3dense"
    /// A deep network in the shape of VGG-11 (Simonyan and Zisserman 2015, arXiv 1409.1556): eight 3x3 convolutions of
    /// 64 to 512 channels, pooling by 2 five times, and a dense layer of 512.
    case cifar10EightConvTwoDense = "cifar10-8conv-2dense"
    /// A dense layer of 128 with ReLU, and the output layer.
    case mlp
    /// The output layer alone.
    case logisticRegression = "logistic-regression"

    /// Makes the model for a data set.
    ///
    /// - Parameters:
    ///   - input: The shape of one example.
    ///   - outputCount: The number of classes.
    ///   - seed: The seed of the first parameters.
    /// - Throws: ``ModelError`` where the model cannot take that shape.
    public func model(input: ExampleShape, outputCount: Int, seed: UInt64 = 0) throws(ModelError) -> Model {
        try Model(input: input, seed: seed, layers: layers(outputCount: outputCount))
    }

    @ModelBuilder
    private func layers(outputCount: Int) -> [any Layer] {
        switch self {
        case .mnistTwoConvTwoDense: Self.mnistLayers(outputCount: outputCount)
        case .cifar10TwoConvThreeDense: Self.cifar10Layers(outputCount: outputCount)
        case .cifar10EightConvTwoDense: Self.deepLayers(outputCount: outputCount)
        case .mlp:
            Flatten()
            Dense(units: 128, weights: .he)
            ReLU()
            Dense(units: outputCount)
        case .logisticRegression:
            Flatten()
            Dense(units: outputCount, weights: .constant(0))
        }
    }

    @ModelBuilder
    private static func mnistLayers(outputCount: Int) -> [any Layer] {
        let weights = Initializer.truncatedNormal(standardDeviation: 0.01)
        let biases = Initializer.constant(0.05)
        for filters in [32, 64] {
            Conv2D(filters: filters, kernelSize: 5, weights: weights, biases: biases)
            ReLU()
            MaxPool2D(poolSize: 2, padding: .same)
        }
        Flatten()
        Dense(units: 1024, weights: weights, biases: biases)
        ReLU()
        Dense(units: outputCount, weights: weights, biases: biases)
    }

    @ModelBuilder
    private static func deepLayers(outputCount: Int) -> [any Layer] {
        for block in [[64], [128], [256, 256], [512, 512], [512, 512]] {
            for filters in block {
                Conv2D(filters: filters, kernelSize: 3)
                ReLU()
            }
            MaxPool2D(poolSize: 2, padding: .same)
        }
        Flatten()
        Dense(units: 512, weights: .he)
        ReLU()
        Dense(units: outputCount)
    }

    @ModelBuilder
    private static func cifar10Layers(outputCount: Int) -> [any Layer] {
        for bias: Float in [0, 0.1] {
            Conv2D(
                filters: 64, kernelSize: 5, weights: .truncatedNormal(standardDeviation: 0.05),
                biases: .constant(bias))
            ReLU()
            MaxPool2D(poolSize: 3, stride: 2, padding: .same)
        }
        Flatten()
        for units in [384, 192] {
            Dense(units: units, weights: .truncatedNormal(standardDeviation: 0.04), biases: .constant(0.1))
            ReLU()
        }
        Dense(units: outputCount, weights: .truncatedNormal(standardDeviation: 1 / 192))
    }
}
