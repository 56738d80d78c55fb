import CABSData
import CABSNetwork

/// What an option says of augmentation: a recipe, or the usual one of the data set and the model, with or without chance.
public enum AugmentationChoice: Sendable, Hashable {
    /// `true`: the usual one.
    case usual
    /// `false`: the usual one without chance.
    case usualWithoutChance
    /// By its name.
    case named(Augmentation)

    /// The recipe for a data set and a model.
    func augmentation(_ dataset: DatasetName, _ model: ModelConfiguration) -> Augmentation {
        let usual = dataset.usualImages.augmentation
        let isWhole = usual == .paper && model.takesWholeImages
        return switch self {
        case .named(let augmentation): augmentation
        case .usual: isWhole ? Self.wholeImages : usual
        case .usualWithoutChance: usual == .paper && !isWhole ? .paperCenter : .none
        }
    }

    /// He, Zhang, Ren and Sun 2015 (arXiv 1512.03385, section 4.2), for CIFAR.
    private static let wholeImages = Augmentation.changes([.crop(padding: 4), .flip])
}

extension ModelConfiguration {
    /// Whether CIFAR's images usually go whole to this model; the others are trained as the paper's are.
    fileprivate var takesWholeImages: Bool {
        switch self {
        case .named(.resnet20), .named(.resnet56), .named(.resnet9), .named(.wideResnet16): true
        case .named, .layers: false
        }
    }
}

extension AugmentationChoice: Codable {
    /// Reads `true`, `false`, or a recipe's name.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let isUsual = try? container.decode(Bool.self) {
            self = isUsual ? .usual : .usualWithoutChance
            return
        }
        let text = try container.decode(String.self)
        guard let augmentation = Augmentation(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "there is no augmentation \"\(text)\"; give \(Augmentation.forms)")
        }
        self = .named(augmentation)
    }

    /// Writes the form that ``init(from:)`` reads.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .usual: try container.encode(true)
        case .usualWithoutChance: try container.encode(false)
        case .named(let augmentation): try container.encode(augmentation.description)
        }
    }
}
