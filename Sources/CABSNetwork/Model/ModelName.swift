import CABSExamples

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
    /// A network for SVHN: three 5x5 convolutions of 32, 64 and 64 channels, each with 3x3 pooling of stride 2, and a
    /// dense layer of 256. It has 0.4 million parameters. On whole images of 32x32 the third pooling leaves 4x4 positions,
    /// few enough that the convolutions hold much of the network, as they did in networks for small images when the paper
    /// was written; and one epoch of SVHN's 73,257 examples takes minutes on a CPU.
    case svhnThreeConvTwoDense = "svhn-3conv-2dense"
    /// A network for CIFAR-100: four 3x3 convolutions of 64, 64, 128 and 128 channels, 2x2 pooling after every second one,
    /// and a dense layer of 512. It has 2.7 million parameters. A hundred classes need more features than the ten of
    /// CIFAR-10 that `cifar10-2conv-3dense` was made for; pairs of 3x3 convolutions see as far as one of 5x5 with fewer
    /// parameters, and two poolings leave 6x6 positions of a crop of 24x24.
    case cifar100FourConvTwoDense = "cifar100-4conv-2dense"
    /// The residual network of 20 layers for small images, 0.27 million parameters (He, Zhang, Ren and Sun 2015, arXiv 1512.03385), normalised
    /// by group.
    case resnet20
    /// The same of 56 layers, 0.86 million parameters.
    case resnet56
    /// A small residual network that trains fast, 6.6 million parameters: convolutions of 64, 128, 256 and 512 channels and two residual
    /// blocks.
    case resnet9
    /// A wide residual network of 16 layers and four times the channels, 2.7 million parameters (Zagoruyko and Komodakis 2016,
    /// arXiv 1605.07146), normalised by group.
    case wideResnet16 = "wide-resnet-16-4"
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
        case .svhnThreeConvTwoDense: Self.svhnLayers(outputCount: outputCount)
        case .cifar100FourConvTwoDense: Self.cifar100Layers(outputCount: outputCount)
        case .resnet20: Self.residualLayers(blocksPerStage: 3, outputCount: outputCount)
        case .resnet56: Self.residualLayers(blocksPerStage: 9, outputCount: outputCount)
        case .resnet9: Self.smallResidualLayers(outputCount: outputCount)
        case .wideResnet16: Self.wideResidualLayers(blocksPerStage: 2, width: 4, outputCount: outputCount)
        case .mlp:
            Self.denseLayers(hiddenUnits: 128, outputCount: outputCount)
        case .logisticRegression:
            Flatten()
            Dense(units: outputCount, weights: .constant(0))
        }
    }

    /// A hidden layer and the output layer.
    @ModelBuilder
    private static func denseLayers(hiddenUnits: Int, outputCount: Int) -> [any Layer] {
        Flatten()
        Dense(units: hiddenUnits, weights: .he)
        ReLU()
        Dense(units: outputCount)
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
        denseLayers(hiddenUnits: 512, outputCount: outputCount)
    }

    @ModelBuilder
    private static func svhnLayers(outputCount: Int) -> [any Layer] {
        for filters in [32, 64, 64] {
            Conv2D(filters: filters, kernelSize: 5)
            ReLU()
            MaxPool2D(poolSize: 3, stride: 2, padding: .same)
        }
        denseLayers(hiddenUnits: 256, outputCount: outputCount)
    }

    @ModelBuilder
    private static func cifar100Layers(outputCount: Int) -> [any Layer] {
        for filters in [64, 128] {
            Conv2D(filters: filters, kernelSize: 3)
            ReLU()
            Conv2D(filters: filters, kernelSize: 3)
            ReLU()
            MaxPool2D(poolSize: 2, padding: .same)
        }
        denseLayers(hiddenUnits: 512, outputCount: outputCount)
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
