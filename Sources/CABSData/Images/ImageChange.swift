import Foundation

/// A random change to training images.
///
/// Changes are made to each image anew each time it is drawn. What a change leaves empty is 0 after normalisation: the mean, where images
/// are standardised.
public enum ImageChange: Sendable, Hashable {
    /// `crop:P`: the image is framed by P empty rows and columns at each side, and a part of its old size is cut out at a random place
    /// (He, Zhang, Ren and Sun 2015, arXiv 1512.03385, section 4.2).
    case crop(padding: Int)
    /// `flip`: left and right are exchanged every other time (Krizhevsky, Sutskever and Hinton 2012).
    case flip
    /// `brightness:D`: all values are shifted by the same amount, up to D either way, in units of the largest value that images have;
    /// TensorFlow's `random_brightness`. Standardisation of each image by itself undoes it.
    case brightness(Double)
    /// `contrast:C`: the distance of each channel's values from their mean is multiplied by a factor from 1 - C to 1 + C; TensorFlow's
    /// `random_contrast`.
    case contrast(Double)
    /// `cutout:S`: a square of S rows and columns around a random place of the image is emptied (DeVries and Taylor 2017, arXiv
    /// 1708.04552).
    case cutout(size: Int)

    /// All ways to name a change, for people to read.
    static let forms = "crop:P, flip, brightness:D (0 to 1), contrast:C (0 to 1), cutout:S"

    /// The largest crop's padding, or square.
    private static let sizes = 1...4096

    init?(_ text: Substring) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let argument = parts.count == 2 ? parts[1] : ""
        let size = Int(argument).flatMap { Self.sizes.contains($0) ? $0 : nil }
        let part = Double(argument).flatMap { $0 > 0 && $0 <= 1 ? $0 : nil }
        switch (parts[0], parts.count) {
        case ("flip", 1): self = .flip
        case ("crop", 2): guard let size else { return nil }; self = .crop(padding: size)
        case ("cutout", 2): guard let size else { return nil }; self = .cutout(size: size)
        case ("brightness", 2): guard let part else { return nil }; self = .brightness(part)
        case ("contrast", 2): guard let part else { return nil }; self = .contrast(part)
        default: return nil
        }
    }

    /// The change as it is written.
    var name: String {
        switch self {
        case .crop(let padding): "crop:\(padding)"
        case .flip: "flip"
        case .brightness(let part): "brightness:\(part)"
        case .contrast(let part): "contrast:\(part)"
        case .cutout(let size): "cutout:\(size)"
        }
    }

    fileprivate var kind: String { String(name.prefix { $0 != ":" }) }
}

/// What becomes of images on their way to a network.
public enum Augmentation: Sendable, Hashable {
    /// The recipe of the paper's CIFAR-10 experiments: see ``CroppedAndStandardized``.
    case paper
    /// The same without chance: the crop in the middle, standardised.
    case paperCenter
    /// Whole images, changed while training as the list says, in its order; by an empty one not at all.
    case changes([ImageChange])

    /// As images are.
    public static let none = Augmentation.changes([])

    /// All ways to name one, for people to read.
    public static let forms =
        "none, paper (crops of 24x24, as in the paper's code), paper-center, or a list of \(ImageChange.forms)"
}

extension Augmentation: LosslessStringConvertible {
    /// Reads `none`, `paper`, `paper-center`, or changes with commas between, no kind of them twice.
    public init?(_ text: String) {
        switch text {
        case "paper": self = .paper
        case "paper-center": self = .paperCenter
        case "none": self = .none
        default:
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            let changes = parts.compactMap { ImageChange($0) }
            guard changes.count == parts.count, Set(changes.map(\.kind)).count == changes.count else { return nil }
            self = .changes(changes)
        }
    }

    /// The form that ``init(_:)`` reads.
    public var description: String {
        switch self {
        case .paper: "paper"
        case .paperCenter: "paper-center"
        case .changes(let changes): changes.isEmpty ? "none" : changes.map(\.name).joined(separator: ",")
        }
    }
}
